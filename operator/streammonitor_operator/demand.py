"""How many workers are wanted: pure arithmetic, for `/demand` and whoever scales the workers.

    workers wanted = ⌈demand ÷ capacity of a worker × head-room⌉

Demand is what all wanted streams cost at the fidelity asked for, whether they are watched or not.
Streams of suspended monitors are not wanted. What a worker gives is the mean over those that stay:
draining and dead ones are on their way out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from streammonitor_operator.placement import Standing
from streammonitor_operator.state import State

HEAD_ROOM = 1.2
"""What is wanted beyond the demand: one worker of six may fail and the others still watch all at
full fidelity, and a weight may rise by a fifth before somebody is lowered."""
CAPACITY_CORES = 2.0
"""Of a worker, before any was ever seen: the CPU request of the chart's worker pods."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What `/demand` answers. All numbers are finite."""

    workers_wanted: int
    demand_cores: float
    """What all wanted streams cost."""
    capacity_cores: float
    """What the workers that stay can give together."""
    worker_capacity_cores: float
    """What one of them gives, on average; what is expected of one, where there is none."""
    head_room: float
    streams: int
    """Streams that are wanted."""
    workers: int
    """Workers that live and stay."""
    draining: int

    def as_json(self) -> dict[str, float | int]:
        return {
            "workers_wanted": self.workers_wanted,
            "demand_cores": round(self.demand_cores, 3),
            "capacity_cores": round(self.capacity_cores, 3),
            "worker_capacity_cores": round(self.worker_capacity_cores, 3),
            "head_room": self.head_room,
            "streams": self.streams,
            "workers": self.workers,
            "draining": self.draining,
        }


def workers_wanted(demand_cores: float, worker_capacity_cores: float, head_room: float) -> int:
    """Workers that it takes; 0 only where nothing is wanted."""
    if demand_cores <= 0:
        return 0
    exact = demand_cores / worker_capacity_cores * head_room
    # What is a whole number but for rounding is that number: 6 × 0.2 ÷ 1.2 is one worker.
    return max(1, math.ceil(exact - 1e-9 * exact))


def mean_capacity(capacities: Iterable[float], fallback_cores: float) -> float:
    """What a worker gives: the mean of those that there are, or the fallback."""
    known = list(capacities)
    return sum(known) / len(known) if known else fallback_cores


def demand_of(state: State, *, head_room: float, fallback_cores: float) -> Demand:
    """Sum up what is known; `fallback_cores` is what a worker gives where none stays."""
    alive = state.roster.alive()
    staying = [one for one in alive if one.standing is not Standing.LEAVING]
    # A worker that is only known from its assignments says nothing of its capacity yet.
    told = [one.beat.capacity_cores for one in staying if one.is_known]
    capacity = mean_capacity((one for one in told if one > 0), fallback_cores)
    streams = len(state.wanted)
    demand = state.placement.demand_cores if streams else 0.0
    return Demand(
        workers_wanted(demand, capacity, head_room),
        demand,
        sum(told),
        capacity,
        head_room,
        streams,
        len(staying),
        sum(one.beat.draining for one in alive),
    )
