"""The one loop: read once, decide, write. Every cycle sees one `now`, and everything it needs.

A cycle is incremental: it reads all heartbeats, but only the tables and monitors that changed, and
touches only the streams that these are about. It may be cut off anywhere, by a Redis that is away
or by its own death: what was decided stays to be written, and what was written is continued from.

Redis away: nothing is decided, as nothing is known; the next cycle tries again. Redis that lost its
data (LostError): a new term, then, when the workers have beaten again, everything is written anew
from memory, and nothing moves. An operator that starts on such a Redis takes the owners from the
workers' tables. An operator whose term is older than another's stops and says so (FencedError).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum, auto

from streammonitor_api.errors import FencedError, LostError, UnavailableError
from streammonitor_api.fleet.records import (
    DEAD_AFTER_S,
    FleetSeen,
    Withdraw,
    Written,
)
from streammonitor_api.names import Epoch, StreamKey, Term, WorkerId
from streammonitor_operator.beginning import claimed_epochs, find_claimed, find_owners
from streammonitor_operator.inventory import Changes, Inventory
from streammonitor_operator.observing import Observer
from streammonitor_operator.reporting import Events, Reporter, Update
from streammonitor_operator.scheduling import Scheduler
from streammonitor_operator.state import Found, Notice, State
from streammonitor_operator.writing import Store, Writer

TICK_S = 0.5
"""Between cycles when nothing calls for one: a heartbeat."""
SHORTEST_TICK_S = 0.05
GATHER_MS = 1_500
"""On a Redis that knows of no assignments, three heartbeats are waited for before anything is
decided: workers may be watching already, and new ones come together."""
SETTLE_MS = int(DEAD_AFTER_S * 1000)
"""After Redis lost its data: the longest that workers are waited for which were alive before."""
AUDIT_EVERY_MS = 30_000
"""How often all claims and open gaps are compared with what is believed: a request that was not
answered may be carried out late. 100,000 claims take a third of a second."""
REPEATED_EVERY_MS = 10_000
"""How often that is done at most, by a Redis that answers now and then."""
RESTORED_MS = 1_200_000
"""What was closed so lately is told to a Redis that lost it: workers tell again what they know of
the last 15 minutes, and not all of them know that it was over."""


class Mode(StrEnum):
    """What the loop is at."""

    STARTING = auto()
    """It has no term yet, or has to take a new one."""
    SETTLING = auto()
    """It has a term, and waits for heartbeats before it decides anything."""
    RUNNING = auto()
    AWAY = auto()
    """Redis could not be used in the last cycle."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a cycle came to."""

    mode: Mode
    updates: tuple[Update, ...] = ()
    """Statuses to be written where the monitors come from."""
    again_s: float = TICK_S
    """When the next cycle is due, if nothing calls for one earlier."""
    problem: str | None = None
    """Why Redis cannot be used."""
    notices: tuple[Notice, ...] = ()
    """What happened, for the log."""


class Reconciler:
    """The loop's body. `step` is one cycle; it must not run twice at the same time."""

    def __init__(
        self, inventory: Inventory, store: Store, events: Events, *, identity: str, name: str
    ) -> None:
        """`identity` names the fleet's home, `name` this process; see OperatorStore.start_term."""
        self.state = State(inventory)
        self.mode = Mode.STARTING
        self.term: Term | None = None
        self.redis_ms = 0
        """Redis' clock, when it was last read."""
        self.redis_is_up = False
        self.cycles = 0
        self.cycle_s = 0.0
        """Time spent in cycles, waiting for Redis included."""
        self._store, self._identity, self._name = store, identity, name
        self._observer = Observer(self.state)
        self.scheduler = Scheduler(self.state)
        self._writer = Writer(self.state, store)
        self.reporter = Reporter(self.state, events)
        self._changes = Changes()
        self._has_lost = False
        """Redis lost its data while this operator ran: all of it is in memory."""
        self._found_none = False
        """Redis knew of no assignments when this operator began."""
        self._away = True
        """Redis did not answer in the last cycle, or this is the first."""
        self._written = Written()
        """How far what is written had got when Redis was last read."""
        self._settled_from_ms = self._audited_ms = self._repeated_ms = 0
        self._is_repeating = False
        """Assignments are to be written again as soon as that may be."""
        self._is_restored = False
        """All that Redis lost is written back with this cycle: workers may be believed again."""
        self._unheard_terms = 0
        """Requests for a term that Redis did not answer."""
        self._broken: dict[WorkerId, str] = {}

    def step(self, now: float) -> Outcome:
        """Run one cycle. `now` is this machine's wall clock, for what people read.

        Raises FencedError when another operator has taken over: end then. Everything else is
        answered by trying again.
        """
        self._changes.add(self.state.inventory.take_changes())
        began = time.perf_counter()
        try:
            outcome = self._step_unless_fenced(now)
            self.redis_is_up = True
        except (LostError, UnavailableError) as error:
            self.redis_is_up = False
            outcome = self._wait(error, now)
        self.cycles += 1
        self.cycle_s += time.perf_counter() - began
        notices, self.state.notices = tuple(self.state.notices), []
        return replace(outcome, notices=notices)

    def _step_unless_fenced(self, now: float) -> Outcome:
        try:
            return self._step(now)
        except FencedError:
            # A request for a term that was not answered may be carried out late, and fence us.
            holder = self._store.read_operator() if self._unheard_terms else None
            ours = holder is not None and (holder.identity, holder.name) == (
                self._identity,
                self._name,
            )
            if holder is None or not ours:
                raise
            self._unheard_terms -= 1
            self.term = holder.term
            self._is_restored = self.mode is Mode.RUNNING
            return Outcome(self.mode, again_s=SHORTEST_TICK_S)

    def _take_term(self) -> Term:
        try:
            # Where Redis knows nothing the first claims may be of owners that were succeeded.
            restoring = self._has_lost or self._store.read_operator() is None
            return self._store.start_term(
                self._identity, self._name, above=self.term or 0, restoring=restoring
            )
        except UnavailableError:
            self._unheard_terms += 1
            raise

    def _wait(self, error: UnavailableError, now: float) -> Outcome:
        """Redis cannot be used, or lost its data: what to do about it in the next cycle."""
        self._away = True
        if isinstance(error, LostError):
            self.mode = Mode.STARTING
            self._has_lost = bool(len(self.state.ledger) or self.state.found.epochs)
            return Outcome(Mode.AWAY, again_s=SHORTEST_TICK_S, problem=str(error))
        updates = self.reporter.report_outage(str(error), self.redis_ms, now)
        return Outcome(Mode.AWAY, tuple(updates), problem=str(error))

    def _step(self, now: float) -> Outcome:
        if self.mode is Mode.STARTING:
            self._start()
        seen = self._look()
        self.reporter.end_outage(self.redis_ms)
        self._tell_broken(seen)
        for worker, incarnation in self._changes.gone_workers.items():
            self.state.roster.lose(worker, incarnation)
        self._changes.gone_workers.clear()
        arrivals = self.state.roster.look(seen)
        if self.mode is Mode.SETTLING and not self._settle(seen):
            self._observer.hold_back(arrivals)
            return Outcome(self.mode, again_s=TICK_S / 2)
        # Nothing that may fail stands between a look and what it means: it is not shown twice.
        self._observer.take_in(arrivals, self.redis_ms)
        self._take_changes()
        # Before streams are forgotten: what is open on them has to be closed.
        self.reporter.read_incidents(self.redis_ms)
        if self.redis_ms - self._audited_ms >= AUDIT_EVERY_MS:
            self._audited_ms = self.redis_ms
            self._observer.audit(self._store.read_claims(), self.redis_ms)
            self.state.coverage.audit(self._store.read_open_gaps().values())
        self._observer.take_back(self.redis_ms)
        self.scheduler.schedule(
            self.redis_ms, topology_changed=self._observer.take_topology_change()
        )
        self._assess_touched()
        assert self.term is not None  # noqa: S101  narrows the type
        self._writer.write(self.term, self.redis_ms, now)
        if self._is_restored:
            self._store.hold_term(self.term)
            self._is_restored = False
        self._forget_workers(self.term)
        self._assess_touched()
        updates = self.reporter.report(self.redis_ms, now)
        return Outcome(self.mode, tuple(updates), self._next_s())

    def _start(self) -> None:
        """Take a term, and read what there is to continue from."""
        self.term = self._take_term()
        if not self._has_lost and not len(self.state.ledger):
            self._find()
        elif self._has_lost:
            ledger = self.state.ledger
            # Before any claim is taken: that is when workers were heard.
            self._restore(self.term, {stream: ledger[stream].over for stream in ledger})
        self._written = Written()
        self.reporter.restart()
        self._away, self.mode = True, Mode.SETTLING

    def _find(self) -> None:
        """Read what an operator before this one left."""
        store, found = self._store, Found()
        found.epochs = store.read_epochs()
        found.coverage, found.gaps = store.read_coverage(), store.read_open_gaps()
        assignments = store.read_assignments()
        find_owners(found, assignments, store.read_claims())
        self.state.found, self._found_none = found, not assignments

    def _look(self) -> FleetSeen:
        """Read the fleet, and make sure that what is missing was not lost by Redis."""
        roster = self.state.roster
        seen = self._store.read_fleet(roster.serials())
        self.redis_ms = seen.redis_ms
        # Redis may have been away, and come back older, between two cycles.
        is_older = seen.written.is_before(self._written)
        self._away |= is_older
        if self._away and self.mode is Mode.RUNNING and self.term is not None:
            ledger = self.state.ledger
            over = {stream: ledger[stream].over for stream in ledger} if is_older else {}
            self._restore(self.term, over)
            self.reporter.restart()
            self._is_repeating = self._is_restored = True
            if is_older:
                self._withdraw_strays()
        self._written = seen.written
        if self._away:
            roster.redis_was_away(seen.redis_ms)
            self._settled_from_ms = seen.redis_ms
            self._away = False
            for worker in self.state.found.workers:
                roster.expect(worker)
        elif self.term is not None and any(
            name not in seen.workers for name, one in roster.workers.items() if not one.is_dead
        ):
            self._store.hold_term(self.term, restored=self.mode is Mode.RUNNING)
        if self._is_repeating:
            self._repeat_assignments()
        return seen

    def _restore(self, term: Term, over: Mapping[StreamKey, Epoch]) -> None:
        """Write back what nobody may know any more if Redis lost it: incidents of owners that are
        dead or asleep, epochs of streams that nobody wants, and those that are over."""
        still_open = [one for some in self.state.incidents.values() for one in some.values()]
        closed = self.state.closed_since(self.redis_ms - RESTORED_MS)
        restored = self._store.restore_incidents(term, still_open, closed)
        self._store.restore_epochs(term, self.state.found.epochs, over)
        if restored:
            self.state.notice(f"Redis lost {restored} incidents; written back", logging.WARNING)

    def _settle(self, seen: FleetSeen) -> bool:
        """Whether everybody had the time to beat; then what is known is put together."""
        waited_ms = seen.redis_ms - self._settled_from_ms
        if not self.state.inventory.is_complete:
            return False
        if self._has_lost:
            silent = any(one.seen_ms < self._settled_from_ms for one in self.state.roster.alive())
            if silent and waited_ms < SETTLE_MS:
                return False
            self._renew()
            self._withdraw_strays()
        else:
            if not self.state.found.ownerships and waited_ms < GATHER_MS:
                return False
            self._find_claimed(seen)
        if self.term is not None:
            held = claimed_epochs(self.state.roster)
            over = {stream: Epoch(epoch - 1) for stream, epoch in held.items()}
            self._store.restore_epochs(self.term, {}, over)
            self._is_restored = True
        self.mode, self._has_lost = Mode.RUNNING, False
        self._observer.reseat(seen.redis_ms)
        return True

    def _find_claimed(self, seen: FleetSeen) -> None:
        """Take from workers what Redis does not know."""
        found = self.state.found
        find_claimed(found, self.state.roster)
        if self._found_none and found.rebuilt:
            # Others may be asleep that hold what nobody here can know. Epochs are handed out
            # less than once a second, so this is above all of them.
            found.lowest_epoch = Epoch(seen.redis_ms // 1000)

    def _withdraw_strays(self) -> None:
        """Redis came back older: take back what was withdrawn since, before it is claimed."""
        ledger, self._repeated_ms = self.state.ledger, 0
        for worker, some in self._store.read_assignments().items():
            for stream in some.by_stream:
                owned = ledger.get(stream)
                if owned is not None and worker not in (owned.owner, owned.target):
                    ledger.order(worker, Withdraw(stream))

    def _repeat_assignments(self) -> None:
        """Write them again after an outage: another Redis may have taken over that did not have
        the last of them. What is there already is left as it is."""
        if self.redis_ms - self._repeated_ms >= REPEATED_EVERY_MS:
            self._repeated_ms, self._is_repeating = self.redis_ms, False
            for stream in self.state.ledger:
                self.state.ledger.renew(stream)

    def _renew(self) -> None:
        """Have everything written again that Redis lost."""
        state = self.state
        for stream in state.ledger:
            state.unwritten_specs[stream] = None
            state.ledger.renew(stream)
        state.found.revisions.clear()  # of streams that come later: their specs are lost as well
        state.coverage.renew()
        self._writer.renew()

    def _take_changes(self) -> None:
        """Take in what changed of what is wanted."""
        changes = self._changes
        self._changes = Changes()
        for stream in changes.streams:
            self._take_stream(stream)
        for monitor in changes.ended_monitors:
            self.reporter.forget(monitor)
        for monitor in changes.monitors:
            self.state.soil(monitor, self.redis_ms)
        self.state.prune()

    def _take_stream(self, stream: StreamKey) -> None:
        state, now_ms = self.state, self.redis_ms
        wanted, known = state.inventory.streams.get(stream), state.wanted.get(stream)
        if wanted is None:
            if known is not None:
                state.unwant(stream, now_ms)
            return
        if known is None:
            state.want(stream, wanted, now_ms)
        else:
            state.change(stream, wanted)
            if wanted.revision != known.revision:
                state.unwritten_specs[stream] = None
                state.ledger.renew(stream)

    def _assess_touched(self) -> None:
        ledger = self.state.ledger
        for stream in list(ledger.touched):
            if stream in ledger:
                self.state.assess(stream, self.redis_ms)
        ledger.touched.clear()

    def _forget_workers(self, term: Term) -> None:
        old = self.state.roster.forgettable(self.redis_ms)
        old = [one for one in old if one not in self.state.widowed]
        if not old:
            return
        for worker in self._store.forget_workers(term, old):
            self.state.roster.forget(worker)
            self.state.ledger.drop_orders(worker)

    def _tell_broken(self, seen: FleetSeen) -> None:
        """Say once what workers cannot be understood: they are of another version."""
        for worker, problem in seen.broken.items():
            if self._broken.get(worker) != problem:
                self.state.notice(f"{worker}: {problem}", logging.ERROR)
        self._broken = dict(seen.broken)

    def _next_s(self) -> float:
        """At the next heartbeat, or when the first worker that is silent would be dead."""
        if self.state.ledger.orders:
            return SHORTEST_TICK_S
        deadlines = [one.alive_ms for one in self.state.roster.alive()]
        if not deadlines:
            return TICK_S
        due_s = (min(deadlines) - self.redis_ms) / 1000 + DEAD_AFTER_S
        return min(TICK_S, max(SHORTEST_TICK_S, due_s + 0.005))
