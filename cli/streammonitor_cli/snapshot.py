"""A fleet at one instant, as Redis knows it: what `status`, `fleet` and `demo` show.

Pure but for `take_snapshot`. The written form is the contract of `status --output json`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from streammonitor_api.fidelity import Fidelity
from streammonitor_api.fleet.reader_store import ReaderStore
from streammonitor_api.fleet.records import (
    CoverageTotal,
    FleetSeen,
    OpenIncident,
    StreamRow,
    StreamSpec,
    WorkerSeen,
)
from streammonitor_api.names import StreamKey, WorkerId, stream_parts

UNASSIGNED = "unassigned"
_FIDELITIES = list(Fidelity)


@dataclass(frozen=True, slots=True)
class WorkerView:
    """A worker as it is shown."""

    worker: WorkerId
    pid: int
    state: str
    """ready, draining, starting (not ready to be given anything) or dead."""
    streams: int
    load_cores: float
    capacity_cores: float

    def as_json(self) -> dict[str, object]:
        return {
            "worker": self.worker,
            "pid": self.pid,
            "state": self.state,
            "streams": self.streams,
            "load_cores": round(self.load_cores, 3),
            "capacity_cores": round(self.capacity_cores, 3),
        }


@dataclass(frozen=True, slots=True)
class StreamView:
    """A stream as it is shown. Without an owner, worker and epoch are None."""

    stream: StreamKey
    worker: WorkerId | None
    epoch: int | None
    state: str
    fidelity: Fidelity | None
    last_picture_wall: str | None
    coverage: float | None
    """0 to 1; None while nothing is known."""
    open_incidents: int
    error: str | None = None
    lag_s: float = 0.0
    is_reduced: bool = False
    """Watched less closely than was asked for."""

    def as_json(self) -> dict[str, object]:
        return {
            "stream": self.stream,
            "worker": self.worker,
            "epoch": self.epoch,
            "state": self.state,
            "fidelity": None if self.fidelity is None else self.fidelity.value,
            "last_picture_wall": self.last_picture_wall,
            "coverage": None if self.coverage is None else round(self.coverage, 5),
            "open_incidents": self.open_incidents,
        }


@dataclass(frozen=True, slots=True)
class MonitorView:
    """A monitor as it is shown."""

    monitor: str
    streams: int
    watched: int
    degraded: int
    open_incidents: int
    conditions: tuple[Mapping[str, Any], ...] = ()
    """As in the resource's status; none where only Redis is known."""

    @property
    def ready(self) -> bool:
        return self.watched == self.streams

    def as_json(self) -> dict[str, object]:
        return {
            "monitor": self.monitor,
            "streams": self.streams,
            "watched": self.watched,
            "degraded": self.degraded,
            "open_incidents": self.open_incidents,
            "ready": self.ready,
            "conditions": [dict(one) for one in self.conditions],
        }


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A fleet at one instant."""

    redis_ms: int
    workers: tuple[WorkerView, ...]
    streams: tuple[StreamView, ...]
    monitors: tuple[MonitorView, ...]
    incidents: tuple[OpenIncident, ...]
    """Those that are open, the newest first."""
    broken: Mapping[WorkerId, str]
    """Workers of another version, with what to do."""

    def as_json(self) -> dict[str, object]:
        return {
            "workers": [one.as_json() for one in self.workers],
            "streams": [one.as_json() for one in self.streams],
            "monitors": [one.as_json() for one in self.monitors],
        }

    @property
    def all_watched(self) -> bool:
        """Whether there is something to watch, and all of it is."""
        return bool(self.streams) and all(one.state == "watching" for one in self.streams)


def take_snapshot(reader: ReaderStore, monitors: Mapping[str, Any] | None = None) -> Snapshot:
    """Read a fleet. `monitors` are the statuses that its operator wrote, by name, where they are
    known. Raises UnavailableError."""
    return make_snapshot(
        reader.read_fleet(),
        reader.read_specs().values(),
        reader.read_open_incidents(),
        reader.read_coverage(),
        monitors or {},
    )


def make_snapshot(
    seen: FleetSeen,
    specs: Iterable[StreamSpec],
    incidents: Iterable[OpenIncident],
    coverage: Mapping[StreamKey, CoverageTotal],
    monitors: Mapping[str, Any],
) -> Snapshot:
    """Put together what was read."""
    newest = sorted(incidents, key=lambda one: (one.onset_ms, one.id), reverse=True)
    counts = Counter(one.stream for one in newest)
    owners = _owners(seen)
    streams = tuple(
        _view_stream(spec, owners.get(spec.stream), coverage.get(spec.stream), counts[spec.stream])
        for spec in sorted(specs, key=lambda one: one.stream)
    )
    return Snapshot(
        seen.redis_ms,
        tuple(_view_worker(seen.workers[one], seen.redis_ms) for one in sorted(seen.workers)),
        streams,
        tuple(_view_monitors(streams, monitors)),
        tuple(newest),
        seen.broken,
    )


def _owners(seen: FleetSeen) -> dict[StreamKey, tuple[WorkerId, StreamRow]]:
    """Who watches each stream: who claimed it last, or opens it while nobody has; the dead do not
    watch."""
    owners: dict[StreamKey, tuple[WorkerId, StreamRow]] = {}
    for worker, table in seen.tables.items():
        known = seen.workers.get(worker)
        if known is None or known.is_dead(seen.redis_ms):
            continue
        for row in table.rows:
            before = owners.get(row.stream)
            if before is None or _rank(row) > _rank(before[1]):
                owners[row.stream] = worker, row
    return owners


def _rank(row: StreamRow) -> tuple[bool, int]:
    return row.claimed, row.epoch


def _view_stream(
    spec: StreamSpec,
    owner: tuple[WorkerId, StreamRow] | None,
    total: CoverageTotal | None,
    open_incidents: int,
) -> StreamView:
    coverage = None if total is None else total.coverage
    if owner is None:
        return StreamView(spec.stream, None, None, UNASSIGNED, None, None, coverage, open_incidents)
    worker, row = owner
    is_reduced = _FIDELITIES.index(row.fidelity) > _FIDELITIES.index(spec.mode)
    return StreamView(
        spec.stream,
        worker,
        row.epoch,
        row.state,
        row.fidelity,
        row.last_picture_wall,
        coverage,
        open_incidents,
        row.error,
        row.lag_s,
        row.state == "watching" and is_reduced,
    )


def _view_worker(seen: WorkerSeen, redis_ms: int) -> WorkerView:
    beat = seen.beat
    state = "ready" if beat.ready else "starting"
    if beat.draining:
        state = "draining"
    if seen.is_dead(redis_ms):
        state = "dead"
    return WorkerView(
        beat.worker, beat.pid, state, beat.streams, beat.load_cores, beat.capacity_cores
    )


def _view_monitors(
    streams: Iterable[StreamView], written: Mapping[str, Any]
) -> Iterable[MonitorView]:
    by_monitor: dict[str, list[StreamView]] = {key: [] for key in written}
    for one in streams:
        parts = stream_parts(one.stream)
        by_monitor.setdefault(f"{parts.namespace}/{parts.monitor}", []).append(one)
    for key in sorted(by_monitor):
        own = by_monitor[key]
        status = written.get(key) or {}
        yield MonitorView(
            key,
            len(own),
            sum(one.state == "watching" for one in own),
            sum(one.is_reduced for one in own),
            sum(one.open_incidents for one in own),
            tuple(status.get("conditions") or ()),
        )
