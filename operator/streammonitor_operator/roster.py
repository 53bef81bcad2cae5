"""Who is there: which workers live, leave or died, from their heartbeats and what else is known.

A worker is dead when no heartbeat came for `DEAD_AFTER_S` of a time in which Redis could take one:
after an outage of Redis everybody has that long again, so a Redis that comes back with old
heartbeats, or none, makes nobody move. It is dead at once when another incarnation of it beats,
when it drained and its
heartbeat is gone, or when whoever runs it saw it die. A worker that was dead and beats again
under the same incarnation was paused; it lives again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from streammonitor_api.fleet.records import (
    DEAD_AFTER_S,
    FleetSeen,
    Heartbeat,
    StreamRow,
    WorkerSeen,
)
from streammonitor_api.names import Incarnation, StreamKey, WorkerId
from streammonitor_operator.placement import Standing

UNREADY_AFTER_S = 10.0
"""A worker that has not been ready for so long is emptied: longer than an engine takes to start
again (1 s), and than a start of the whole worker."""
FORGOTTEN_AFTER_S = 600.0
"""What Redis keeps of a dead worker is removed after this: pods have new names each time. Long
enough to look at what it was, and for one that was only paused."""

_NOT_SEEN = Incarnation("")
"""Of a worker that is only known from its assignments."""


@dataclass(slots=True)
class Worker:
    """A worker that beats or did so lately."""

    beat: Heartbeat
    seen_ms: int
    """When its last heartbeat came, by Redis' clock."""
    alive_ms: int
    """The latest time at which it counts as alive though it need not have beaten: its last
    heartbeat, or the return of Redis."""
    is_dead: bool = False
    died_ms: int = 0
    unready_ms: int | None = None
    """Since when it has not been ready, while it does not drain."""
    rows: dict[StreamKey, StreamRow] = field(default_factory=dict)
    """Its table."""
    serial: int = 0

    @property
    def is_known(self) -> bool:
        """Whether it was ever seen; otherwise it is only known to have assignments."""
        return self.beat.incarnation != _NOT_SEEN

    @property
    def standing(self) -> Standing:
        if self.beat.draining:
            return Standing.LEAVING
        if self.beat.ready:
            return Standing.OPEN
        unready_s = 0.0 if self.unready_ms is None else (self.seen_ms - self.unready_ms) / 1000
        return Standing.LEAVING if unready_s > UNREADY_AFTER_S else Standing.SHUT

    @property
    def state(self) -> str:
        """One word for people: dead, draining, not-ready or ready."""
        if self.is_dead:
            return "dead"
        if self.beat.draining:
            return "draining"
        return "ready" if self.beat.ready else "not-ready"


@dataclass(slots=True)
class Arrivals:
    """What a look at the fleet brought."""

    born: list[WorkerId] = field(default_factory=list)
    """Live now and were not known, or were under another incarnation."""
    revived: list[WorkerId] = field(default_factory=list)
    """Were dead and beat again under the same incarnation: they were paused."""
    died: dict[WorkerId, int] = field(default_factory=dict)
    """Are dead and were alive, or belong to an incarnation that was replaced; with the time of
    their last heartbeat."""
    changed: list[WorkerId] = field(default_factory=list)
    """Alive before and now, with another capacity or standing."""
    told: dict[WorkerId, Mapping[StreamKey, StreamRow]] = field(default_factory=dict)
    """Alive, with a new table; the rows are those of the table before."""


class Roster:
    """All workers. Feed it what Redis shows, in order."""

    def __init__(self) -> None:
        self._workers: dict[WorkerId, Worker] = {}
        self._gone: dict[WorkerId, Incarnation] = {}
        """Incarnations that were seen to die; their late heartbeats count for nothing."""
        self._back_ms = 0

    @property
    def workers(self) -> Mapping[WorkerId, Worker]:
        return MappingProxyType(self._workers)

    def __contains__(self, worker: WorkerId) -> bool:
        return worker in self._workers

    def __getitem__(self, worker: WorkerId) -> Worker:
        return self._workers[worker]

    def is_alive(self, worker: WorkerId | None) -> bool:
        known = None if worker is None else self._workers.get(worker)
        return known is not None and not known.is_dead

    def alive(self) -> list[Worker]:
        return [worker for worker in self._workers.values() if not worker.is_dead]

    def serials(self) -> dict[WorkerId, int]:
        """Of the tables that are known."""
        return {name: worker.serial for name, worker in self._workers.items()}

    def redis_was_away(self, redis_ms: int) -> None:
        """Redis answers again after it did not, or lost what it knew: nobody could beat."""
        self._back_ms = redis_ms
        for worker in self._workers.values():
            worker.serial = 0
            if not worker.is_dead:
                worker.alive_ms = max(worker.alive_ms, redis_ms)

    def expect(self, worker: WorkerId) -> None:
        """A worker that has assignments and has not been seen: it may yet beat. Dead if not."""
        if worker not in self._workers:
            beat = Heartbeat(worker=worker, incarnation=_NOT_SEEN, capacity_cores=1.0, ready=False)
            self._workers[worker] = Worker(beat, self._back_ms, self._back_ms)

    def lose(self, worker: WorkerId, incarnation: Incarnation | None) -> None:
        """Somebody saw this worker die; see `Inventory.lose_worker`."""
        known = self._workers.get(worker)
        if incarnation is None:
            if known is None:
                return
            incarnation = known.beat.incarnation
        self._gone[worker] = incarnation

    def look(self, seen: FleetSeen) -> Arrivals:
        """Take in what Redis shows now."""
        arrivals = Arrivals()
        for name, one in seen.workers.items():
            self._see(name, one, seen.redis_ms, arrivals)
        for name, worker in self._workers.items():
            if not worker.is_dead and self._has_died(name, worker, seen):
                worker.is_dead, worker.died_ms = True, seen.redis_ms
                arrivals.died[name] = worker.seen_ms
        for name, table in seen.tables.items():
            known = self._workers.get(name)
            if known is None or known.is_dead:
                continue
            arrivals.told[name] = known.rows
            known.serial = table.serial
            known.rows = {row.stream: row for row in table.rows}
        return arrivals

    def forgettable(self, redis_ms: int) -> list[WorkerId]:
        """Workers that have been dead for so long that they will not come back."""
        return [
            name
            for name, worker in self._workers.items()
            if worker.is_dead and redis_ms - worker.died_ms > FORGOTTEN_AFTER_S * 1000
        ]

    def forget(self, worker: WorkerId) -> None:
        self._workers.pop(worker, None)
        self._gone.pop(worker, None)

    def _see(self, name: WorkerId, one: WorkerSeen, redis_ms: int, arrivals: Arrivals) -> None:
        known = self._workers.get(name)
        if self._gone.get(name) == one.beat.incarnation:
            if known is not None:
                known.seen_ms = one.seen_ms
            return
        if known is not None and known.beat.incarnation == _NOT_SEEN and not known.is_dead:
            known.beat, known.seen_ms = one.beat, one.seen_ms
            known.alive_ms = max(known.alive_ms, one.seen_ms)
            arrivals.changed.append(name)
            return
        if known is None or known.beat.incarnation != one.beat.incarnation:
            self._begin(name, one, redis_ms, arrivals)
            return
        if one.seen_ms > known.seen_ms or (known.is_dead and not one.is_dead(redis_ms)):
            self._continue(name, known, one, redis_ms, arrivals)

    def _begin(self, name: WorkerId, one: WorkerSeen, redis_ms: int, arrivals: Arrivals) -> None:
        """A worker that was not known, or a new start of one."""
        if self.is_alive(name):
            arrivals.died[name] = self._workers[name].seen_ms
        self._gone.pop(name, None)
        worker = Worker(one.beat, one.seen_ms, max(one.seen_ms, self._back_ms))
        worker.is_dead = redis_ms - worker.alive_ms > DEAD_AFTER_S * 1000
        worker.died_ms = redis_ms
        worker.unready_ms = None if one.beat.ready else one.seen_ms
        self._workers[name] = worker
        if not worker.is_dead:
            arrivals.born.append(name)

    def _continue(
        self, name: WorkerId, known: Worker, one: WorkerSeen, redis_ms: int, arrivals: Arrivals
    ) -> None:
        """Another heartbeat of a worker that is known."""
        before = known.standing, known.beat.capacity_cores
        known.beat, known.seen_ms = one.beat, one.seen_ms
        known.alive_ms = max(known.alive_ms, one.seen_ms)
        if one.beat.ready:
            known.unready_ms = None
        elif known.unready_ms is None:
            known.unready_ms = one.seen_ms
        if known.is_dead:
            if redis_ms - known.alive_ms <= DEAD_AFTER_S * 1000:
                known.is_dead = False
                arrivals.revived.append(name)
        elif before != (known.standing, known.beat.capacity_cores):
            arrivals.changed.append(name)

    def _has_died(self, name: WorkerId, worker: Worker, seen: FleetSeen) -> bool:
        if self._gone.get(name) == worker.beat.incarnation:
            return True
        silent_ms = seen.redis_ms - worker.alive_ms
        if name not in seen.workers and name not in seen.broken and worker.beat.draining:
            return True  # it said goodbye, which only those do that were told to end
        return silent_ms > DEAD_AFTER_S * 1000
