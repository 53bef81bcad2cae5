"""What is remembered of pictures that show the same: when they began, how they differ.

The bookkeeping of `detectors/video_freeze.py`, where the reasons for the figures are: how fast the
programme moves, which pictures have not been told yet, and whether a picture that goes nowhere
rests at all. Plain data and numbers; what is in a picture is the business of `still.py`.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from statistics import median, median_low
from typing import TYPE_CHECKING

from streammonitor_worker.media.still import Still

if TYPE_CHECKING:
    from streammonitor_worker.media.tiles import F32

QUIET_STEP, QUIET_DRIFT, QUIET_PEAK = 0.15, 0.1, 2.0
"""Levels by which pictures of a freeze differ from each other, except where a key picture comes:
as a mean, as a drift, and in the most changed tile."""
_HELD_S = 0.3
"""How long it may take until it is known whether a picture moves."""
_GRAIN_S, _GRAIN_STEP, _GRAIN_SPREAD = 1.5, 0.06, 2.1
_RUN_PICTURES, _RUN_STEP, _RUN_TIMES, _RUN_SPREAD = 6, 0.3, 2.5, 3.0
"""Grain that comes back: so many changes in a row, so much above those of the freeze, and alike."""


class Pace:
    """How much a programme that moves changes from picture to picture."""

    def __init__(self, quiet: float) -> None:
        self._quiet = quiet
        self._recent: deque[float] = deque(maxlen=5)

    def note(self, step: float) -> None:
        self._recent.append(max(step, self._quiet))

    def forget(self) -> None:
        self._recent.clear()

    def restart(self, step: float) -> None:
        """Forget what was; this is the first step of another movement."""
        self.forget()
        self.note(step)

    @property
    def is_known(self) -> bool:
        return bool(self._recent)

    def goes_on(self, step: float) -> bool:
        """Whether a change of this size is more of the same movement."""
        return bool(self._recent) and step >= max(0.5 * median_low(self._recent), self._quiet)


@dataclass(slots=True)
class Seen:
    """A picture that may be frozen."""

    start: float
    end: float
    step: float
    """Mean change since the picture before it, levels."""
    quiet: bool = True
    """Whether it differs from the one before it no more than pictures of a freeze do."""


@dataclass(slots=True)
class Stretch:
    """Pictures that show the same, as far as is known. Times are media time, seconds."""

    onset: float
    first: F32 | None = None
    """Tiles of the first of them."""
    still: Still | None = None
    """The reference, once settled."""
    limit: float = 0.0
    """Levels of drift that are allowed."""
    drift: float = 0.0
    """Levels, of the last picture."""
    last_key: float = 0.0
    pictures: int = 0
    """How many there are after the first."""
    lively: int = 0
    """How many in a row, up to now, look as if the movement before went on."""
    told: bool = False
    """Whether it is known to those outside."""
    has_content: bool = True
    """Whether there is something in the picture that could move."""
    held: list[Seen] = field(default_factory=list)
    """Pictures that have not been told."""
    steps: deque[float] = field(default_factory=lambda: deque(maxlen=256))
    """Mean changes from picture to picture, levels."""
    peaks: deque[float] = field(default_factory=lambda: deque(maxlen=8))
    """Changes of the most changed tile from picture to picture, levels."""

    def is_quiet(self, step: float, peak: float) -> bool:
        """Whether a change is one that pictures of a freeze, of this freeze, have."""
        if peak > QUIET_PEAK:
            return False
        return step <= QUIET_STEP or (bool(self.steps) and step <= 2 * median(self.steps))

    def restless_step(self) -> float | None:
        """The usual change of a picture that changes all the time without going anywhere, levels:
        grain or noise. None where it rests."""
        if not self.held:
            return None
        steps, last, run = list(self.steps), self.held[-1], len(self.held)
        count = math.ceil(_GRAIN_S / (last.end - last.start))
        if last.end - self.onset >= _GRAIN_S and len(steps) >= count:
            recent = sorted(steps[-count:])
            low, high = recent[count // 5], recent[-1 - count // 5]
            if low >= _GRAIN_STEP and high <= _GRAIN_SPREAD * low:
                return low
        if self.told and run >= _RUN_PICTURES and len(steps) > 3 * run:
            recent = sorted(steps[-run:])
            low, high = recent[0], recent[-2]  # one of them may be a key picture
            usual = median(steps[:-run])
            if low >= max(_RUN_STEP, _RUN_TIMES * usual) and high <= _RUN_SPREAD * low:
                return low
        return None

    def take_frozen(self) -> list[Seen]:
        """Take those pictures that are known by now to be frozen."""
        count = len(self.held)
        if count and not self.held[-1].quiet:
            oldest = self.held[-1].end - _HELD_S
            count = sum(seen.end < oldest for seen in self.held)
        frozen, self.held = self.held[:count], self.held[count:]
        return frozen

    def take_frozen_before(self, moving: Seen) -> list[Seen]:
        """Take those pictures that came before the movement that was found at `moving`: it began
        with the first of the unquiet ones that changed about as much."""
        first = len(self.held)
        while first and not self.held[first - 1].quiet:
            first -= 1
        run = [seen.step for seen in self.held[first:]]
        if run:
            pace = moving.step if moving.step > QUIET_STEP else median(run[-5:])
            first += next((n for n, step in enumerate(run) if step >= 0.4 * pace), len(run))
        frozen, self.held = self.held[:first], self.held[first:]
        return frozen
