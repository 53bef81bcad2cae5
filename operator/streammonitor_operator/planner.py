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
from collections.abc import Callable, Collection, Iterable

from streammonitor_api.names import StreamKey, WorkerId
from streammonitor_operator.balancing import LOW_WATER, TOLERANCE, rebalance
from streammonitor_operator.placement import Avoided, Limits, Placement, Seat, Seating, Standing

__all__ = [
    "LOW_WATER",
    "TOLERANCE",
    "Avoided",
    "Limits",
    "Seating",
    "empty_leaving",
    "place_streams",
    "rebalance",
]


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
    if placement.is_overloaded:
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
