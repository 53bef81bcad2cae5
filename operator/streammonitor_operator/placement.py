"""Who is to watch what, with the sums that the planner needs: plain data, kept up to date in place.

A seat is a worker as the planner sees it. Every change costs what it touches and no more, so one
stream or one worker among 100,000 and 2,000 is cheap. Nothing here decides; `planner` does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from types import MappingProxyType
from typing import NamedTuple

from streammonitor_api.names import StreamKey, WorkerId

LEAST_WEIGHT_CORES = 0.001
"""Below this a stream counts as this much: a thread and a connection are never for nothing, and
streams that were measured at zero still spread by number."""


class Standing(IntEnum):
    """What may be placed on a worker. A lower value is preferred when there is no choice."""

    OPEN = 0
    """Takes streams."""
    SHUT = 1
    """Keeps what it has and takes nothing new: it says that it is not ready."""
    LEAVING = 2
    """What it has is moved away: it drains, or has not been ready for long."""


@dataclass(slots=True)
class Seat:
    """A live worker: what it can give, and what it has been given."""

    worker: WorkerId
    capacity_cores: float
    standing: Standing = Standing.OPEN
    load_cores: float = 0.0
    streams: set[StreamKey] = field(default_factory=set)

    @property
    def relative_load(self) -> float:
        return self.load_cores / self.capacity_cores


@dataclass(slots=True)
class Placed:
    """A wanted stream, and where it sits. `worker` is None while no live worker has it."""

    weight_cores: float
    priority: int
    worker: WorkerId | None = None


Avoided = Mapping[StreamKey, Collection[WorkerId]]
"""Workers that have just failed to watch a stream; chosen for it only when there is no other."""


class Seating(NamedTuple):
    """A decision: this stream is to be watched by that worker."""

    stream: StreamKey
    worker: WorkerId


@dataclass(frozen=True, slots=True)
class Limits:
    """How many streams may be moved now: in all, and to one worker.

    Moves that are under way have been taken off already. A stream that `may_move` refuses stays. A
    worker whose load is not known (`is_known`) yet is left out where the balance is looked at.
    """

    moves: int
    arrivals: Callable[[WorkerId], int] = lambda _: 1_000_000
    may_move: Callable[[StreamKey], bool] = lambda _: True
    is_known: Callable[[WorkerId], bool] = lambda _: True


class Placement:
    """All seats and all streams. Keys have to exist where a method names one; KeyError if not."""

    def __init__(self) -> None:
        self._seats: dict[WorkerId, Seat] = {}
        self._streams: dict[StreamKey, Placed] = {}
        self._unplaced: dict[StreamKey, None] = {}
        self.demand_cores = 0.0
        self._by_priority: dict[int, list[float]] = {}
        """How many streams have a priority, and what they weigh together."""

    @property
    def seats(self) -> Mapping[WorkerId, Seat]:
        return MappingProxyType(self._seats)

    @property
    def unplaced(self) -> tuple[StreamKey, ...]:
        """Streams that sit nowhere, in the order in which they came."""
        return tuple(self._unplaced)

    def __len__(self) -> int:
        """How many streams there are."""
        return len(self._streams)

    def __contains__(self, stream: StreamKey) -> bool:
        return stream in self._streams

    def __getitem__(self, stream: StreamKey) -> Placed:
        return self._streams[stream]

    def __iter__(self) -> Iterator[StreamKey]:
        return iter(self._streams)

    def capacity_cores(self) -> float:
        """What the workers that take streams can give together."""
        return sum(
            seat.capacity_cores for seat in self._seats.values() if seat.standing is Standing.OPEN
        )

    @property
    def is_overloaded(self) -> bool:
        """Whether all streams at full fidelity need more than the open workers can give."""
        return self.demand_cores > self.capacity_cores()

    def put_worker(
        self, worker: WorkerId, capacity_cores: float, standing: Standing = Standing.OPEN
    ) -> None:
        """Add a worker, or change what it can give. `capacity_cores` is above 0."""
        if not 0 < capacity_cores < math.inf:
            raise ValueError(f"{worker}: capacity must be above 0 cores, got {capacity_cores}")
        seat = self._seats.get(worker)
        if seat is None:
            self._seats[worker] = Seat(worker, capacity_cores, standing)
        else:
            seat.capacity_cores, seat.standing = capacity_cores, standing

    def drop_worker(self, worker: WorkerId) -> list[StreamKey]:
        """Take a worker away; its streams sit nowhere then, and are returned."""
        orphans = sorted(self._seats.pop(worker).streams)
        for stream in orphans:
            self._streams[stream].worker = None
            self._unplaced[stream] = None
        return orphans

    def put_stream(self, stream: StreamKey, weight_cores: float, priority: int = 0) -> None:
        """Add a stream that is wanted, or change its weight or priority; it stays where it sits."""
        weight = _weight(weight_cores)
        placed = self._streams.get(stream)
        if placed is None:
            self._streams[stream] = Placed(weight, priority)
            self._unplaced[stream] = None
            self._sum_up(priority, weight, 1)
            return
        self._sum_up(placed.priority, -placed.weight_cores, -1)
        self._sum_up(priority, weight, 1)
        if placed.worker is not None:
            self._seats[placed.worker].load_cores += weight - placed.weight_cores
        placed.weight_cores, placed.priority = weight, priority

    def drop_stream(self, stream: StreamKey) -> None:
        """Forget a stream that is no longer wanted."""
        self.lift(stream)
        del self._unplaced[stream]
        placed = self._streams.pop(stream)
        self._sum_up(placed.priority, -placed.weight_cores, -1)

    def affordable_priority(self) -> int | None:
        """The lowest priority down to which all streams together can be watched in full; None
        where not even those of the highest can."""
        left, lowest = self.capacity_cores(), None
        for priority in sorted(self._by_priority, reverse=True):
            left -= self._by_priority[priority][1]
            if left < 0:
                break
            lowest = priority
        return lowest

    def _sum_up(self, priority: int, weight: float, count: int) -> None:
        sums = self._by_priority.setdefault(priority, [0, 0.0])
        sums[0] += count
        sums[1] += weight
        if not sums[0]:
            del self._by_priority[priority]
        self.demand_cores = self.demand_cores + weight if self._by_priority else 0.0

    def lift(self, stream: StreamKey) -> None:
        """Take a stream from where it sits; it sits nowhere then."""
        placed = self._streams[stream]
        if placed.worker is None:
            return
        seat = self._seats[placed.worker]
        seat.streams.remove(stream)
        # An empty seat weighs nothing at all: rounding errors do not add up over months.
        seat.load_cores = seat.load_cores - placed.weight_cores if seat.streams else 0.0
        placed.worker = None
        self._unplaced[stream] = None

    def sit(self, stream: StreamKey, worker: WorkerId) -> None:
        """Put a stream on a worker, from wherever it sits."""
        placed, seat = self._streams[stream], self._seats[worker]
        if placed.worker is not None:
            self.lift(stream)
        del self._unplaced[stream]
        placed.worker = worker
        seat.streams.add(stream)
        seat.load_cores += placed.weight_cores


def _weight(weight_cores: float) -> float:
    """A weight that can be added up: finite, and never nothing."""
    if not math.isfinite(weight_cores):
        raise ValueError(f"a weight must be a finite number of cores, got {weight_cores}")
    return max(weight_cores, LEAST_WEIGHT_CORES)
