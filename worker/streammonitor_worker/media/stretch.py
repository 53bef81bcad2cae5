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
_DRAWING_S = 1.0
"""So long after a picture has stopped an encoder short of bits may be busy with its details."""
_DOUBT_S, _MOST_REDRAWN, _LONGEST_DOUBT_S = 1.6, 2, 5.0
"""A rest after which a changed detail was the encoder's: longer than a clock's second and a sweep
over the picture. How often that is believed, and how long key pictures alone may keep it open."""
_MOVING_STEP, _CUT_STEP = 1.0, 8.0
"""Levels by which a picture changes of which more moves than a detail; a key picture."""
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
    key: bool = False
    stands_out: bool = False
    """Whether a detail has changed since the picture before it, and little else."""
    quiet: bool = True
    """Whether it differs from the one before it no more than pictures of a freeze do."""


@dataclass(slots=True)
class Doubt:
    """A detail that has changed: an encoder drew it anew, or something lives there.

    An encoder does so once or twice after a picture has stopped, and with key pictures; then it
    rests. What lives goes on.
    """

    since: float | None = None
    """When the change was seen that is in doubt; media time, seconds."""
    latest: float = 0.0
    by_key: bool = False
    redrawn: int = 0
    """How often a change without a key picture has proved to be the encoder's."""

    def is_life(self, time: float, onset: float, *, by_key: bool) -> bool:
        """Take another change in a stretch that began at `onset`; whether it is life by now."""
        if self.since is None or (self.by_key and not by_key and time - self.latest > _HELD_S):
            self.since, self.latest, self.by_key = time, time, by_key
            return not by_key and self.redrawn >= _MOST_REDRAWN
        if self.by_key and by_key:
            self.latest = time
            return time - self.since > _LONGEST_DOUBT_S
        still_drawing = time - onset <= _DRAWING_S
        if still_drawing:
            self.latest = time
        return not still_drawing and time - self.latest > _HELD_S

    def settle(self, time: float) -> None:
        """A picture has come that is like the one before it."""
        if self.since is not None and time - self.latest >= _DOUBT_S:
            self.redrawn += not self.by_key
            self.since = None

    def life_since(self, moving: Seen) -> float | None:
        """When life began, if the stretch is over with that picture. None where there is no doubt
        but a key picture, well before all of the picture began to move."""
        is_one = self.by_key and self.since == self.latest
        least = _CUT_STEP if moving.key else _MOVING_STEP
        is_apart = moving.step >= least and moving.start - self.latest > _HELD_S
        return None if is_one and is_apart else self.since


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
    colour_limit: float = 0.0
    """The same for colours, once they were drawn anew."""
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
    doubt: Doubt = field(default_factory=Doubt)
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
        if self.doubt.since is not None:
            count = min(count, self._held_before(self.doubt.since))
        frozen, self.held = self.held[:count], self.held[count:]
        return frozen

    def take_frozen_before(self, moving: Seen) -> list[Seen]:
        """Take those pictures that came before the movement that was found at `moving`: it began
        with the first of the unquiet ones that changed about as much."""
        life = self.doubt.life_since(moving)
        first = len(self.held) if life is None else self._held_before(life)
        while first and not self.held[first - 1].quiet:
            first -= 1
        run = [seen.step for seen in self.held[first:]]
        if run and life is None:
            pace = moving.step if moving.step > QUIET_STEP else median(run[-5:])
            first += next((n for n, step in enumerate(run) if step >= 0.4 * pace), len(run))
        frozen, self.held = self.held[:first], self.held[first:]
        return frozen

    def _held_before(self, time: float) -> int:
        return sum(seen.start < time for seen in self.held)
