"""What is to be written, in an order that is right wherever it is cut off.

Specs go before the assignments that name them, and streams are removed after their assignments.
Everything stays to be written until Redis has said that it took it; all of it may be written twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Protocol, TypeVar

from streammonitor_api.events import Event
from streammonitor_api.fleet.records import (
    AssignmentChange,
    Assignments,
    AssignmentsWritten,
    Claim,
    CoverageTotal,
    FleetEvent,
    FleetSeen,
    Gap,
    NotifyTarget,
    OpenIncident,
    OperatorSeen,
    StreamSpec,
)
from streammonitor_api.incident import wall_time
from streammonitor_api.names import Epoch, StreamKey, Term, WorkerId
from streammonitor_operator.state import State

HOLD_EVERY_MS = 2_000
"""How often the operator says that it is alive while it writes nothing else: where neither it nor
a worker was heard for 3 s, Redis was away."""
COVERAGE_EVERY_MS = 60_000
"""Within this all totals are written once: what a lost operator's successor misses at most."""
FEW_COVERAGE_EVERY_MS = 5_000
"""The same for up to FEWEST_TOTALS streams, and in proportion for more: `status` shows them."""
FEWEST_TOTALS = 50
"""So few totals are not worth a call of their own more often than needed."""
WORKERS_A_CALL = 64
SPECS_A_CALL = 500
"""Pieces of the work: what is written counts, and a spec takes 2 to 5 KB on its way."""
NO_LONGER_WANTED = "the stream is no longer wanted"
"""As workers say it: whoever of both is first closes what is open."""

T = TypeVar("T")


class Writes(Protocol):
    """The writing calls of OperatorStore that are used here."""

    def hold_term(self, term: Term, *, restored: bool = True) -> int: ...
    def put_specs(self, term: Term, specs: Iterable[StreamSpec]) -> None: ...
    def assign_many(
        self, term: Term, changes: Mapping[WorkerId, Sequence[AssignmentChange]]
    ) -> dict[WorkerId, AssignmentsWritten]: ...
    def forget_streams(
        self, term: Term, streams: Mapping[StreamKey, Sequence[FleetEvent]]
    ) -> None: ...
    def open_gaps(self, term: Term, gaps: Iterable[Gap]) -> None: ...
    def close_gaps(self, term: Term, ends: Mapping[StreamKey, int]) -> list[Gap]: ...
    def put_coverage(self, term: Term, totals: Mapping[StreamKey, CoverageTotal]) -> None: ...


class Store(Writes, Protocol):
    """The calls of OperatorStore that the loop uses."""

    def start_term(
        self, identity: str, name: str, *, above: int = 0, restoring: bool = False
    ) -> Term: ...
    def read_operator(self) -> OperatorSeen | None: ...
    def read_assignments(self) -> dict[WorkerId, Assignments]: ...
    def read_epochs(self) -> dict[StreamKey, Epoch]: ...
    def read_claims(self) -> dict[StreamKey, Claim]: ...
    def read_coverage(self) -> dict[StreamKey, CoverageTotal]: ...
    def read_open_gaps(self) -> dict[StreamKey, Gap]: ...
    def read_fleet(self, tables: Mapping[WorkerId, int]) -> FleetSeen: ...
    def forget_workers(self, term: Term, workers: list[WorkerId]) -> set[WorkerId]: ...
    def restore_incidents(
        self, term: Term, still_open: Iterable[OpenIncident], closed: Iterable[FleetEvent]
    ) -> int: ...
    def restore_epochs(
        self, term: Term, unwanted: Mapping[StreamKey, Epoch], over: Mapping[StreamKey, Epoch]
    ) -> None: ...


@dataclass(slots=True)
class Writer:
    """Writes what the state says is to be written."""

    state: State
    store: Writes
    _held_ms: int = 0
    _totals_ms: int = 0
    _rota: list[StreamKey] = field(default_factory=list)
    """Streams whose totals are still to be written in this round."""

    def write(self, term: Term, now_ms: int, now: float) -> None:
        """Write everything; raises what the store raises, and then goes on with the rest later."""
        wrote = self._write_specs(term)
        wrote |= self._write_orders(term, now_ms)
        wrote |= self._forget(term, now)
        wrote |= self._write_gaps(term)
        wrote |= self._write_totals(term, now_ms)
        if not wrote and now_ms - self._held_ms >= HOLD_EVERY_MS:
            self.store.hold_term(term)
            wrote = True
        if wrote:
            self._held_ms = now_ms

    def _write_specs(self, term: Term) -> bool:
        unwritten = list(self.state.unwritten_specs)
        wanted = self.state.wanted
        if not unwritten:
            return False
        for some in _pieces(unwritten, SPECS_A_CALL):
            self.store.put_specs(term, [wanted[one].spec for one in some if one in wanted])
            for stream in some:
                del self.state.unwritten_specs[stream]
        return True

    def _write_orders(self, term: Term, now_ms: int) -> bool:
        """Write the orders, and those that follow from what Redis answered."""
        ledger = self.state.ledger
        wrote = False
        for _ in range(2):
            for workers in _pieces(list(ledger.orders), WORKERS_A_CALL):
                changes = ledger.take_orders(workers)
                answers = self.store.assign_many(term, changes)
                for worker, answer in answers.items():
                    ledger.written(worker, changes[worker], answer, now_ms)
                wrote = True
        return wrote

    def _forget(self, term: Term, now: float) -> bool:
        """Remove what nobody wants, and close what is open on it: it was cancelled."""
        pending = {one for changes in self.state.ledger.orders.values() for one in changes}
        gone = [one for one in self.state.forgotten if one not in pending]
        if not gone:
            return False
        incidents = self.state.incidents
        closing = {
            stream: [
                _cancelled(one, self.state.forgotten[stream], now)
                for one in incidents.get(stream, {}).values()
            ]
            for stream in gone
        }
        self.store.forget_streams(term, closing)
        for stream in gone:
            del self.state.forgotten[stream]
            incidents.pop(stream, None)
        return True

    def _write_gaps(self, term: Term) -> bool:
        coverage = self.state.coverage
        if not coverage.opened and not coverage.closed:
            return False
        # Where one gap ended and the next began since, the end has to be written first.
        earlier = {
            stream: end_ms
            for stream, end_ms in coverage.closed.items()
            if stream in coverage.opened and coverage.opened[stream].from_ms >= end_ms
        }
        self._close_gaps(term, earlier)
        if coverage.opened:
            self.store.open_gaps(term, coverage.opened.values())
            coverage.opened.clear()
        self._close_gaps(term, dict(coverage.closed))
        return True

    def _close_gaps(self, term: Term, ends: Mapping[StreamKey, int]) -> None:
        if ends:
            self.store.close_gaps(term, ends)
            for stream in ends:
                del self.state.coverage.closed[stream]

    def _write_totals(self, term: Term, now_ms: int) -> bool:
        """Write some of the totals in each cycle, so that all are written once in a while."""
        if not self._rota:
            calls = -(-len(self.state.wanted) // FEWEST_TOTALS)
            if now_ms - self._totals_ms < min(COVERAGE_EVERY_MS, calls * FEW_COVERAGE_EVERY_MS):
                return False
            self._rota = list(self.state.wanted)
            self._totals_ms = now_ms
        share = max(FEWEST_TOTALS, len(self.state.wanted) // 100)
        some = self._rota[-share:]
        totals = self.state.coverage.totals(some, now_ms)
        if totals:
            self.store.put_coverage(term, totals)
        del self._rota[-share:]
        return bool(totals)

    def renew(self) -> None:
        """Redis lost what it held: have the totals written soon."""
        self._rota = list(self.state.wanted)


def _cancelled(one: OpenIncident, notify: tuple[NotifyTarget, ...], now: float) -> FleetEvent:
    """The end of an incident on a stream that nobody wants watched any longer."""
    revision = one.revision + 1
    evidence = {**one.event.incident.evidence, "cancelled": NO_LONGER_WANTED}
    incident = replace(one.event.incident, recovery=None, duration_s=None, evidence=evidence)
    event = Event("closed", wall_time(now), incident, revision)
    return FleetEvent(
        stream=one.stream, epoch=one.epoch, revision=revision, event=event, notify=notify
    )


def _pieces(items: Sequence[T], size: int) -> Iterator[list[T]]:
    remaining = iter(items)
    while piece := list(islice(remaining, size)):
        yield piece
