"""Follows a suspicion that blocks are wrong until it is clear whether they are.

Damage that was encoded again leaves steps on the borders of macroblocks, but few, and not in each
picture: an encoder's better pictures show them, the others blur them. What is asked is therefore
how much more of them there are, in the mean of several pictures, than this stream usually has:
every encoder leaves some itself, more at low bit rates and with its key pictures.

A few bands of a picture are looked at five times a second. One that stands out, or a picture that
brings unusually many seams, is a suspicion: the next pictures are all looked at.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from streammonitor_worker.media.grid import Bands, Look, excess, excess_of
from streammonitor_worker.media.seams import BLOCK
from streammonitor_worker.media.tiles import difference

if TYPE_CHECKING:
    from streammonitor_worker.media.picture import Picture

_LOOKS_S = 0.2
"""Seconds from look to look without a suspicion."""
_TRIAL_S = 0.024
"""The same with one: at 50 pictures a second every other one will do."""
_TRIAL, _SHOWING = 10, 4
"""Looks that decide, and how many of them must show it: encoders blur every other picture."""
_SHOWS = 0.7
"""What a single look must show, as a share of what their mean must."""
_SETTLED = 6
"""Looks after which it is known what is usual: a second."""
_FEWEST = 4
"""Looks that tell something together."""
_LEARNS = 0.1
"""How much each look counts for what is usual."""
_SPREAD = 0.005
"""The least spread that is believed: a second of a picture that rests tells little."""
_STANDS_OUT, _CLEAR = 0.008, 0.015
"""By how much a look, and a trial, must exceed what is usual; roots of shares."""
_TIMES, _SPREADS = 2.0, 2.0
"""Times the mean, and times the spread, that is usual."""
_RISES = 5.0
"""Times as many new seams as lately: what moves makes new ones all the time."""
_ONSET_RISES = 3.0
"""The same of the first picture of what is damage by now."""
_FORGETS = 0.92
"""What is left, from picture to picture, of what failed suspicions taught."""
_FULLEST = 2
"""Borders that do not count each way: those of a window in the picture."""
_ANYWHERE, _MEDIAN = 0.7, 0.45
"""Times as many steps as on borders may be at any other distance from them, and at most: mosaics
of 8 samples, and encoders without a deblocking filter, have as many in the middle; the lines of
graphics happen to be anywhere."""
_CUT_SHARE = 0.6
"""Share of pixels that change at a cut."""
_CUT_TIMES = 2.0
"""Times as much change as lately makes a cut: in a fast pan all pixels change, always."""
_CUT_LEVELS = 30.0
"""Mean change at a cut, to black for example."""
_CUT_S = 0.13
"""So long after a cut pictures are coarse."""
_CHANGED = 12
"""Levels from which a pixel is another one."""
_LATELY = 5
"""Looks that together must show damage that goes on."""
_RESTS = 0.15
"""Levels up to which a picture rests: pictures of a freeze differ by no more."""
_PAUSE_S = 0.9
"""Seconds without too many steps after which damage is over: less than the time to clear."""
_LONGEST_S = 10.0
"""As long as the longest groups of pictures: what stays longer is part of the picture."""


class Usual:
    """What the roots of the excess have been lately: their mean and spread.

    Roots, as the spread of counts grows with them. Of looks together, as in a single one the few
    steps that are usual do not exceed anything.
    """

    def __init__(self) -> None:
        self._looks: deque[Look] = deque()
        self._counts = np.zeros((2, BLOCK), np.int64)
        self._sides = 0
        self._learnt = 0
        self._mean = 0.0
        self._variance = 0.0

    @property
    def is_known(self) -> bool:
        return self._learnt > _SETTLED - _FEWEST

    def learn(self, look: Look) -> None:
        if len(self._looks) == _TRIAL:
            oldest = self._looks.popleft()
            self._counts = self._counts - oldest.counts
            self._sides -= oldest.sides
        self._looks.append(look)
        self._counts = self._counts + look.counts
        self._sides += look.sides
        if len(self._looks) < _FEWEST:
            return
        root = math.sqrt(excess(self._counts, self._sides))
        self._learnt += 1
        share = max(_LEARNS, 1 / self._learnt)
        off = root - self._mean
        self._mean += share * off
        self._variance = (1 - share) * (self._variance + share * off * off)

    def bound(self, beyond: float) -> float:
        """The root up to which nothing is unusual."""
        spread = max(_SPREAD, math.sqrt(self._variance))
        return _TIMES * self._mean + _SPREADS * spread + beyond


@dataclass
class _Trial:
    onset: float
    wanted: float
    """The root from which all looks together are damage."""
    shows: float
    """The root from which a look shows damage that is known."""
    looks: deque[Look] = field(default_factory=lambda: deque(maxlen=_TRIAL))
    showing: int = 0
    is_damage: bool = False
    shown: float | None = None
    """The onset, where the picture that was looked at last showed damage."""
    last_shown: float = 0.0


class Suspicion:
    """Whether few blocks are wrong, picture by picture.

    least: share of the sides of macroblocks that become steps, 0-1. most: share from which it is
    no matter of few blocks; a mosaic, unless it came at once.
    """

    def __init__(self, least: float, most: float) -> None:
        self._least = least
        self._most = most
        self._change = 0.0
        self._bands = Bands()
        self.reset()

    def reset(self) -> None:
        """Forget everything: another picture begins."""
        self._usual = Usual()
        self._lately = 0.0
        self._looked_at = 0.0
        self._next_look = -math.inf
        self._coarse_until = -math.inf
        self._brought: deque[tuple[float, bool]] = deque(maxlen=_TRIAL)
        self._trial: _Trial | None = None

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being followed."""
        return self._trial is None

    def look(self, picture: Picture, came: float) -> float | None:
        """When the damage that this picture shows began, media time; None where it shows none.

        came: share of the borders that were looked at which became seams with it, 0-1.
        """
        rises = self._note(picture, came)
        if self._is_cut(picture):
            self._coarse_until = picture.time + _CUT_S
        if (picture.change or 0.0) <= _RESTS:
            return self._rest(picture)
        is_due = picture.time >= self._next_look - 1e-6
        if self._trial is None and not rises and not is_due:
            return None
        is_coarse = picture.time < self._coarse_until or not (is_due or rises)
        look = None if is_coarse else self._bands.look(picture)
        if look is None:
            return self._trial.shown if self._trial is not None else None
        if self._trial is None and not self._suspects(picture, look, rises=rises):
            return None
        assert self._trial is not None  # noqa: S101 - `_suspects` has begun one
        self._next_look = picture.time + _TRIAL_S
        return self._follow(self._trial, picture, look)

    def _rest(self, picture: Picture) -> float | None:
        """Nothing moves: whatever lies on borders does so in each look, by chance or not."""
        trial = self._trial
        if trial is None or not trial.is_damage or picture.time - trial.onset > _LONGEST_S:
            self._trial = None
            return None
        return trial.shown

    def _note(self, picture: Picture, came: float) -> bool:
        """Take note of new seams; whether they are so many that they have to be looked at."""
        lately, self._lately = self._lately, self._lately + 0.1 * (came - self._lately)
        looked_at, self._looked_at = self._looked_at, self._looked_at * _FORGETS
        brought = came >= max(_ONSET_RISES * lately, self._least)
        self._brought.append((picture.time, brought))
        if came < max(_RISES * lately, looked_at, self._least) or self._trial is not None:
            return False
        self._looked_at = came
        return self._usual.is_known

    def _suspects(self, picture: Picture, look: Look, *, rises: bool) -> bool:
        """Whether a look stands out, which begins a trial; if not, it is learnt from."""
        usual = self._usual
        if rises or (
            usual.is_known and math.sqrt(excess(look.counts, look.sides)) > usual.bound(_STANDS_OUT)
        ):
            wanted = max(math.sqrt(self._least), usual.bound(_CLEAR))
            shows = math.sqrt(_SHOWS * self._least)
            self._trial = _Trial(self._onset(picture.time), wanted, max(shows, usual.bound(0.0)))
            return True
        usual.learn(look)
        self._next_look = picture.time + _LOOKS_S
        return False

    def _onset(self, time: float) -> float:
        """When what was seen at this time came: with the first of the pictures since the last look
        that brought new seams."""
        since = self._next_look - _LOOKS_S
        return next((at for at, brought in self._brought if brought and at > since), time)

    def _follow(self, trial: _Trial, picture: Picture, look: Look) -> float | None:
        trial.looks.append(look)
        shows = excess(look.counts, look.sides) >= trial.shows**2
        if trial.is_damage:
            return self._go_on(trial, picture, shows=shows)
        trial.showing += shows
        if len(trial.looks) < _TRIAL:
            return None
        if self._is_damage(trial):
            trial.is_damage = True
            trial.last_shown = picture.end
            trial.shown = trial.onset
            return trial.shown
        for one in list(trial.looks)[:2]:
            self._usual.learn(one)
        self._trial = None
        return None

    def _go_on(self, trial: _Trial, picture: Picture, *, shows: bool) -> float | None:
        """Whether damage that is known is still there: lately, and in this picture."""
        lasted = picture.time - trial.onset
        if picture.time - trial.last_shown > _PAUSE_S or lasted > _LONGEST_S:
            self.reset()
            return None
        lately = list(trial.looks)[-_LATELY:]
        shows = shows and excess_of(lately) >= trial.wanted**2
        if shows:
            trial.last_shown = picture.end
        trial.shown = trial.onset if shows else None
        return trial.shown

    def _is_damage(self, trial: _Trial) -> bool:
        root = math.sqrt(excess_of(trial.looks, _FULLEST))
        places = np.sum([look.counts for look in trial.looks], axis=(0, 1))
        return bool(
            root >= trial.wanted
            and root**2 <= self._most
            and trial.showing >= _SHOWING
            and places[1:].max() <= _ANYWHERE * places[0]
            and np.median(places) <= _MEDIAN * places[0]
        )

    def _is_cut(self, picture: Picture) -> bool:
        change = picture.change or 0.0
        usual, self._change = self._change, self._change + 0.1 * (change - self._change)
        if change <= _CUT_TIMES * usual:
            return False
        return change > _CUT_LEVELS or changed_share(picture) > _CUT_SHARE


def changed_share(picture: Picture) -> float:
    """Share of the pixels that are others than in the picture before, 0-1; 1 without one."""
    before = picture.previous_small
    if before is None:
        return 1.0
    return float(np.count_nonzero(difference(picture.small, before) > _CHANGED) / before.size)
