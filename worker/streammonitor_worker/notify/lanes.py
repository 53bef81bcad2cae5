"""How a target that fails is spared: when it is tried again. Pure but for chance.

    one failure      the event is tried twice more at once, half a second and a second later
    still failing    the target rests, from 1 s doubling to 60 s; what comes for it waits in Redis
    one success      all is forgotten

Times are drawn between half of that and all of it, so that workers do not come back together.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

QUICK_S = (0.5, 1.0)
"""Before the second and the third attempt at an event of a target that was well."""
FIRST_REST_S = 1.0
LONGEST_REST_S = 60.0


@dataclass(slots=True)
class Rest:
    """How a target is doing."""

    failures: int = 0
    """In a row."""
    until: float = float("-inf")
    """When it may be tried again."""

    def is_resting(self, now: float) -> bool:
        return now < self.until

    def note_success(self) -> None:
        self.failures = 0
        self.until = float("-inf")

    def note_failure(self, now: float, asked_s: float | None) -> None:
        """`asked_s`: what the target asks to be left alone for (Retry-After)."""
        rest_s = min(LONGEST_REST_S, FIRST_REST_S * 2.0 ** min(self.failures, 10))
        self.failures += 1
        self.until = now + max(jittered(rest_s), asked_s or 0.0)


def jittered(pause_s: float) -> float:
    return pause_s * random.uniform(0.5, 1.0)  # noqa: S311 - spreads retries, no secret
