"""What goes wrong, and when: drawn from a seed before the simulation begins.

Faults come in bouts: one to four that overlap, the last of them over within `BOUT_S`. Between the
bouts there is time to recover, and then calm. So each bout ends with a judgement: everything that
is wanted has to be watched again within the bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from random import Random

BOUT_S = 60.0


class Kind(StrEnum):
    WORKER_DEATH = "worker dies"
    WORKER_LOSS = "worker is lost with its disk"
    WORKER_PAUSE = "worker stands still"
    WORKER_CUT = "worker is cut off from Redis"
    WORKER_TROUBLE = "messages of a worker are lost, late or repeated"
    WORKER_JOIN = "worker comes"
    WORKER_DRAIN = "worker drains"
    ENGINE_DEATH = "engine dies"
    SKEW = "clock of a machine steps"
    REDIS_OUTAGE = "Redis is away"
    REDIS_LOSS = "Redis loses its data"
    REDIS_ROLLBACK = "Redis comes back with data of some seconds ago"
    REDIS_SKEW = "clock of Redis steps"
    OPERATOR_DEATH = "operator dies"
    OPERATOR_PAUSE = "operator stands still"
    OPERATOR_TROUBLE = "messages of the operator are lost, late or repeated"
    OPERATOR_SECOND = "a second operator starts"
    STREAM_CHANGE = "streams come, go and change"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. `pick` chooses its victim, a number from 0 to 1 over what there is then."""

    at: float
    kind: Kind
    lasts_s: float
    pick: float
    size: float
    """From -1 to 1: how far clocks step, how many streams change."""

    @property
    def over_at(self) -> float:
        return self.at + self.lasts_s

    def __str__(self) -> str:
        return f"{self.kind} at {self.at:.1f} s for {self.lasts_s:.1f} s"


_LASTS_S: dict[Kind, tuple[float, float]] = {
    Kind.WORKER_DEATH: (0.5, 20.0),
    Kind.WORKER_LOSS: (2.0, 20.0),
    Kind.WORKER_PAUSE: (0.5, 25.0),
    Kind.WORKER_CUT: (0.5, 25.0),
    Kind.WORKER_TROUBLE: (2.0, 20.0),
    Kind.REDIS_OUTAGE: (0.5, 30.0),
    Kind.REDIS_LOSS: (0.0, 10.0),
    Kind.REDIS_ROLLBACK: (0.1, 10.0),
    Kind.OPERATOR_DEATH: (0.5, 30.0),
    Kind.OPERATOR_PAUSE: (0.5, 30.0),
    Kind.OPERATOR_TROUBLE: (2.0, 20.0),
    Kind.OPERATOR_SECOND: (2.0, 20.0),
}
"""Shorter than the time after which a worker counts as dead, and longer."""


@dataclass(frozen=True, slots=True)
class Bout:
    """Faults that belong together."""

    faults: tuple[Fault, ...]

    @property
    def begins(self) -> float:
        return min(fault.at for fault in self.faults)

    @property
    def over(self) -> float:
        return max(fault.over_at for fault in self.faults)


def make_bouts(
    random: Random, duration_s: float, every_s: float, kinds: tuple[Kind, ...] = tuple(Kind)
) -> list[Bout]:
    """Draw bouts over a duration, one in `every_s` seconds, the first after the fleet is up."""
    bouts: list[Bout] = []
    at = 60.0 + random.uniform(0.0, every_s)
    while at + 3 * BOUT_S < duration_s:
        count = random.choice((1, 1, 2, 2, 3, 4))
        faults = (_fault(random, at, random.choice(kinds)) for _ in range(count))
        bouts.append(Bout(tuple(sorted(faults, key=lambda fault: fault.at))))
        at += random.uniform(0.5, 1.5) * every_s + BOUT_S
    return bouts


def _fault(random: Random, bout_at: float, kind: Kind) -> Fault:
    low, high = _LASTS_S.get(kind, (0.0, 0.0))
    return Fault(
        at=bout_at + random.choice((0.0, random.uniform(0.0, 5.0), random.uniform(0.0, 25.0))),
        kind=kind,
        lasts_s=random.uniform(low, high),
        pick=random.random(),
        size=random.uniform(-1.0, 1.0),
    )
