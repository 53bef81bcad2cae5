"""All that the operator knows, in memory: plain data that the steps of a cycle share.

What is here is either wanted (from the inventory), seen (from heartbeats) or decided; everything
but the decisions' epochs can be rebuilt from Redis or, where Redis lost it, from the workers.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace

from streammonitor_api.fleet.records import (
    CoverageTotal,
    FleetEvent,
    Gap,
    NotifyTarget,
    OpenIncident,
    StreamRow,
    Withdraw,
)
from streammonitor_api.names import Epoch, IncidentId, StreamKey, WorkerId
from streammonitor_operator.coverage import Coverage, reason_unwatched
from streammonitor_operator.handover import NO_EPOCH, Ownership, Phase
from streammonitor_operator.inventory import Inventory, MonitorKey, Wanted
from streammonitor_operator.ledger import Ledger
from streammonitor_operator.placement import Placement
from streammonitor_operator.roster import Roster
from streammonitor_operator.weights import Usuals, Weight, weight_of

MOST_CLOSED = 10_000
"""Incidents whose end is remembered: 20 MB, and a quarter of an hour of a fleet with one on each of
100,000 streams every three hours."""


@dataclass(slots=True)
class Found:
    """What an operator that starts finds in Redis, until the streams are fed that it is about."""

    ownerships: dict[StreamKey, Ownership] = field(default_factory=dict)
    surplus: dict[StreamKey, tuple[WorkerId, ...]] = field(default_factory=dict)
    """Workers that have an assignment of the stream and should not."""
    rebuilt: set[StreamKey] = field(default_factory=set)
    """Streams whose owner is known from its heartbeat alone."""
    revisions: dict[StreamKey, str] = field(default_factory=dict)
    """Of the specs that the assignments name."""
    epochs: dict[StreamKey, Epoch] = field(default_factory=dict)
    """Of streams that are not wanted: the highest that each had."""
    lowest_epoch: Epoch = NO_EPOCH
    """Of streams without one: Redis lost them, and whoever knew them may be asleep."""
    coverage: dict[StreamKey, CoverageTotal] = field(default_factory=dict)
    gaps: dict[StreamKey, Gap] = field(default_factory=dict)

    @property
    def streams(self) -> set[StreamKey]:
        """All that Redis holds anything of, but epochs, which outlive their streams."""
        return {*self.ownerships, *self.coverage, *self.gaps, *self.surplus}

    @property
    def workers(self) -> set[WorkerId]:
        """All that have assignments."""
        owners = {one.owner for one in self.ownerships.values()}
        targets = {one.target for one in self.ownerships.values()}
        return {one for one in owners | targets if one is not None}


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that happened, for the log: one line that begins with what it is about."""

    level: int
    """As in `logging`."""
    text: str


@dataclass(slots=True)
class State:
    """What is known; the modules of the cycle change it in turn."""

    inventory: Inventory
    wanted: dict[StreamKey, Wanted] = field(default_factory=dict)
    placement: Placement = field(default_factory=Placement)
    roster: Roster = field(default_factory=Roster)
    coverage: Coverage = field(default_factory=Coverage)
    found: Found = field(default_factory=Found)
    widowed: dict[WorkerId, None] = field(default_factory=dict)
    """Dead workers whose streams have not been given to others: there was nobody to take them."""
    incidents: dict[StreamKey, dict[IncidentId, OpenIncident]] = field(default_factory=dict)
    """Open ones."""
    closed: dict[IncidentId, tuple[int, FleetEvent]] = field(default_factory=dict)
    """How incidents ended that were closed lately, and when, for a Redis that comes back older."""
    pictures: dict[StreamKey, tuple[str, int]] = field(default_factory=dict)
    """When its worker last had a picture of a stream, by the worker's clock, and when that was
    first told, by Redis'."""
    stalled: set[StreamKey] = field(default_factory=set)
    """Streams that are said to be watched, and have had no picture for too long."""
    unwritten_specs: dict[StreamKey, None] = field(default_factory=dict)
    forgotten: dict[StreamKey, tuple[NotifyTarget, ...]] = field(default_factory=dict)
    """Streams that are not wanted any more and have not been removed from Redis, with whom to tell
    that their incidents are closed."""
    dirty: dict[MonitorKey, int] = field(default_factory=dict)
    """Monitors whose status may have changed, and since when (Redis' clock, ms)."""
    notices: list[Notice] = field(default_factory=list)
    """What happened in this cycle."""
    weights_changed: bool = False
    guessed: set[StreamKey] = field(default_factory=set)
    """Streams whose weight was not measured yet."""
    usuals: Usuals = field(default_factory=Usuals)
    ledger: Ledger = field(init=False)

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.placement, self.wanted)

    def want(self, stream: StreamKey, wanted: Wanted, now_ms: int) -> None:
        """A stream is wanted: with the owner that it has been found to have, if any."""
        found, ledger = self.found, self.ledger
        self.wanted[stream] = wanted
        self.forgotten.pop(stream, None)
        weight = weight_of(wanted.spec, None, None, self.usuals.of(wanted.spec))
        ledger.add(stream, weight.cores, wanted.spec.priority)
        self.guessed.add(stream)
        self.coverage.begin(
            stream, now_ms, found.coverage.pop(stream, None), found.gaps.pop(stream, None)
        )
        epoch = found.epochs.pop(stream, found.lowest_epoch)
        for worker in found.surplus.pop(stream, ()):
            ledger.order(worker, Withdraw(stream))
        ownership = self._settled(found.ownerships.pop(stream, None), now_ms)
        if ownership is None:
            ledger.restore(Ownership(stream, highest_epoch=epoch, since_ms=now_ms))
            self.unwritten_specs[stream] = None
            return
        ledger.restore(ownership)
        self.weigh(stream, self.row(stream))
        if found.revisions.pop(stream, None) != wanted.revision:
            self.unwritten_specs[stream] = None
            ledger.renew(stream)

    def unwant(self, stream: StreamKey, now_ms: int) -> None:
        """A stream is not wanted any more."""
        wanted = self.wanted[stream]
        self.found.epochs[stream] = self.ledger[stream].highest
        self.ledger.remove(stream, now_ms)
        self.coverage.end(stream)
        self.unwritten_specs.pop(stream, None)
        self.pictures.pop(stream, None)
        self.stalled.discard(stream)
        self.guessed.discard(stream)
        self.forgotten[stream] = wanted.spec.notify
        del self.wanted[stream]
        self.soil(wanted.monitor, now_ms)

    def remember_closed(self, told: FleetEvent, now_ms: int) -> None:
        """An incident was closed."""
        name = IncidentId(told.event.incident.id)
        self.closed.pop(name, None)
        self.closed[name] = now_ms, told
        while len(self.closed) > MOST_CLOSED:
            del self.closed[next(iter(self.closed))]

    def closed_since(self, since_ms: int) -> list[FleetEvent]:
        """How incidents ended that were closed from then on; what is older is forgotten."""
        self.closed = {name: one for name, one in self.closed.items() if one[0] >= since_ms}
        return [told for _, told in self.closed.values()]

    def prune(self) -> None:
        """Have what was found of streams removed that nobody wants any more."""
        found = self.found
        for stream in found.streams:
            ownership = found.ownerships.get(stream)
            holders = [] if ownership is None else [ownership.owner, ownership.target]
            for worker in (*found.surplus.get(stream, ()), *holders):
                if worker is not None:
                    self.ledger.order(worker, Withdraw(stream))
            self.forgotten[stream] = ()
        self.found = Found(epochs=found.epochs, lowest_epoch=found.lowest_epoch)

    def _settled(self, ownership: Ownership | None, now_ms: int) -> Ownership | None:
        """What was found, as far as the workers that it names may still live."""
        if ownership is None or ownership.owner is None:
            return None
        seats = self.placement.seats
        if ownership.target is not None and ownership.target not in seats:
            self.ledger.order(ownership.target, Withdraw(ownership.stream))
            ownership = replace(ownership, phase=Phase.WATCHED, target=None, overlap_s=0.0)
        if ownership.owner not in seats:
            for worker in (ownership.owner, ownership.target):
                if worker is not None:
                    self.ledger.order(worker, Withdraw(ownership.stream))
            return None
        return replace(ownership, since_ms=now_ms)

    def row(self, stream: StreamKey) -> StreamRow | None:
        """What the owner of a stream last told of it; None where it has none that lives."""
        ownership = self.ledger.get(stream)
        if ownership is None or ownership.owner is None:
            return None
        if not self.roster.is_alive(ownership.owner):
            return None
        return self.roster[ownership.owner].rows.get(stream)

    def weigh(self, stream: StreamKey, row: StreamRow | None) -> None:
        """Plan with what a stream costs by its worker's latest word."""
        before = self.placement[stream].weight_cores
        self._plan_with(stream, row, self._known(stream))
        self.weights_changed |= self.placement[stream].weight_cores != before

    def change(self, stream: StreamKey, wanted: Wanted) -> None:
        """What is wanted of a stream has changed."""
        before, after = (
            (one.url, one.mode, one.renditions) for one in (self.wanted[stream].spec, wanted.spec)
        )
        self.wanted[stream] = wanted
        known = self._known(stream) if after == before else None
        self._plan_with(stream, self.row(stream), known)

    def _known(self, stream: StreamKey) -> Weight:
        return Weight(self.placement[stream].weight_cores, stream not in self.guessed)

    def _plan_with(self, stream: StreamKey, row: StreamRow | None, known: Weight | None) -> None:
        spec = self.wanted[stream].spec
        weight = weight_of(spec, row, known, self.usuals.of(spec))
        if not weight.is_measured:
            self.guessed.add(stream)
        elif stream in self.guessed:
            self.guessed.discard(stream)
            self.usuals.learn(spec, weight.cores, row)
        placed = self.placement[stream]
        if (weight.cores, spec.priority) != (placed.weight_cores, placed.priority):
            self.placement.put_stream(stream, weight.cores, spec.priority)

    def assess(self, stream: StreamKey, now_ms: int, since_ms: int | None = None) -> None:
        """Judge whether a stream is watched, after anything about it changed.

        `since_ms` is when it ceased to be, where that is known to be earlier than now.
        """
        wanted = self.wanted.get(stream)
        if wanted is None or stream not in self.coverage:
            return
        ownership = self.ledger[stream]
        reason = reason_unwatched(
            ownership,
            self.row(stream),
            self.roster.is_alive(ownership.owner),
            self.coverage[stream].reason,
            is_stalled=stream in self.stalled,
        )
        self.coverage.note(stream, reason, now_ms if since_ms is None else since_ms)
        self.soil(wanted.monitor, now_ms)

    def notice(self, text: str, level: int = logging.INFO) -> None:
        """Have something logged."""
        self.notices.append(Notice(level, text))

    def soil(self, monitor: MonitorKey, now_ms: int) -> None:
        """Have the status of a monitor looked at."""
        self.dirty.setdefault(monitor, now_ms)
