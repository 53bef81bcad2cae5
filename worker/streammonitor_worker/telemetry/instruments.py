"""Every metric, named in one place.

All of them are observable: they read plain counters that the streams keep anyway, at the moment
when somebody collects. Between two collections they cost nothing, and a picture costs no call.

    streammonitor_build_info{version}                        1
    streammonitor_streams{state}                             streams by state
    streammonitor_pictures_total{stream}                     pictures measured
    streammonitor_watched_seconds_total{stream}              media watched
    streammonitor_lag_seconds{stream}                        behind the live edge
    streammonitor_cpu_seconds_total{stream,stage}            demux | decode | detect
    streammonitor_reconnects_total{stream}
    streammonitor_open_incidents{stream,severity}
    streammonitor_incidents_total{detector,severity}         opened since the start

and of a worker of a fleet:

    streammonitor_worker_capacity_cores, streammonitor_worker_load_cores
    streammonitor_worker_ready, streammonitor_worker_draining
    streammonitor_worker_redis_up                            it answered the last heartbeat
    streammonitor_worker_waiting_events                      that Redis does not have yet
    streammonitor_worker_dropped_events_total                that Redis never got
    streammonitor_worker_spool_bytes
    streammonitor_worker_notifications_total                 events that a target took
    streammonitor_worker_notification_failures_total         attempts that failed
    streammonitor_worker_notifications_given_up_total        events that a target never got
    streammonitor_worker_engines
    streammonitor_worker_engine_deaths_total
    streammonitor_worker_claimed_streams
    streammonitor_worker_quarantined_streams
    streammonitor_worker_lowered_streams                     watched less closely than wanted
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from streammonitor_api.events import Event
from streammonitor_api.incident import SEVERITIES
from streammonitor_worker.status import STREAM_STATES, StreamStatus, WorkerStatus

Statuses = Callable[[], Sequence[StreamStatus]]
_WORKER = {
    "capacity_cores": "CPU cores that the worker's streams may use.",
    "load_cores": "CPU cores that they use.",
    "ready": "1 while it may be given streams.",
    "draining": "1 while it hands its streams over, to end.",
    "redis_up": "1 while Redis answers its heartbeats.",
    "waiting_events": "Events that Redis does not have yet.",
    "dropped_events": "Events that Redis never got, as the spool was full.",
    "spool_bytes": "What the spool has on disk.",
    "notifications": "Events that a webhook or an Alertmanager took.",
    "notification_failures": "Attempts to notify that failed.",
    "notifications_given_up": "Events that a webhook or an Alertmanager never got.",
    "engines": "Processes that watch streams.",
    "engine_deaths": "Engines that died.",
    "claimed_streams": "Streams that it owns.",
    "quarantined_streams": "Streams that are not watched because they kill their engine.",
    "lowered_streams": "Streams watched less closely than wanted, as capacity is short.",
}
_COUNTED = {
    "engine_deaths",
    "dropped_events",
    "notifications",
    "notification_failures",
    "notifications_given_up",
}
Read = Callable[[], Iterable[Observation]]


class IncidentCounter:
    """Counts the incidents opened, by detector and severity."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()

    def note(self, event: Event) -> None:
        if event.kind == "opened":
            with self._lock:
                self._counts[event.incident.detector, event.incident.severity] += 1

    def read(self) -> list[Observation]:
        with self._lock:
            counts = dict(self._counts)
        return [
            Observation(count, {"detector": detector, "severity": severity})
            for (detector, severity), count in counts.items()
        ]


def create_instruments(
    meter: Meter, statuses: Statuses, incidents: IncidentCounter, version: str
) -> None:
    """Create every instrument. `statuses` is asked once a metric, whenever they are collected."""
    counter, gauge = meter.create_observable_counter, meter.create_observable_gauge
    gauge(
        "streammonitor.build.info",
        [_callback(lambda: [Observation(1, {"version": version})])],
        description="The version that runs.",
    )
    gauge(
        "streammonitor.streams",
        [_callback(lambda: _by_state(statuses()))],
        description="Streams by state.",
    )
    counter(
        "streammonitor.pictures",
        [_callback(lambda: _by_stream(statuses(), lambda one: one.pictures))],
        description="Pictures measured.",
    )
    counter(
        "streammonitor.watched",
        [_callback(lambda: _by_stream(statuses(), lambda one: one.media_s))],
        unit="s",
        description="Media watched.",
    )
    gauge(
        "streammonitor.lag",
        [_callback(lambda: _by_stream(statuses(), lambda one: one.lag_s))],
        unit="s",
        description="How far a stream is behind the moment at which its media arrives.",
    )
    counter(
        "streammonitor.cpu",
        [_callback(lambda: _by_stage(statuses()))],
        unit="s",
        description="Processor time by stage: demux, decode, detect.",
    )
    counter(
        "streammonitor.reconnects",
        [_callback(lambda: _by_stream(statuses(), lambda one: one.reconnects))],
        description="How often a source was opened again.",
    )
    gauge(
        "streammonitor.open_incidents",
        [_callback(lambda: _open_incidents(statuses()))],
        description="Incidents that are open.",
    )
    counter(
        "streammonitor.incidents",
        [_callback(incidents.read)],
        description="Incidents opened since the start.",
    )


def create_worker_instruments(meter: Meter, status: Callable[[], WorkerStatus]) -> None:
    """Create the instruments of a worker. `status` is asked once a metric."""
    for name, description in _WORKER.items():
        create = (
            meter.create_observable_counter if name in _COUNTED else meter.create_observable_gauge
        )
        read = partial(_field, status, name)
        create(f"streammonitor.worker.{name}", [_callback(read)], description=description)


def _field(status: Callable[[], WorkerStatus], name: str) -> list[Observation]:
    return [Observation(float(getattr(status(), name)))]


def _callback(read: Read) -> Callable[[CallbackOptions], Iterable[Observation]]:
    return lambda _options: read()


def _by_stream(
    statuses: Sequence[StreamStatus], value: Callable[[StreamStatus], float]
) -> list[Observation]:
    return [Observation(value(status), {"stream": status.stream}) for status in statuses]


def _by_state(statuses: Sequence[StreamStatus]) -> list[Observation]:
    """Every state, also those that no stream is in: a series that vanishes alarms nobody."""
    counts = Counter(status.state for status in statuses)
    return [Observation(counts[state], {"state": state}) for state in STREAM_STATES]


def _by_stage(statuses: Sequence[StreamStatus]) -> list[Observation]:
    return [
        Observation(seconds, {"stream": status.stream, "stage": stage})
        for status in statuses
        for stage, seconds in status.cpu_s.items()
    ]


def _open_incidents(statuses: Sequence[StreamStatus]) -> list[Observation]:
    return [
        Observation(
            sum(incident.severity == severity for incident in status.open_incidents),
            {"stream": status.stream, "severity": severity},
        )
        for status in statuses
        for severity in SEVERITIES
    ]
