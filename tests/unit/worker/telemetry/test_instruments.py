"""The metrics say what the streams count, and cost nothing while nobody collects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, NumberDataPoint

from streammonitor_worker.status import StreamStatus, WorkerStatus
from streammonitor_worker.telemetry.instruments import (
    IncidentCounter,
    create_instruments,
    create_worker_instruments,
)
from tests.support.builders import a_status, an_event, an_incident


class Collected:
    """A meter with every instrument, and what it gives on collection."""

    def __init__(self, statuses: Sequence[StreamStatus] = ()) -> None:
        self.asked = 0
        self.statuses = statuses
        self.incidents = IncidentCounter()
        self._reader = InMemoryMetricReader()
        self._provider = MeterProvider([self._reader], shutdown_on_exit=False)
        create_instruments(self._provider.get_meter("test"), self._ask, self.incidents, "1.2.3")

    def _ask(self) -> Sequence[StreamStatus]:
        self.asked += 1
        return self.statuses

    def read(self, name: str, **labels: str) -> float:
        """The value of the one series that has these labels."""
        data = self._reader.get_metrics_data()
        assert data is not None
        found = [
            point.value
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
            for point in metric.data.data_points
            if isinstance(point, NumberDataPoint)
            and labels.items() <= dict(point.attributes or {}).items()
        ]
        assert len(found) == 1, f"{name} {labels}: {found}"
        return found[0]


def test_worker_is_told_field_by_field() -> None:
    reader = InMemoryMetricReader()
    meter = MeterProvider([reader], shutdown_on_exit=False).get_meter("test")
    create_worker_instruments(meter, lambda: WorkerStatus(capacity_cores=2.0, ready=True))

    data = reader.get_metrics_data()

    assert data is not None
    metrics = data.resource_metrics[0].scope_metrics[0].metrics
    assert {one.name.removeprefix("streammonitor.worker.") for one in metrics} == {
        field.name for field in fields(WorkerStatus)
    }


def test_streams_are_counted_by_state() -> None:
    collected = Collected([a_status("a"), a_status("b"), a_status("c", state="reconnecting")])

    assert collected.read("streammonitor.streams", state="watching") == 2
    assert collected.read("streammonitor.streams", state="reconnecting") == 1
    assert collected.read("streammonitor.streams", state="failed") == 0


@pytest.mark.parametrize(
    ("name", "labels", "value"),
    [
        ("streammonitor.pictures", {}, 1800),
        ("streammonitor.watched", {}, 60.0),
        ("streammonitor.lag", {}, 1.5),
        ("streammonitor.reconnects", {}, 3),
        ("streammonitor.cpu", {"stage": "decode"}, 6.0),
        ("streammonitor.open_incidents", {"severity": "critical"}, 1),
        ("streammonitor.open_incidents", {"severity": "warning"}, 0),
    ],
)
def test_every_counter_of_a_stream_is_told(name: str, labels: dict[str, str], value: float) -> None:
    status = a_status("a", lag_s=1.5, reconnects=3, open_incidents=(an_incident(),))
    collected = Collected([status, a_status("b")])

    assert collected.read(name, stream="a", **labels) == value


def test_incidents_are_counted_once_by_detector_and_severity() -> None:
    collected = Collected()
    for kind in ("opened", "updated", "closed"):
        collected.incidents.note(an_event(kind, an_incident()))
    collected.incidents.note(an_event("opened", an_incident(onset_s=9.0)))
    collected.incidents.note(an_event("opened", an_incident("audio-silence", severity="warning")))

    name = "streammonitor.incidents"
    assert collected.read(name, detector="video-freeze", severity="critical") == 2
    assert collected.read(name, detector="audio-silence", severity="warning") == 1


def test_version_is_told() -> None:
    assert Collected().read("streammonitor.build.info", version="1.2.3") == 1


def test_streams_are_asked_only_on_collection() -> None:
    collected = Collected([a_status()])

    for _ in range(100):
        collected.incidents.note(an_event("opened", an_incident()))

    assert collected.asked == 0
