"""A decoded picture and the measures of it that detectors share.

The planes are views of the decoder's own memory: no detector may write to them or keep them
beyond `observe`. Measures are computed when the first detector asks and kept for the others.
They look at a thinned-out picture (`small`), because copying and summing every pixel of a 1080p
picture costs more than decoding it; a detector that finds something suspicious there looks
again at `luma`, in full.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from streammonitor_worker.media.bars import bar_share
from streammonitor_worker.media.tiles import mean_difference, picture_tiles
from streammonitor_worker.media.uniform import BLACK_LEVEL, BLACK_SHARE, black_share, spread

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streammonitor_worker.media.tiles import F32

    U8 = NDArray[np.uint8]
    Plane = NDArray[np.uint8] | NDArray[np.uint16]
    Chroma = tuple[Plane, Plane] | None

SMALL_WIDTH, SMALL_HEIGHT = 480, 270
"""`small` is thinned out to about this size: a sixteenth of the pixels of 1080p, which costs
about 1 % of decoding them."""
_PROBE_ROWS, _PROBE_COLUMNS = 8, 2
"""Every how many rows and columns of `small` the probe has one: few rows, as what costs time is
not the samples but the memory that has to be fetched for them, a row at a time."""
_LARGEST_WORD = 8
"""Bytes of the largest integer of numpy."""


@lru_cache(maxsize=64)
def _step(height: int, width: int) -> int:
    ratio = min(height // SMALL_HEIGHT, width // SMALL_WIDTH)
    return next(step for step in (8, 4, 2, 1) if step <= max(ratio, 1))


class Picture:
    """One decoded picture.

    Parameters
    ----------
    luma: (height, width), uint8, or uint16 for more than 8 bits; a view, read-only.
    chroma: the two colour planes, (height / 1 or 2, width / 1 or 2), same type; None for grey. Or a
        function that gives them, for who seldom is asked.
    time: media time in seconds. duration: seconds it is shown for, > 0.
    depth: bits of a sample. full_range: black is 0 and white the maximum, instead of 16 and 235.
    key: decoding could start here. corrupt: the decoder says that it concealed or missed parts.
    fresh: the first after the source was opened.
    previous: the picture before it on this track, see `follow`.
    frame: the decoder's own object, opaque, for whoever has to encode the picture again.
    """

    def __init__(
        self,
        luma: Plane,
        chroma: Chroma | Callable[[], Chroma],
        *,
        track: str,
        time: float,
        duration: float,
        depth: int = 8,
        full_range: bool = False,
        key: bool = False,
        corrupt: bool = False,
        fresh: bool = False,
        previous: Picture | None = None,
        frame: Any = None,
    ) -> None:
        self.luma = luma
        self._chroma = chroma
        self.track = track
        self.time = time
        self.duration = duration
        self.depth = depth
        self.full_range = full_range
        self.key = key
        self.corrupt = corrupt
        self.frame = frame
        self._black_shares: dict[tuple[float, float], float] = {}
        self.fresh = fresh
        self._previous: Picture | None = None
        if previous is not None:
            self.follow(previous)

    @cached_property
    def chroma(self) -> Chroma:
        """The two colour planes; None for grey."""
        return self._chroma() if callable(self._chroma) else self._chroma

    @property
    def end(self) -> float:
        return self.time + self.duration

    @property
    def height(self) -> int:
        return int(self.luma.shape[0])

    @property
    def width(self) -> int:
        return int(self.luma.shape[1])

    @property
    def black(self) -> int:
        """Luma of black on the 8-bit scale: 16, or 0 for full range (ITU-R BT.709)."""
        return 0 if self.full_range else 16

    @property
    def white(self) -> int:
        """Luma of white on the 8-bit scale: 235, or 255 for full range (ITU-R BT.709)."""
        return 255 if self.full_range else 235

    @property
    def step(self) -> int:
        """Every how many rows and columns `small` takes a pixel of `luma`: 1, 2, 4 or 8."""
        return _step(*self.luma.shape)

    def to_8_bits(self, samples: Plane) -> U8:
        """Scale samples of this picture to 0-255; a view where they are 8 bits already."""
        if samples.dtype == np.uint8:
            return cast("U8", samples)
        return cast("U8", (samples >> (self.depth - 8)).astype(np.uint8))

    @cached_property
    def small(self) -> U8:
        """Thinned-out luma, 8 bits: (height // step, width // step), contiguous."""
        step = self.step
        rows = self.luma[: self.height // step * step : step, : self.width // step * step]
        word = step * rows.itemsize
        if step == 1 or word > _LARGEST_WORD:
            return np.ascontiguousarray(self.to_8_bits(rows[:, ::step]))
        # `step` samples seen as one integer, cut down to its first: three times as fast as a
        # strided copy.
        thinned = rows.view(f"<u{word}").astype(rows.dtype)
        return self.to_8_bits(cast("Plane", thinned))

    def follow(self, previous: Picture) -> None:
        """Compare with this picture, the one before it, if it is of the same size."""
        if previous.luma.shape == self.luma.shape:
            self._previous = previous

    def forget_previous(self) -> None:
        """Let go of the picture before it: each holds a decoded picture's memory."""
        self._previous = None

    @property
    def previous_small(self) -> U8 | None:
        """`small` of the picture before it; None at the start, after a change of size, and once
        it has been forgotten, which it is when the picture has been observed."""
        return None if self._previous is None else self._previous.small

    @property
    def previous_luma(self) -> U8 | None:
        """8 bits of `luma` of the picture before it, as `previous_small`."""
        before = self._previous
        return None if before is None else before.to_8_bits(before.luma)

    @property
    def previous_tiles(self) -> F32 | None:
        """`tiles` of the picture before it, as `previous_small`."""
        return None if self._previous is None else self._previous.tiles

    @cached_property
    def change(self) -> float | None:
        """Mean absolute change of the `probe` since the picture before it, levels; None at the
        start and after a change of size."""
        return None if self._previous is None else mean_difference(self.probe, self._previous.probe)

    @cached_property
    def mean(self) -> float:
        """Mean of `small`, 0-255."""
        return float(self.small.mean())

    @cached_property
    def tiles(self) -> F32:
        """Means of tiles of 8×8 samples of `small`, 0-255: see `tiles.picture_tiles`."""
        return picture_tiles(self.small)

    @cached_property
    def probe(self) -> U8:
        """A sixteenth of `small`: enough to see that most of the picture moves, for a fifth of
        what `small` costs."""
        rows, columns = self.step * _PROBE_ROWS, self.step * _PROBE_COLUMNS
        middle = min(rows, self.height) // 2
        return np.ascontiguousarray(self.to_8_bits(self.luma[middle::rows, ::columns]))

    def black_share(self, level: float, share: float) -> float:
        """Share of the pixels that are black, 0-1, exact close to `share`: see `uniform`."""
        known = self._black_shares.get((level, share))
        if known is None:
            known = self._black_shares[level, share] = black_share(self, level, share)
        return known

    @property
    def is_black(self) -> bool:
        """Whether the picture is black, by the defaults of `video-black`."""
        return self.black_share(BLACK_LEVEL, BLACK_SHARE) >= BLACK_SHARE

    @cached_property
    def spread(self) -> float:
        """How far the picture is from being uniform, levels: see `uniform.spread`."""
        return spread(self)

    @cached_property
    def bar_share(self) -> float:
        """Share of the width that colour bars cover, 0-1: see `bars.bar_share`."""
        return bar_share(self)

    @property
    def colour(self) -> tuple[int, ...]:
        """Luma and chroma in the middle of the picture, 8 bits; luma alone for grey."""
        planes = (self.luma, *(self.chroma or ()))
        middles = (plane[plane.shape[0] // 2, plane.shape[1] // 2] for plane in planes)
        return tuple(int(sample) >> (self.depth - 8) for sample in middles)
