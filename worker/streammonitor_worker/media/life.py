"""Whether a picture differs from the one that has stood still by more than an encoder's noise.

What is measured is told in `still.py`, the figures' reasons in `detectors/video_freeze.py`; a
change that may be either stays in doubt, as `stretch.Doubt` has it.
"""

from __future__ import annotations

from streammonitor_worker.media.picture import Picture
from streammonitor_worker.media.still import Spot, Still
from streammonitor_worker.media.stretch import Seen, Stretch
from streammonitor_worker.media.tiles import rms

SPARSE_S = 0.3
"""Where pictures are farther apart than this, only key pictures come: none is an exception, and
none can wait for those that follow."""
_CONTRAST_SHARE, _SMALLEST_LIMIT = 0.45, 0.8
_COARSE = 2.3
_KEY_INTERVAL_S = 0.4
"""Where every picture is a key picture, none is an exception."""
_FADE_LIMIT = 0.9
_COLOUR_EACH = 4
"""Pictures of which one is compared in colour: what changes seldom does so in colour alone."""
_SPOT_CHANGE = 16.0
"""Levels that the noise of key pictures can change a tile by."""
_KEY_FLOOR, _KEY_TIMES = 3.0, 8.0
"""What is usual in the tiles of a key picture: 3 levels and twice the 90th percentile, which is
four times the mean."""
_CLEAR_DETAIL = 2.3
"""A detail that exceeds what is noise so many times is not the encoder's."""
_DRAWN_S = 0.6
"""After a key picture all of the picture has been looked at in this time."""
_COARSE_COLOUR = 3.0
"""Levels that colour can drift by when a codec that left it out draws it."""


class Life:
    """Judges the pictures of one track.

    drift: levels of drift that are allowed at most. detail: change of the most changed tile up to
    which it is noise, as a multiple of what is usual.
    """

    def __init__(self, drift: float, detail: float) -> None:
        self._drift = drift
        self._detail = detail
        self._spot: Spot | None = None
        self._interval = 0.0

    def limit(self, between_tiles: float) -> float:
        """Levels of drift allowed to a picture of this contrast."""
        return min(max(_CONTRAST_SHARE * between_tiles, _SMALLEST_LIMIT), self._drift)

    def forget(self) -> None:
        """Nothing that was seen before can be compared with."""
        self._spot = None

    def begin(self, picture: Picture) -> None:
        """This picture is the first of another stretch."""
        if self._spot is not None:
            self._spot.keep(picture)

    def is_in(self, picture: Picture, stretch: Stretch, seen: Seen, interval: float) -> bool:
        """Whether it shows another picture than the first of the stretch; notes its drift there.

        interval: from picture to picture, seconds > 0.
        """
        self._interval = interval
        lives = False
        if stretch.still is not None:
            lives = self._differs(picture, stretch, stretch.still, seen)
        elif stretch.first is not None:
            stretch.drift = rms(picture.tiles - stretch.first)
            lives = stretch.drift > _COARSE * stretch.limit
        return lives or (self._spot is not None and self._spot_lives(picture, self._spot, seen))

    def _spot_lives(self, picture: Picture, spot: Spot, seen: Seen) -> bool:
        least = max(_SPOT_CHANGE, 0.5 * spot.usual)
        if picture.key and self._interval < SPARSE_S:
            least = max(least, self._detail * (_KEY_FLOOR + _KEY_TIMES * seen.step))
        return spot.change(picture) > least

    def _differs(self, picture: Picture, stretch: Stretch, still: Still, seen: Seen) -> bool:
        stretch.drift, fade = still.drift(picture)
        since_key = picture.time - max(stretch.last_key, stretch.onset)
        if picture.key:
            stretch.last_key = picture.time
            most = _COARSE * self.limit(still.contrast)
            if since_key >= _KEY_INTERVAL_S and stretch.limit < stretch.drift <= most:
                stretch.limit = min(1.25 * stretch.drift, most)
        if stretch.drift > stretch.limit or abs(fade) > _FADE_LIMIT:
            return True
        stretch.doubt.settle(picture.time)
        if self._colour_lives(picture, stretch, still):
            return True
        if self._detail_lives(picture, stretch, still):
            return True
        return seen.stands_out and self._is_life(picture, stretch)

    def _colour_lives(self, picture: Picture, stretch: Stretch, still: Still) -> bool:
        if stretch.pictures % _COLOUR_EACH:
            return False
        drift = still.colour_drift(picture)
        if drift <= max(stretch.limit, stretch.colour_limit):
            return False
        stretch.colour_limit = 1.25 * drift
        is_clear = drift > max(_COARSE * stretch.limit, _COARSE_COLOUR)
        return is_clear or self._is_life(picture, stretch)

    def _detail_lives(self, picture: Picture, stretch: Stretch, still: Still) -> bool:
        detail = still.next_detail(picture, self._interval)
        if detail.excess <= self._detail:
            return False
        is_clear = detail.excess > _CLEAR_DETAIL * self._detail
        if not is_clear and not self._is_life(picture, stretch):
            still.redraw(picture)
            return False
        self._spot = Spot(picture, detail)
        return True

    def _is_life(self, picture: Picture, stretch: Stretch) -> bool:
        """Whether another change of a detail is life; where it may be the encoder's, that stays in
        doubt until the picture rests."""
        if self._interval >= SPARSE_S:
            return True
        by_key = picture.time - stretch.last_key <= _DRAWN_S
        return stretch.doubt.is_life(picture.time, stretch.onset, by_key=by_key)
