"""Which streams have to move so that no worker has much more than its share: as few as will do.

A part of `planner`, with its rules. In order: workers above the tolerance give to the least loaded;
workers far below the mean are filled; and in overload the streams that matter most are spread, so
that what is lowered is what matters least, on whichever worker it sits.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable

from streammonitor_api.names import StreamKey, WorkerId
from streammonitor_operator.placement import Avoided, Limits, Placement, Seat, Seating, Standing

TOLERANCE = 0.05
"""How far above the mean a worker may be before streams are moved away from it: the 5 % at which
simulations moved half of what an even balance needs, while no worker was over 1.05 of the mean."""

LOW_WATER = 0.5
"""A worker below this share of the mean is given streams although nobody is above the tolerance:
in a fleet of more than 20, one worker more does not push the others over it, and would otherwise
stay idle until new streams come."""

_TAKERS_TRIED = 8
"""How many workers are asked for one that has too much: the least loaded may be too small for its
streams, or have failed them. A bound, as each question looks at all of its streams."""


def rebalance(
    placement: Placement, limits: Limits, avoided: Avoided | None = None
) -> list[Seating]:
    """Move as few streams as bring every worker within the tolerance, and no worker to idleness.

    A move that would not leave both workers clearly better off is not made, so what is as even as
    its weights allow stays as it is. Workers are compared whose loads are known: a guess beside a
    measurement looks like too much or too little, and what is moved for it is moved back.
    """
    seats = [
        seat
        for seat in placement.seats.values()
        if seat.standing is Standing.OPEN and limits.is_known(seat.worker)
    ]
    if limits.moves <= 0 or len(seats) < 2:
        return []
    balance = _Round(placement, seats, limits, avoided or {})
    mean = sum(seat.load_cores for seat in seats) / sum(seat.capacity_cores for seat in seats)
    balance.relieve(mean * (1 + TOLERANCE))
    balance.fill(mean)
    balance.spread_important()
    return balance.moves


_Ranked = tuple[float, WorkerId, Seat]


class _Round:
    """One round, with loads as they will be when its moves are done."""

    def __init__(
        self, placement: Placement, seats: list[Seat], limits: Limits, avoided: Avoided
    ) -> None:
        self.moves: list[Seating] = []
        self._placement, self._seats = placement, seats
        self._limits, self._avoided = limits, avoided
        self._loads = {seat.worker: seat.load_cores for seat in seats}
        self._gone: set[StreamKey] = set()
        self._arrived: dict[WorkerId, int] = {}
        self._overloaded = placement.is_overloaded
        lowest = placement.affordable_priority() if self._overloaded else None
        self._lowest = math.inf if lowest is None else lowest
        """In overload, the lowest priority of those that can all be watched in full."""
        self._kept = dict.fromkeys(self._loads, 0.0)
        """What each worker has of those."""
        if lowest is not None:
            for seat in seats:
                self._kept[seat.worker] = sum(
                    placement[one].weight_cores for one in self._important(seat)
                )

    def relieve(self, limit: float) -> None:
        """Take from those above the limit, fullest first, only what is above it."""
        above = [seat for seat in self._seats if self._relative(seat) > limit]
        above.sort(key=lambda seat: (-self._relative(seat), seat.worker))
        takers = [self._ranked(seat) for seat in self._seats if self._may_arrive(seat)]
        heapq.heapify(takers)
        for giver in above:
            refused: list[Seat] = []
            while self._relative(giver) > limit and takers and not self._is_spent():
                taker = heapq.heappop(takers)[2]
                excess = self._loads[giver.worker] - limit * giver.capacity_cores
                if self._move_one(giver, taker, excess, limit):
                    heapq.heappush(takers, self._ranked(taker))
                    continue
                refused.append(taker)
                if len(refused) >= _TAKERS_TRIED:
                    break
            for taker in refused:
                heapq.heappush(takers, self._ranked(taker))

    def fill(self, mean: float) -> None:
        """Bring those far below the mean up to the low water, from the fullest."""
        low = [seat for seat in self._seats if self._relative(seat) < mean * LOW_WATER]
        if not low:
            return
        givers = [(-self._relative(seat), seat.worker, seat) for seat in self._seats]
        heapq.heapify(givers)
        for taker in sorted(low, key=lambda seat: (self._relative(seat), seat.worker)):
            while givers and self._may_arrive(taker) and not self._is_spent():
                wanted = mean * LOW_WATER * taker.capacity_cores - self._loads[taker.worker]
                giver = givers[0][2]
                if wanted <= 0 or self._relative(giver) <= mean:
                    break
                spare = self._loads[giver.worker] - mean * giver.capacity_cores
                heapq.heappop(givers)
                if self._move_one(giver, taker, min(wanted, spare), mean):
                    heapq.heappush(givers, (-self._relative(giver), giver.worker, giver))

    def spread_important(self) -> None:
        """In overload, give no worker more of the streams that can all be watched in full than it
        can watch in full itself."""
        kept = self._kept
        givers = [seat for seat in self._seats if kept[seat.worker] > seat.capacity_cores]
        for giver in sorted(givers, key=lambda seat: seat.worker):
            while kept[giver.worker] > giver.capacity_cores and not self._is_spent():
                taker = min(
                    self._seats,
                    key=lambda seat: (kept[seat.worker] / seat.capacity_cores, seat.worker),
                )
                room = self._spare(taker)
                excess = kept[giver.worker] - giver.capacity_cores
                stream = self._choose(self._important(giver), taker, excess, room)
                if stream is None:
                    break
                self._move(stream, giver, taker)

    def _move_one(self, giver: Seat, taker: Seat, amount: float, limit: float) -> bool:
        """Move one stream, if one would leave both clearly better off."""
        if giver is taker:
            return False
        before = self._relative(giver)
        room = taker.capacity_cores * max(limit, before * (1 - TOLERANCE))
        stream = self._choose(giver.streams, taker, amount, room - self._loads[taker.worker])
        if stream is None:
            return False
        self._move(stream, giver, taker)
        return True

    def _choose(
        self, streams: Iterable[StreamKey], taker: Seat, amount: float, room: float
    ) -> StreamKey | None:
        """The stream that settles it alone if there is one, else the largest that fits.

        In overload the least important ones first: the others are where they belong.
        """
        if not self._may_arrive(taker):
            return None
        best: tuple[int, bool, float, StreamKey] | None = None
        for stream in streams:
            placed = self._placement[stream]
            weight = placed.weight_cores
            if weight > room or not self._may_move(stream, taker):
                continue
            if placed.priority >= self._lowest and weight > self._spare(taker):
                continue
            settles = weight >= amount
            rank = placed.priority if self._overloaded else 0
            candidate = (rank, not settles, weight if settles else -weight, stream)
            if best is None or candidate < best:
                best = candidate
        return None if best is None else best[3]

    def _move(self, stream: StreamKey, giver: Seat, taker: Seat) -> None:
        weight = self._placement[stream].weight_cores
        self._loads[giver.worker] -= weight
        self._loads[taker.worker] += weight
        if self._placement[stream].priority >= self._lowest:
            self._kept[giver.worker] -= weight
            self._kept[taker.worker] += weight
        self._gone.add(stream)
        self._arrived[taker.worker] = self._arrived.get(taker.worker, 0) + 1
        self.moves.append(Seating(stream, taker.worker))

    def _spare(self, seat: Seat) -> float:
        return seat.capacity_cores - self._kept[seat.worker]

    def _important(self, seat: Seat) -> list[StreamKey]:
        placement, lowest = self._placement, self._lowest
        return [stream for stream in seat.streams if placement[stream].priority >= lowest]

    def _ranked(self, seat: Seat) -> _Ranked:
        return self._relative(seat), seat.worker, seat

    def _relative(self, seat: Seat) -> float:
        return self._loads[seat.worker] / seat.capacity_cores

    def _may_arrive(self, taker: Seat) -> bool:
        return self._arrived.get(taker.worker, 0) < self._limits.arrivals(taker.worker)

    def _may_move(self, stream: StreamKey, taker: Seat) -> bool:
        return (
            stream not in self._gone
            and taker.worker not in self._avoided.get(stream, ())
            and self._limits.may_move(stream)
        )

    def _is_spent(self) -> bool:
        return len(self.moves) >= self._limits.moves
