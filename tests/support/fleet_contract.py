"""A fleet in a real Redis, and what travels through it: a test says only what matters to it."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from itertools import count

from streammonitor_api.events import EventKind
from streammonitor_api.fleet.records import (
    Assign,
    FleetEvent,
    Heartbeat,
    NotifyTarget,
    StreamSpec,
)
from streammonitor_api.fleet.scripts import Scripts
from streammonitor_api.fleet.store import (
    NotifierStore,
    OperatorStore,
    ReaderStore,
    WorkerStore,
)
from streammonitor_api.names import (
    Epoch,
    FleetName,
    Incarnation,
    StreamKey,
    Term,
    WorkerId,
    new_incarnation,
)
from tests.support.builders import NOON_S, an_event, an_incident

STREAM = StreamKey("prod/sports/ch4")

_numbers = count()


@dataclass(frozen=True)
class Fleet:
    """A fleet in a Redis, seen from all sides."""

    name: FleetName
    scripts: Scripts
    operator: OperatorStore
    reader: ReaderStore

    def worker(self, name: str, incarnation: Incarnation | None = None) -> WorkerStore:
        incarnation = incarnation or new_incarnation()
        return WorkerStore(self.scripts, self.name, WorkerId(name), incarnation)

    def notifier(self, consumer: str) -> NotifierStore:
        return NotifierStore(self.scripts, self.name, consumer)


def fleet_in(scripts: Scripts) -> Fleet:
    name = FleetName(f"test-{next(_numbers)}")
    return Fleet(name, scripts, OperatorStore(scripts, name), ReaderStore(scripts, name))


def take_ownership(
    fleet: Fleet, term: Term, worker: WorkerStore, stream: StreamKey = STREAM
) -> Epoch:
    """Assign a stream to a worker and claim it; returns the epoch."""
    written = fleet.operator.assign(term, worker.worker, [Assign(stream, "r")])
    epoch = written.epochs[stream]
    worker.claim(stream, epoch)
    return epoch


def a_spec(stream: StreamKey = STREAM, url: str = "http://origin/ch4.m3u8") -> StreamSpec:
    return StreamSpec(stream=stream, url=url, detectors=())


def a_heartbeat(worker: WorkerStore, *, table_serial: int = 0) -> Heartbeat:
    return Heartbeat(
        worker=worker.worker,
        incarnation=worker.incarnation,
        capacity_cores=4.0,
        table_serial=table_serial,
    )


def a_told(
    kind: EventKind = "opened",
    revision: int = 1,
    *,
    epoch: int = 1,
    incident: str = "a1",
    detector: str = "video-freeze",
    onset_s: float = 5.0,
    recovery_s: float | None = None,
    at_s: float | None = None,
    stream: StreamKey = STREAM,
    notify: tuple[NotifyTarget, ...] = (),
) -> FleetEvent:
    """An event with what makes it a fleet's; times are seconds after `builders.NOON_S`."""
    seen = an_incident(detector, stream=stream, onset_s=onset_s, recovery_s=recovery_s)
    seen = replace(seen, id=incident, evidence={"empty": [], "text": 'a "quoted" ü'})
    event = an_event(kind, seen, at_s=onset_s + 2 * revision if at_s is None else at_s)
    return FleetEvent(
        stream=stream, epoch=Epoch(epoch), revision=revision, event=event, notify=notify
    )


def seconds_since_noon() -> float:
    """Where now lies on the time axis of `a_told`."""
    return time.time() - NOON_S
