"""An incident is one trace, from its onset to its recovery."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from streammonitor_api.events import Event, EventKind
from streammonitor_worker.telemetry.spans import trace_incident
from tests.support.builders import NOON_S, an_event, an_incident


def traced(*events: Event) -> tuple[ReadableSpan, ...]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    for event in events:
        trace_incident(provider.get_tracer("test"), event)
    return exporter.get_finished_spans()


def nanoseconds(media_s: float) -> int:
    return int(NOON_S) * 1_000_000_000 + round(media_s * 1000) * 1_000_000


def test_incident_is_one_span_whatever_its_events() -> None:
    (span,) = traced(
        an_event("opened", an_incident()),
        an_event("updated", an_incident()),
        an_event("closed", an_incident(recovery_s=8.25)),
    )

    assert span.name == "video-freeze"
    assert span.start_time == nanoseconds(5.0)
    assert span.end_time == nanoseconds(8.25)
    assert span.parent is None


def test_span_says_what_was_wrong() -> None:
    (span,) = traced(an_event("closed", an_incident(recovery_s=8.25)))

    attributes = dict(span.attributes or {})
    assert attributes["streammonitor.stream"] == "clip.mp4"
    assert attributes["streammonitor.track"] == "video:0"
    assert attributes["streammonitor.severity"] == "critical"
    assert attributes["streammonitor.duration_s"] == 3.25
    assert attributes["streammonitor.measure.value"] == -72.123
    assert not span.status.is_ok


def test_incident_that_was_open_at_the_end_ends_then() -> None:
    (span,) = traced(an_event("closed", an_incident(), at_s=12.0))

    assert span.end_time == nanoseconds(12.0)
    assert "streammonitor.recovery_s" not in dict(span.attributes or {})


def test_two_incidents_are_two_traces() -> None:
    first, second = traced(
        an_event("closed", an_incident(recovery_s=8.0)),
        an_event("closed", an_incident("audio-silence", recovery_s=9.0)),
    )

    assert first.context is not None
    assert second.context is not None
    assert first.context.trace_id != second.context.trace_id


def test_noon_is_where_the_builders_say() -> None:
    assert datetime.fromtimestamp(NOON_S, UTC).isoformat() == "2026-11-22T12:00:00+00:00"


@pytest.mark.parametrize("kind", ["opened", "updated"])
def test_open_incident_leaves_no_span(kind: EventKind) -> None:
    assert traced(an_event(kind, an_incident())) == ()
