"""Which worker is to watch which stream: one pure function a question.

Placement is sticky: a stream moves only because its worker died (`place_streams`), leaves
(`empty_leaving`) or has clearly more than its share (`rebalance`). Survivors never move because
another worker died. Each function reads a `Placement` and returns seatings; nothing is changed
here, no clock is read, and the same data gives the same answer.

Where a stream goes: to the worker that would then be least loaded for its capacity, heaviest
stream first (Graham's LPT rule, for machines of different speed). Hashing schemes move two to three
times as much and leave the fullest worker 15-30 % above the mean; the measurements are in
`bench/planner.py`.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from streammonitor_api.names import StreamKey, WorkerId
from streammonitor_operator.placement import Placement, Seat, Standing

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

Avoided = Mapping[StreamKey, Collection[WorkerId]]
"""Workers that have just failed to watch a stream; chosen for it only when there is no other."""


class Seating(NamedTuple):
    """A decision: this stream is to be watched by that worker."""

    stream: StreamKey
    worker: WorkerId


@dataclass(frozen=True, slots=True)
class Limits:
    """How many streams may be moved now: in all, and to one worker.

    Moves that are under way have been taken off already. A stream that `may_move` refuses stays.
    """

    moves: int
    arrivals: Callable[[WorkerId], int] = lambda _: 1_000_000
    may_move: Callable[[StreamKey], bool] = lambda _: True


def place_streams(
    placement: Placement, streams: Iterable[StreamKey], avoided: Avoided | None = None
) -> list[Seating]:
    """Give each of these streams, which sit nowhere, a worker: nobody else moves.

    Workers that are not ready, and then those that leave, are used when there are no others: a
    stream goes without a worker only where there is none at all, and the answer is empty then.
    """
    pool = _Pool(_takers(placement))
    if not pool:
        return []
    avoided = avoided or {}
    return [
        Seating(stream, pool.take(weight, avoided.get(stream, ())))
        for weight, stream in _in_order(placement, streams)
    ]


def empty_leaving(
    placement: Placement, limits: Limits, avoided: Avoided | None = None
) -> list[Seating]:
    """Move streams away from workers that leave, most important first, while others take any."""
    leaving = [
        stream
        for seat in placement.seats.values()
        if seat.standing is Standing.LEAVING
        for stream in seat.streams
        if limits.may_move(stream)
    ]
    if not leaving:
        return []
    open_seats = [seat for seat in placement.seats.values() if seat.standing is Standing.OPEN]
    pool = _Pool(open_seats, limits.arrivals)
    avoided = avoided or {}
    leaving.sort(key=lambda stream: (-placement[stream].priority, stream))
    seatings: list[Seating] = []
    for stream in leaving:
        if len(seatings) >= limits.moves or not pool:
            break
        weight = placement[stream].weight_cores
        seatings.append(Seating(stream, pool.take(weight, avoided.get(stream, ()))))
    return seatings


def rebalance(
    placement: Placement, limits: Limits, avoided: Avoided | None = None
) -> list[Seating]:
    """Move as few streams as bring every worker within the tolerance, and no worker to idleness.

    A move that would not leave both workers clearly better off is not made, so what is as even as
    its weights allow stays as it is.
    """
    if limits.moves <= 0:
        return []
    return _Rebalance(placement, limits, avoided or {}).moves()


def is_overloaded(placement: Placement) -> bool:
    """Whether all streams at full fidelity need more than the open workers can give."""
    return placement.demand_cores > placement.capacity_cores()


def _takers(placement: Placement) -> list[Seat]:
    """The seats of the best standing that there is."""
    seats = placement.seats.values()
    best = min((seat.standing for seat in seats), default=Standing.OPEN)
    return [seat for seat in seats if seat.standing is best]


def _in_order(placement: Placement, streams: Iterable[StreamKey]) -> list[tuple[float, StreamKey]]:
    """Streams with their weights, heaviest first, which ends most even. In overload the more
    important come before: each worker then has its share of them, and lowers others' fidelity."""
    ordered = [(-placement[stream].weight_cores, stream) for stream in streams]
    ordered.sort()
    if is_overloaded(placement):
        ordered.sort(key=lambda one: -placement[one[1]].priority)
    return [(-weight, stream) for weight, stream in ordered]


_Entry = tuple[float, WorkerId, float, float]
"""Relative load, worker, load and capacity in cores."""


class _Pool:
    """Workers to choose from, least loaded first, as they will be once all that was taken sits.

    Which one would be least loaded with the stream on it depends on the stream's weight as soon
    as capacities differ. So workers of nearly the same capacity share a heap, and the best of the
    heaps' tops is chosen.
    """

    _STEPS_AN_OCTAVE = 8
    """Capacities within 9 % share a heap: few heaps, and a choice that is nowhere far from best."""

    def __init__(
        self, seats: Iterable[Seat], arrivals: Callable[[WorkerId], int] | None = None
    ) -> None:
        self._arrivals = arrivals
        self._taken: dict[WorkerId, int] = {}
        heaps: dict[int, list[_Entry]] = {}
        for seat in seats:
            if arrivals is not None and arrivals(seat.worker) <= 0:
                continue
            size = round(math.log2(seat.capacity_cores) * self._STEPS_AN_OCTAVE)
            heaps.setdefault(size, []).append(_entry(seat))
        self._heaps = list(heaps.values())
        for heap in self._heaps:
            heapq.heapify(heap)

    def __bool__(self) -> bool:
        return bool(self._heaps)

    def take(self, weight: float, avoided: Collection[WorkerId] = ()) -> WorkerId:
        """Choose the worker for a stream, and count the stream as its own from now on."""
        if avoided and (chosen := self._take_unless(weight, avoided)):
            return chosen
        heap = self._heaps[0]
        if len(self._heaps) > 1:
            heap = self._best_heap(weight)
        _, worker, load, capacity = heap[0]
        load += weight
        if self._arrivals is None or self._has_room(worker):
            heapq.heapreplace(heap, (load / capacity, worker, load, capacity))
        else:
            heapq.heappop(heap)
            if not heap:
                self._heaps.remove(heap)
        return worker

    def _best_heap(self, weight: float) -> list[_Entry]:
        best, least = self._heaps[0], math.inf
        for heap in self._heaps:
            _, _, load, capacity = heap[0]
            after = (load + weight) / capacity
            if after < least:
                best, least = heap, after
        return best

    def _has_room(self, worker: WorkerId) -> bool:
        """Count one arrival more; whether another one is allowed after it."""
        self._taken[worker] = self._taken.get(worker, 0) + 1
        return self._arrivals is None or self._taken[worker] < self._arrivals(worker)

    def _take_unless(self, weight: float, avoided: Collection[WorkerId]) -> WorkerId | None:
        """Like `take`, with some workers set aside; None when there are no others. Rare."""
        every = self._heaps
        kept = [[entry for entry in heap if entry[1] not in avoided] for heap in every]
        aside = [[entry for entry in heap if entry[1] in avoided] for heap in every]
        for heap in kept:
            heapq.heapify(heap)
        self._heaps = [heap for heap in kept if heap]
        chosen = self.take(weight) if self._heaps else None
        for heap, entries in zip(kept, aside, strict=True):
            for entry in entries:
                heapq.heappush(heap, entry)
        self._heaps = [heap for heap in kept if heap]
        return chosen


def _entry(seat: Seat) -> _Entry:
    return seat.relative_load, seat.worker, seat.load_cores, seat.capacity_cores


_Ranked = tuple[float, WorkerId, Seat]


class _Rebalance:
    """One round: workers above the line give, those below take, with loads as they would become."""

    def __init__(self, placement: Placement, limits: Limits, avoided: Avoided) -> None:
        self._placement, self._limits, self._avoided = placement, limits, avoided
        self._seats = [seat for seat in placement.seats.values() if seat.standing is Standing.OPEN]
        self._loads = {seat.worker: seat.load_cores for seat in self._seats}
        self._gone: set[StreamKey] = set()
        self._arrived: dict[WorkerId, int] = {}
        self._moves: list[Seating] = []

    def moves(self) -> list[Seating]:
        capacity = sum(seat.capacity_cores for seat in self._seats)
        if len(self._seats) < 2 or not capacity:
            return []
        mean = sum(self._loads.values()) / capacity
        self._relieve(mean * (1 + TOLERANCE))
        self._fill(mean)
        return self._moves

    def _relieve(self, limit: float) -> None:
        """Take from those above the limit, fullest first, only what is above it."""
        above = [seat for seat in self._seats if self._relative(seat) > limit]
        above.sort(key=lambda seat: (-self._relative(seat), seat.worker))
        takers = [self._as_taker(seat) for seat in self._seats if self._may_arrive(seat)]
        heapq.heapify(takers)
        for giver in above:
            refused: list[Seat] = []
            while self._relative(giver) > limit and takers and not self._is_spent():
                taker = heapq.heappop(takers)[2]
                excess = self._loads[giver.worker] - limit * giver.capacity_cores
                if self._move_one(giver, taker, excess, limit):
                    heapq.heappush(takers, self._as_taker(taker))
                    continue
                refused.append(taker)
                if len(refused) >= _TAKERS_TRIED:
                    break
            for taker in refused:
                heapq.heappush(takers, self._as_taker(taker))

    def _fill(self, mean: float) -> None:
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

    def _move_one(self, giver: Seat, taker: Seat, amount: float, limit: float) -> bool:
        """Move the stream that settles it alone if there is one, else the largest that helps."""
        if giver is taker or not self._may_arrive(taker):
            return False
        before = self._relative(giver)
        room = taker.capacity_cores * max(limit, before * (1 - TOLERANCE))
        room -= self._loads[taker.worker]
        best: tuple[bool, float, StreamKey] | None = None
        for stream in giver.streams:
            weight = self._placement[stream].weight_cores
            if weight > room or not self._may_move(stream, taker):
                continue
            settles = weight >= amount
            candidate = (not settles, weight if settles else -weight, stream)
            if best is None or candidate < best:
                best = candidate
        if best is None:
            return False
        self._move(best[2], giver, taker)
        return True

    def _move(self, stream: StreamKey, giver: Seat, taker: Seat) -> None:
        weight = self._placement[stream].weight_cores
        self._loads[giver.worker] -= weight
        self._loads[taker.worker] += weight
        self._gone.add(stream)
        self._arrived[taker.worker] = self._arrived.get(taker.worker, 0) + 1
        self._moves.append(Seating(stream, taker.worker))

    def _as_taker(self, seat: Seat) -> _Ranked:
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
        return len(self._moves) >= self._limits.moves
