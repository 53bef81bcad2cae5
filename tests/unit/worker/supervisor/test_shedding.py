"""Who is watched less closely when there is too little capacity."""

from __future__ import annotations

from streammonitor_api.fidelity import Fidelity
from streammonitor_worker.supervisor.shedding import (
    FIRST_TRIAL_S,
    ROOM_SHARE,
    SETTLE_S,
    Load,
    Shedding,
)

COST = {Fidelity.FULL: 1.0, Fidelity.ADAPTIVE: 0.15, Fidelity.KEYFRAMES: 0.1}


class Worker:
    """Streams that cost what their fidelity says."""

    def __init__(self, capacity_cores: float, priorities: dict[str, int], cores: float) -> None:
        self.shedding = Shedding(capacity_cores)
        self.capacity_cores = capacity_cores
        self.priorities = priorities
        self.cores = cores
        self.now = 0.0

    def fidelity(self, stream: str) -> Fidelity:
        return self.shedding.limits.get(stream, Fidelity.FULL)

    @property
    def used(self) -> float:
        return sum(self.cores * COST[self.fidelity(one)] for one in self.priorities)

    def live(self, seconds: float) -> list[dict[str, Fidelity]]:
        changes = []
        for _ in range(round(seconds / 0.5)):
            late = 3.0 if self.used > self.capacity_cores else 0.0
            streams = {
                one: Load(
                    priority,
                    Fidelity.FULL,
                    min(self.cores, self.cores * COST[self.fidelity(one)]),
                    self.cores,
                    late,
                )
                for one, priority in self.priorities.items()
            }
            if changed := self.shedding.choose(self.now, streams):
                changes.append(changed)
            self.now += 0.5
        return changes


def test_enough_capacity_lowers_nobody() -> None:
    assert Worker(2.0, dict.fromkeys("abcd", 0), 0.4).live(60) == []


def test_least_important_are_lowered_and_only_as_many_as_needed() -> None:
    worker = Worker(2.0, {"a": 10, "b": 0, "c": 5, "d": 0, "e": 10}, 0.5)

    worker.live(2 * SETTLE_S)

    assert {one for one in "abcde" if worker.fidelity(one) is not Fidelity.FULL} == {"b", "d"}
    assert worker.used <= worker.capacity_cores


def test_everything_is_lowered_before_anything_is_left_out() -> None:
    worker = Worker(0.2, dict.fromkeys("abcd", 0), 0.5)

    worker.live(20 * SETTLE_S)

    assert {worker.fidelity(one) for one in "abcd"} == {Fidelity.KEYFRAMES}


def test_most_important_is_raised_first_when_there_is_room() -> None:
    worker = Worker(1.0, {"a": 1, "b": 2, "c": 3}, 0.5)
    worker.live(3 * SETTLE_S)
    assert worker.fidelity("b") is not Fidelity.FULL
    assert worker.fidelity("a") is not Fidelity.FULL
    worker.cores = 0.2

    changes = worker.live(60 + 4 * FIRST_TRIAL_S)

    assert next(iter(changes[0])) == "b"
    assert worker.shedding.limits == {}
    assert worker.used <= ROOM_SHARE * worker.capacity_cores


def test_what_does_not_fit_is_not_tried_again_and_again() -> None:
    worker = Worker(1.0, {"a": 0, "b": 1, "c": 2}, 0.45)

    changes = worker.live(600)

    assert len(changes) <= 3
