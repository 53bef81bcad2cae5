"""What is wanted: the monitors and their streams, as plain data, fed by whoever knows them.

In a cluster kopf's handlers feed it, on one machine a folder of files does. Feeding is level-based:
`put_monitor` says how a monitor is now, as often as one likes, and what did not change costs
nothing. Nothing is decided here; `reconcile` takes what changed.

It may be fed from another thread than the one that reconciles.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import NewType

from streammonitor_api.fleet.records import StreamSpec
from streammonitor_api.names import Incarnation, StreamKey, WorkerId, stream_parts
from streammonitor_api.plan import DetectorPlan
from streammonitor_operator.status import Fault, Status

MOST_PLANS = 1_000
"""Different plans that are remembered, to be shared by streams."""

MonitorKey = NewType("MonitorKey", str)
"""`namespace/name` of a StreamMonitor: what the keys of its streams begin with."""


def monitor_of(stream: StreamKey) -> MonitorKey:
    parts = stream_parts(stream)
    return MonitorKey(f"{parts.namespace}/{parts.monitor}")


@dataclass(frozen=True, slots=True)
class Monitor:
    """A StreamMonitor as it is now.

    `specs` are all of its streams that can be watched; one with a fault that leaves some streams
    out (a missing Secret) names the fault and the rest.
    """

    key: MonitorKey
    generation: int
    specs: tuple[StreamSpec, ...]
    suspended: bool = False
    fault: Fault | None = None
    uid: str = ""
    """Another one says that it was deleted and made anew: it has no status yet."""
    last_status: Status | None = field(default=None, compare=False)
    """As the resource has it: an operator that starts writes only what differs from that."""

    @property
    def wanted(self) -> tuple[StreamSpec, ...]:
        return () if self.suspended else self.specs


@dataclass(frozen=True, slots=True)
class Wanted:
    """A stream that is to be watched."""

    spec: StreamSpec
    revision: str
    """Of the spec; computed once, as it takes longer than all else that is done with it."""
    monitor: MonitorKey


@dataclass(slots=True)
class Changes:
    """What differs since it was last asked."""

    streams: dict[StreamKey, None] = field(default_factory=dict)
    """Streams that came, changed or went: look them up."""
    monitors: dict[MonitorKey, None] = field(default_factory=dict)
    ended_monitors: dict[MonitorKey, None] = field(default_factory=dict)
    """Monitors that were deleted, be it that there is another one of the name now."""
    gone_workers: dict[WorkerId, Incarnation | None] = field(default_factory=dict)
    """Workers that are known to have died, before their heartbeat tells."""

    def add(self, later: Changes) -> None:
        """Put what changed since on top."""
        self.streams.update(later.streams)
        self.monitors.update(later.monitors)
        self.ended_monitors.update(later.ended_monitors)
        self.gone_workers.update(later.gone_workers)

    def __bool__(self) -> bool:
        return bool(self.streams or self.monitors or self.gone_workers)


class Inventory:
    """All monitors and their streams. `on_change` is called with each change: it wakes the loop."""

    def __init__(self, on_change: Callable[[], None] = lambda: None) -> None:
        self.on_change = on_change
        self.is_complete = False
        """Whether everything that was there at the start has been fed: see `complete`."""
        self._monitors: dict[MonitorKey, Monitor] = {}
        self._streams: dict[StreamKey, Wanted] = {}
        self._changes = Changes()
        self._plans: dict[str, tuple[DetectorPlan, ...]] = {}
        self._lock = threading.Lock()

    @property
    def monitors(self) -> Mapping[MonitorKey, Monitor]:
        return MappingProxyType(self._monitors)

    @property
    def streams(self) -> Mapping[StreamKey, Wanted]:
        """The streams that are wanted: those of suspended monitors are not among them."""
        return MappingProxyType(self._streams)

    def put_monitor(self, monitor: Monitor) -> None:
        """Say how a monitor is now."""
        before = self._monitors.get(monitor.key)
        if before == monitor:
            return
        wanted = {spec.stream: spec for spec in monitor.wanted}
        with self._lock:
            if before is not None and before.uid != monitor.uid:
                self._changes.ended_monitors[monitor.key] = None
            self._monitors[monitor.key] = monitor
            self._changes.monitors[monitor.key] = None
            for stream in _streams_of(before):
                if stream not in wanted:
                    self._drop(stream)
            for stream, spec in wanted.items():
                self._put(stream, spec, monitor.key)
        self.on_change()

    def drop_monitor(self, key: MonitorKey) -> None:
        """Say that a monitor is no more."""
        with self._lock:
            before = self._monitors.pop(key, None)
            if before is None:
                return
            self._changes.monitors[key] = self._changes.ended_monitors[key] = None
            for stream in _streams_of(before):
                self._drop(stream)
        self.on_change()

    def complete(self) -> None:
        """Say that all monitors that exist have been fed. Nothing is decided before.

        Otherwise a stream that Redis knows and nobody has fed yet would be taken for unwanted, and
        workers for idle.
        """
        if not self.is_complete:
            self.is_complete = True
            self.on_change()

    def lose_worker(self, worker: WorkerId, incarnation: Incarnation | None = None) -> None:
        """Say that a worker has died: its pod was deleted, its node is gone, its process exited.

        Without `incarnation`, whichever is known of it now.
        """
        with self._lock:
            self._changes.gone_workers[worker] = incarnation
        self.on_change()

    def take_changes(self) -> Changes:
        """What changed since the last call; from now on it counts as seen."""
        with self._lock:
            changes, self._changes = self._changes, Changes()
        return changes

    def _put(self, stream: StreamKey, spec: StreamSpec, monitor: MonitorKey) -> None:
        before = self._streams.get(stream)
        if before is not None and before.spec == spec:
            return
        self._streams[stream] = Wanted(self._shared(spec), spec.revision, monitor)
        self._changes.streams[stream] = None

    def _shared(self, spec: StreamSpec) -> StreamSpec:
        """The same spec, with a plan that it shares with all that have an equal one: a plan takes
        5 KB, and in most fleets there are few."""
        if len(self._plans) > MOST_PLANS:
            self._plans.clear()
        plan = self._plans.setdefault(repr(spec.detectors), spec.detectors)
        return spec if plan is spec.detectors else replace(spec, detectors=plan)

    def _drop(self, stream: StreamKey) -> None:
        del self._streams[stream]
        self._changes.streams[stream] = None


def _streams_of(monitor: Monitor | None) -> Iterable[StreamKey]:
    return () if monitor is None else [spec.stream for spec in monitor.wanted]
