"""How long to wait before the next attempt to reach a source.

Exponential with full jitter: many streams of a server that comes back do not all come at once
(Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
"""

from __future__ import annotations

import random

FIRST_S = 0.5
LONGEST_S = 10.0
"""Long enough not to burden a server that is down, short enough that coming back is noticed
within the alarm duration of operators (10 s, AWS MediaLive)."""


class Backoff:
    def __init__(self, chance: random.Random | None = None) -> None:
        # Not for secrets: it only spreads attempts in time.
        self._chance = chance if chance is not None else random.Random()  # noqa: S311
        self._attempts = 0

    def next_s(self) -> float:
        """Seconds to wait before the next attempt."""
        limit = min(LONGEST_S, FIRST_S * 2.0**self._attempts)
        self._attempts = min(self._attempts + 1, 10)
        return self._chance.uniform(0.0, limit)

    def reset(self) -> None:
        """The source was reached."""
        self._attempts = 0
