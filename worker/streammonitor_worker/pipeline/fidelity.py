"""When the fidelity of a stream has to give way.

Pure. A live stream that cannot be decoded in time lowers its own fidelity rather than falling
ever further behind: Full → Adaptive → KeyframesOnly, and back when there is room again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from streammonitor_api.fidelity import Fidelity

_ORDER = list(Fidelity)

LOWER_LAG_S = 2.0
"""Above this lag fidelity is lowered. More than the longest picture takes to decode and a short
garbage collection or page fault storm; less than the shortest alarm duration of a picture defect
(2 s) twice over, so alarms stay timely."""
RAISE_LAG_S = 0.5
"""Below this lag there is room."""
SETTLE_S = 5.0
"""Time that a lower fidelity is given to take effect before it is lowered again: two groups of
pictures of 2 s, as fidelity changes at key pictures."""
FIRST_TRIAL_S = 15.0
"""Time without lag before a higher fidelity is tried; doubled, up to `LONGEST_TRIAL_S`, whenever
the trial fails, so that a machine that is too small does not oscillate."""
LONGEST_TRIAL_S = 240.0


@dataclass
class FidelityControl:
    """Chooses the fidelity of one live stream from its lag.

    ceiling: what the user asked for, never exceeded. chance: from 0 to 1, by how much of itself
    the time before a trial is prolonged: streams that were lowered together, because together
    they were too many, are raised one by one. Times are monotonic seconds.
    """

    ceiling: Fidelity = Fidelity.FULL
    chance: Callable[[], float] = lambda: 0.0

    def __post_init__(self) -> None:
        self.fidelity = self.ceiling
        self._changed_at = float("-inf")
        self._room_since: float | None = None
        self._trial_s = FIRST_TRIAL_S
        self._wait_s = FIRST_TRIAL_S

    def choose(self, lag_s: float, now: float) -> Fidelity:
        """Take the lag as of now and say at what fidelity to go on."""
        if lag_s > LOWER_LAG_S:
            self._room_since = None
            if now - self._changed_at >= SETTLE_S:
                self._lower(now)
        elif lag_s < RAISE_LAG_S:
            if self._room_since is None:
                self._room_since = now
            if now - max(self._room_since, self._changed_at) >= self._wait_s:
                self._raise(now)
        else:
            self._room_since = None
        return self.fidelity

    def limit(self, ceiling: Fidelity) -> None:
        """Never exceed this from now on; where it was the limit that held, go to the new one."""
        at_ceiling = self.fidelity is self.ceiling
        self.ceiling = ceiling
        if at_ceiling or _ORDER.index(self.fidelity) < _ORDER.index(ceiling):
            self.fidelity = ceiling

    def _lower(self, now: float) -> None:
        position = _ORDER.index(self.fidelity)
        if position + 1 == len(_ORDER):
            return
        if now - self._changed_at < 2 * self._trial_s:
            self._trial_s = min(2 * self._trial_s, LONGEST_TRIAL_S)
        self._move(_ORDER[position + 1], now)

    def _raise(self, now: float) -> None:
        if self.fidelity is not self.ceiling:
            self._move(_ORDER[_ORDER.index(self.fidelity) - 1], now)

    def _move(self, fidelity: Fidelity, now: float) -> None:
        self.fidelity = fidelity
        self._wait_s = self._trial_s * (1.0 + self.chance())
        self._changed_at = now
        self._room_since = None
