"""How fast and how evenly the planner decides, and how much it moves: figures with their seeds.

    PYTHONPATH=api:operator python bench/planner.py [--seeds 5] [--streams 100000] [--workers 2000]

Weights are log-normal (median 0.2 cores, what one 1080p30 stream costs; sigma 0.8, from audio alone
to UHD), cut so that no single stream exceeds a worker's fair share. Times are the worst over the
seeds, of CPU on one core; loads are relative to capacity.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from dataclasses import dataclass

from streammonitor_api.names import StreamKey, WorkerId
from streammonitor_operator.placement import Placement
from streammonitor_operator.planner import Limits, Seating, place_streams, rebalance

NO_LIMIT = Limits(moves=1_000_000)


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the report; `bound` is what has been promised, in the same unit."""

    what: str
    value: float
    bound: float
    unit: str

    @property
    def holds(self) -> bool:
        return self.value <= self.bound


def fleet(seed: int, streams: int, workers: int, *, mixed: bool = False) -> Placement:
    """A fleet from nothing, not yet placed; with `mixed`, workers of 2 to 16 cores."""
    dice = random.Random(seed)
    placement = Placement()
    weights = [dice.lognormvariate(-1.6, 0.8) for _ in range(streams)]
    fair = sum(weights) / workers
    for number in range(workers):
        capacity = dice.choice((2.0, 4.0, 8.0, 16.0)) if mixed else 8.0
        placement.put_worker(WorkerId(f"worker-{number}"), capacity)
    for number, weight in enumerate(weights):
        placement.put_stream(StreamKey(f"ns/monitor-{number}/one"), min(weight, fair))
    return placement


def settle(placement: Placement, seatings: list[Seating]) -> int:
    for stream, worker in seatings:
        placement.sit(stream, worker)
    return len(seatings)


def unevenness(placement: Placement) -> float:
    """The fullest worker's load over the mean, both relative to capacity."""
    seats = placement.seats.values()
    mean = sum(s.load_cores for s in seats) / sum(s.capacity_cores for s in seats)
    return max(seat.relative_load for seat in seats) / mean


def speed(seed: int, streams: int, workers: int, *, mixed: bool) -> dict[str, float]:
    """The large fleet: from nothing, one worker dies, one worker comes."""
    placement = fleet(seed, streams, workers, mixed=mixed)

    began = time.process_time()
    settle(placement, place_streams(placement, placement.unplaced))
    nothing = time.process_time() - began
    even = unevenness(placement)

    victim = random.Random(seed).choice(list(placement.seats))
    before = {stream: placement[stream].worker for stream in placement}
    began = time.process_time()
    orphans = placement.drop_worker(victim)
    settle(placement, place_streams(placement, orphans))
    death = time.process_time() - began
    strays = sum(
        placement[stream].worker != worker for stream, worker in before.items() if worker != victim
    )

    began = time.process_time()
    placement.put_worker(WorkerId("worker-new"), 8.0)
    arrived = settle(placement, rebalance(placement, NO_LIMIT))
    arrival = time.process_time() - began
    return {
        "nothing": nothing, "even": even, "death": death, "strays": strays, "arrival": arrival,
        "arrived": arrived,
    }  # fmt: skip


def moved(seed: int, streams: int = 1000, workers: int = 10) -> dict[str, float]:
    """The small fleet of the comparison: what share of the streams one worker more moves."""
    placement = fleet(seed, streams, workers)
    settle(placement, place_streams(placement, placement.unplaced))
    placement.put_worker(WorkerId("worker-new"), 8.0)
    share = 100 * settle(placement, rebalance(placement, NO_LIMIT)) / streams
    again = len(rebalance(placement, NO_LIMIT))
    return {"share": share, "even": unevenness(placement), "again": again}


def figures(seeds: int, streams: int, workers: int) -> list[Figure]:
    large = [speed(seed, streams, workers, mixed=False) for seed in range(seeds)]
    mixed = [speed(seed, streams, workers, mixed=True) for seed in range(seeds)]
    small = [moved(seed) for seed in range(seeds)]
    both = large + mixed
    return [
        Figure("from nothing", max(run["nothing"] for run in both), 2.0, "s"),
        Figure("one worker dies", 1000 * max(run["death"] for run in both), 50.0, "ms"),
        Figure("one worker comes", 1000 * max(run["arrival"] for run in both), 50.0, "ms"),
        Figure("fullest/mean, equal workers", max(run["even"] for run in large), 1.02, ""),
        Figure("fullest/mean, 2 to 16 cores", max(run["even"] for run in mixed), 1.02, ""),
        Figure("survivors' streams moved", max(run["strays"] for run in both), 0, ""),
        Figure("10 workers + 1: moved", max(run["share"] for run in small), 9.1, "%"),
        Figure("10 workers + 1: mean", statistics.mean(r["share"] for r in small), 9.1, "%"),
        Figure("10 workers + 1: fullest/mean", max(run["even"] for run in small), 1.05, ""),
        Figure("moved again at rest", max(run["again"] for run in small), 0, ""),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--streams", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=2_000)
    asked = parser.parse_args()
    print(f"planner: {asked.streams} streams, {asked.workers} workers, seeds 0..{asked.seeds - 1}")
    report = figures(asked.seeds, asked.streams, asked.workers)
    for one in report:
        verdict = "" if one.holds else "  MISSED"
        print(f"  {one.what:30} {one.value:9.3f} {one.unit:3} (≤ {one.bound:g}){verdict}")
    return 0 if all(one.holds for one in report) else 1


if __name__ == "__main__":
    raise SystemExit(main())
