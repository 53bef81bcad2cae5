"""When the planner is asked what, and how fast its answers are followed.

Streams without a worker are placed in every cycle, all of them at once. Planned moves are limited
in number, for each costs two workers the decoding of a stream for the length of its overlap: a
drain has little time and may hurry, a rebalance may not, and a stream that was moved rests for a
while.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from streammonitor_api.names import StreamKey, WorkerId
from streammonitor_operator.handover import Cue, Phase
from streammonitor_operator.placement import Standing
from streammonitor_operator.planner import (
    Limits,
    Seating,
    empty_leaving,
    place_streams,
    rebalance,
)
from streammonitor_operator.state import State

OPENING_S = 20.0
"""A move is called off when its target has not claimed this long after the overlap: opening a slow
source and waiting for its first key picture takes less than 15 s, or it will not be opened."""
AVOIDED_S = 120.0
"""A worker that could not watch a stream is not chosen for it again before that."""
UNWATCHED_S = 10.0
"""A stream that nobody could watch for so long is moved without an overlap. One that its owner has
just lost comes back in most cases, and is watched by it until the target does."""
SETTLING_S = 20.0
"""A stream that was given to a worker has been measured by then, or will not be soon: 3 s after its
first picture its worker begins to, and says nothing for 6 s."""
REST_S = 60.0
"""A stream is not moved for balance again before that."""
REBALANCE_EVERY_S = 1.0

LEAST_MOVES = 8
MOVED_SHARE = 0.1
"""Streams that are moved for balance at the same time: 10 % of all, at least 8. The fleet decodes
so much more for the length of an overlap; twice the workers are in use after some minutes."""
ARRIVALS_A_CORE = 5
LEAST_ARRIVALS = 4
"""Streams that are on their way to one worker for balance: about what its cores can watch."""
DRAIN_HASTE = 8
"""A drain may send this many times as much to one worker: its pod has a limited time to end, and
in the end the others have the same load, however fast it came."""
NO_LIMIT = 1_000_000


@dataclass(slots=True)
class Scheduler:
    """Asks the planner, and tells the ledger."""

    state: State
    _avoided: dict[StreamKey, dict[WorkerId, int]] = field(default_factory=dict)
    """Workers that have failed a stream, and until when they are avoided."""
    _moved_ms: dict[StreamKey, int] = field(default_factory=dict)
    _balanced_ms: int = -1_000_000
    _unbalanced: bool = True
    _held_back: bool = False
    """Something was not moved as it is still being opened."""

    def schedule(self, now_ms: int, *, topology_changed: bool) -> None:
        """Place what sits nowhere, empty who leaves, and restore the balance."""
        self._unbalanced |= topology_changed or self.state.weights_changed
        self.state.weights_changed = False
        self._call_off_late(now_ms)
        self._forget_old(now_ms)
        if not self.state.roster.alive():
            return
        self._place(now_ms)
        self._drain(now_ms)
        if self._unbalanced and now_ms - self._balanced_ms >= REBALANCE_EVERY_S * 1000:
            self._balanced_ms = now_ms
            self._rebalance(now_ms)

    def _place(self, now_ms: int) -> None:
        unplaced = self.state.placement.unplaced
        if not unplaced:
            return
        for stream, worker in place_streams(self.state.placement, unplaced, self._avoided):
            self.state.ledger.cue(stream, Cue.PLACED, now_ms, chosen=worker)
        self._unbalanced = True

    def _drain(self, now_ms: int) -> None:
        seats = self.state.placement.seats.values()
        if not any(seat.standing is Standing.LEAVING and seat.streams for seat in seats):
            return
        limits = Limits(NO_LIMIT, lambda one: self._arrivals(one, DRAIN_HASTE), self._may_leave)
        for seating in empty_leaving(self.state.placement, limits, self._avoided):
            self._move(seating, now_ms)

    def _rebalance(self, now_ms: int) -> None:
        ledger = self.state.ledger
        moves = max(LEAST_MOVES, int(MOVED_SHARE * len(ledger))) - len(ledger.moving)
        settling = self._settling(now_ms)
        limits = Limits(
            moves,
            self._arrivals,
            lambda one: self._may_move(one, now_ms),
            lambda one: one not in settling,
        )
        self._held_back = bool(settling)
        seatings = rebalance(self.state.placement, limits, self._avoided)
        for seating in seatings:
            self._move(seating, now_ms)
        # What limits held back today is looked at again, as long as anything is on its way.
        self._unbalanced = bool(
            seatings or ledger.moving or self._held_back or self._resting(now_ms)
        )

    def _move(self, seating: Seating, now_ms: int) -> None:
        """Order a move; a stream that nobody watches yet is given to the other at once."""
        stream, worker = seating
        ledger = self.state.ledger
        self._moved_ms[stream] = now_ms
        if ledger[stream].phase is Phase.OPENING:
            ledger.cue(stream, Cue.PLACED, now_ms, chosen=worker)
            return
        overlap_s = self.state.wanted[stream].spec.overlap_s
        if self._is_long_unwatched(stream, now_ms):
            overlap_s = 0.0  # nothing to overlap with, and the target would wait for it for ever
        ledger.cue(stream, Cue.ORDERED, now_ms, chosen=worker, overlap_s=overlap_s)

    def _is_long_unwatched(self, stream: StreamKey, now_ms: int) -> bool:
        row, gap_from_ms = self.state.row(stream), self.state.coverage[stream].gap_from_ms
        if row is not None and row.state == "watching":
            return False
        if gap_from_ms is None:
            return False
        # Whoever has just claimed it had no time to watch it yet.
        since_ms = max(gap_from_ms, self.state.ledger[stream].since_ms)
        return now_ms - since_ms > UNWATCHED_S * 1000

    def _arrivals(self, worker: WorkerId, haste: int = 1) -> int:
        capacity = self.state.placement.seats[worker].capacity_cores
        allowed = haste * max(LEAST_ARRIVALS, int(ARRIVALS_A_CORE * capacity))
        return allowed - self.state.ledger.incoming(worker)

    def _may_leave(self, stream: StreamKey) -> bool:
        return self.state.ledger[stream].phase in (Phase.OPENING, Phase.WATCHED)

    def _may_move(self, stream: StreamKey, now_ms: int) -> bool:
        moved_ms = self._moved_ms.get(stream)
        rested = moved_ms is None or now_ms - moved_ms > REST_S * 1000
        return (
            rested
            and self.state.ledger[stream].phase is Phase.WATCHED
            and not self._is_opening(stream, now_ms)
        )

    def _is_opening(self, stream: StreamKey, now_ms: int) -> bool:
        """Its owner is about to watch it: a move now would only make the gap longer."""
        row = self.state.row(stream)
        young = now_ms - self.state.ledger[stream].since_ms <= OPENING_S * 1000
        opening = young and (row is None or row.state != "watching")
        self._held_back |= opening
        return opening

    def _settling(self, now_ms: int) -> set[WorkerId]:
        """Workers with streams that are about to be measured."""
        state, since_ms = self.state, now_ms - SETTLING_S * 1000
        young = (one for one in state.guessed if state.ledger[one].since_ms >= since_ms)
        found = (state.placement[one].worker for one in young)
        return {worker for worker in found if worker is not None}

    def _resting(self, now_ms: int) -> bool:
        return any(now_ms - moved_ms <= REST_S * 1000 for moved_ms in self._moved_ms.values())

    def _call_off_late(self, now_ms: int) -> None:
        ledger = self.state.ledger
        for stream in ledger.moving:
            ownership = ledger[stream]
            bound_ms = (ownership.overlap_s + OPENING_S) * 1000
            late = ownership.phase is Phase.MOVING and now_ms - ownership.since_ms > bound_ms
            if late and ownership.target is not None:
                self.avoid(stream, ownership.target, now_ms)
                ledger.cue(stream, Cue.TARGET_LATE, now_ms)

    def avoid(self, stream: StreamKey, worker: WorkerId, now_ms: int) -> None:
        """Do not choose a worker for a stream for a while: it has just failed it."""
        until_ms = now_ms + int(AVOIDED_S * 1000)
        self._avoided.setdefault(stream, {})[worker] = until_ms

    def _forget_old(self, now_ms: int) -> None:
        if self._avoided:
            kept = {
                stream: {worker: until for worker, until in some.items() if until > now_ms}
                for stream, some in self._avoided.items()
            }
            self._avoided = {stream: some for stream, some in kept.items() if some}
        if len(self._moved_ms) > 1000 or self._unbalanced:
            self._moved_ms = {
                stream: moved_ms
                for stream, moved_ms in self._moved_ms.items()
                if now_ms - moved_ms <= REST_S * 1000
            }
