"""Follows a suspicion that blocks are wrong until it is clear whether they are.

Damage that was encoded again leaves few seams, and not in each picture: those of an encoder's
better pictures show them, the others blur them. So a picture that brings unusually many new seams
is looked at closely, and when there are misfits in it, so are those that follow it. What makes
damage is that most of them have more seams on the borders of macroblocks than there were before,
and that there are no more of them on other lines.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from streammonitor_worker.media.misfits import Standing, misfits, sides, standing
from streammonitor_worker.media.tiles import difference

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streammonitor_worker.media.picture import Picture

    U8 = NDArray[np.uint8]

_RISES = 3.0
"""Times as many new seams as lately: what moves makes new ones all the time."""
_LEARNS = 0.1
"""How much each picture counts for what is usual lately."""
_FORGETS = 0.92
"""What is left, from picture to picture, of what failed suspicions taught."""
_SETTLED = 24
"""Pictures after a start or a cut before anything is suspicious: encoders refine by then."""
_TRIAL, _TRIAL_S = 6, 0.2
"""Pictures, and seconds, that are looked at before it is clear."""
_MAY_FAIL = 2
"""Pictures of those that need not show it: every other B picture of a re-encode is blurred."""
_NEW = 0.5
"""Share of the seams that must have come with the first picture: some blur, more come later."""
_FEWEST = 4
"""Segments, whatever the size of the picture: single ones come and go."""
_NOISE = 0.5
"""Times what stood in pictures in which it was no damage."""
_BASE = 1.5
"""Times as many as stood before must stand: mosaics and tiles have many, in changing numbers."""
_CUT_SHARE = 0.6
"""Share of pixels that change at a cut."""
_CUT_TIMES = 2.0
"""Times as much change as lately makes a cut: in a fast pan all pixels change, always."""
_CUT_LEVELS = 30.0
"""Mean change at a cut, to black for example: nothing new comes with it."""
_CHANGED = 12
"""Levels from which a pixel is another one."""
_PAUSE_S = 1.0
"""Seconds without a seam too many after which damage is over."""
_LONGEST_S = 10.0
"""As long as the longest groups of pictures: what stays longer is part of the picture."""


@dataclass
class _Trial:
    onset: float
    before: Standing
    wanted: float
    shown: list[bool] = field(default_factory=list)
    excess: list[float] = field(default_factory=list)
    is_damage: bool = False
    last_shown: float = 0.0


class Suspicion:
    """Whether few blocks are wrong, picture by picture.

    least: share of the sides of macroblocks that become seams, 0-1. most: share from which it is
    no matter of few blocks; a mosaic, unless it came at once.
    """

    def __init__(self, least: float, most: float) -> None:
        self._least = least
        self._most = most
        self._change = 0.0
        self.reset()

    def reset(self) -> None:
        """Forget everything: another picture begins."""
        self._waits = _SETTLED
        self._lately = 0.0
        self._looked_at = 0.0
        self._usual = 0.0
        self._jumps = False
        self._trial: _Trial | None = None

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being followed."""
        return self._trial is None

    def look(self, picture: Picture, came: float) -> float | None:
        """When the damage that this picture shows began, media time; None where it shows none.

        came: share of the borders that were looked at which became seams with it, 0-1.
        """
        lately, self._lately = self._lately, self._lately + _LEARNS * (came - self._lately)
        looked_at, self._looked_at = self._looked_at, self._looked_at * _FORGETS
        self._usual *= _FORGETS
        self._waits = max(0, self._waits - 1)
        change = picture.change or 0.0
        usual, self._change = self._change, self._change + _LEARNS * (change - self._change)
        self._jumps = change > _CUT_TIMES * usual
        if self._jumps and change > _CUT_LEVELS:
            self.reset()
        if self._trial is None:
            if came and not self._waits and came >= max(_RISES * lately, looked_at, self._least):
                self._looked_at = max(came, self._looked_at)
                self._suspect(picture)
            if self._trial is None:
                return None
        return self._follow(self._trial, picture)

    def _suspect(self, picture: Picture) -> None:
        """Begin a trial if there are misfits in this picture."""
        earlier = picture.previous_luma
        if earlier is None:
            return
        if self._is_cut(picture):
            self.reset()
            return
        least = _NEW * self._least
        if misfits(picture.to_8_bits(picture.luma), earlier, least) >= least:
            before = standing(earlier)
            least = max(self._least, _FEWEST / sides(earlier))
            wanted = _BASE * before.excess + _NOISE * self._usual + least
            self._trial = _Trial(picture.time, before, wanted)

    def _follow(self, trial: _Trial, picture: Picture) -> float | None:
        if self._is_cut(picture):
            self.reset()
            return None
        now = standing(picture.to_8_bits(picture.luma))
        rise = now.borders - trial.before.borders
        is_few = now.borders < self._most or trial.is_damage
        shows = now.excess >= trial.wanted and rise >= now.between and is_few
        if shows:
            trial.last_shown = picture.end
        if trial.is_damage:
            lasted = picture.time - trial.onset
            if picture.time - trial.last_shown > _PAUSE_S or lasted > _LONGEST_S:
                self._give_up()
            return trial.onset if shows else None
        trial.shown.append(shows)
        trial.excess.append(now.excess)
        if trial.shown.count(False) > _MAY_FAIL:
            self._usual = max(self._usual, *trial.excess)
            self._trial = None
        elif len(trial.shown) >= _TRIAL and picture.end - trial.onset >= _TRIAL_S:
            trial.is_damage = True
            return trial.onset
        return None

    def _is_cut(self, picture: Picture) -> bool:
        return self._jumps and changed_share(picture) > _CUT_SHARE

    def _give_up(self) -> None:
        self._trial = None
        self._waits = _SETTLED


def changed_share(picture: Picture) -> float:
    """Share of the pixels that are others than in the picture before, 0-1; 1 without one."""
    before = picture.previous_small
    if before is None:
        return 1.0
    return float(np.count_nonzero(difference(picture.small, before) > _CHANGED) / before.size)
