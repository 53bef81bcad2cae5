"""What is kept of a picture that stands still, and how a later one differs from it.

A codec draws the same picture anew with every key picture, each time a little differently. What
is asked here tells that noise from life. All of it is asked of tiles of 8×8 samples:

    drift   RMS over the whole picture of the change of the tiles' means. Codecs keep the mean of
            a block, so noise nearly cancels out; what moves adds up.
    fade    mean change of the whole picture, in which noise cancels out altogether.
    detail  the most changed tile, by its mean absolute change, against what is usual in this
            picture: 3 levels and twice the 90th percentile; or the most changed sample against
            six times that. Noise is spread over the picture, a clock or a cursor is not.

Which values mean life is the detector's business: `detectors/video_freeze.py`, with the figures
that were measured.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from streammonitor_worker.media.picture import Picture
from streammonitor_worker.media.tiles import TILE, difference, rms, tile_means
from streammonitor_worker.media.uniform import thinned_chroma

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streammonitor_worker.media.tiles import F32

    U8 = NDArray[np.uint8]

_STRIPE_SAMPLES = 1 << 17
"""Samples looked at in full per picture: a third of 480p, a fifteenth of 1080p; 0.05 ms."""
_SWEEP_S = 0.5
"""In this time all stripes have been looked at: each second of a clock is seen in time."""
_SPOT = 4 * TILE
"""Side of the spot around a detail that is followed from picture to picture."""
_NOISE_FLOOR, _NOISE_SHARE, _NOISE_TIMES = 3.0, 0.9, 2.0
_SAMPLE_NOISE = 6.0
"""The most changed sample of a re-encoded picture differs by so many times what its most changed
tile does. One dot of a digit of 5×7 samples changes a tile by 3 levels, but by 170 itself."""


class Detail(NamedTuple):
    """The most changed tile or sample of a stripe."""

    excess: float
    """Its change, as a multiple of what is usual in the stripe."""
    change: float
    """Mean absolute change of the most changed tile, levels."""
    top: int
    left: int
    """Where it is in the luma, samples."""


def contrast(tiles: F32) -> float:
    """RMS difference of neighbouring tiles, levels: how much a picture would drift that moves by
    the width of a tile."""
    return math.hypot(rms(np.diff(tiles, axis=0)), rms(np.diff(tiles, axis=1)))


class Spot:
    """A small part of the picture in which something was seen to change."""

    def __init__(self, picture: Picture, detail: Detail) -> None:
        top = max(0, min(detail.top - _SPOT // 2, picture.height - _SPOT))
        left = max(0, min(detail.left - _SPOT // 2, picture.width - _SPOT))
        self._place = slice(top, top + _SPOT), slice(left, left + _SPOT)
        self.usual = detail.change
        self.keep(picture)

    def keep(self, picture: Picture) -> None:
        """Compare with this picture from now on."""
        self._before = self._cut(picture).copy()

    def change(self, picture: Picture) -> float:
        """Mean absolute change of its most changed tile, levels."""
        return float(tile_means(difference(self._cut(picture), self._before)).max())

    def _cut(self, picture: Picture) -> U8:
        return picture.to_8_bits(picture.luma[self._place])


class Still:
    """A picture that others are compared with.

    Its luma is copied.
    """

    def __init__(self, picture: Picture) -> None:
        self._luma = picture.to_8_bits(picture.luma).copy()
        self._tiles = picture.tiles
        self._chroma = _chroma_tiles(picture)
        self.contrast = contrast(self._tiles)
        self._next_row = 0

    def drift(self, picture: Picture) -> tuple[float, float]:
        """Drift and fade of the luma, levels; a fade to dark is negative."""
        change = picture.tiles - self._tiles
        return rms(change), float(change.mean())

    def colour_drift(self, picture: Picture) -> float:
        """Drift of the more changed of the colour planes, levels; 0 for grey."""
        pairs = zip(_chroma_tiles(picture), self._chroma, strict=True)
        return max((rms(now - before) for now, before in pairs), default=0.0)

    def next_detail(self, picture: Picture, interval: float) -> Detail:
        """Look at the next stripe; `interval` is the time from picture to picture, seconds > 0."""
        stripes = min(math.ceil(self._luma.size / _STRIPE_SAMPLES), int(_SWEEP_S / interval))
        top = self._next_row
        bottom = top + TILE * math.ceil(picture.height / TILE / max(stripes, 1))
        bottom = min(bottom, picture.height)
        self._next_row = bottom if picture.height - bottom >= TILE else 0
        stripe = picture.to_8_bits(picture.luma[top:bottom])
        samples = difference(stripe, self._luma[top:bottom])
        tiles = tile_means(samples)
        change = float(tiles.max())
        rank = int(_NOISE_SHARE * (tiles.size - 1))
        noise = _NOISE_FLOOR + _NOISE_TIMES * float(np.partition(tiles, rank, axis=None)[rank])
        by_tile, by_sample = change / noise, float(samples.max()) / (_SAMPLE_NOISE * noise)
        if by_tile >= by_sample:
            row, column = divmod(int(tiles.argmax()) * TILE, tiles.shape[1] * TILE)
            return Detail(by_tile, change, top + row * TILE, column)
        row, column = divmod(int(samples.argmax()), samples.shape[1])
        return Detail(by_sample, change, top + row, column)

    def redraw(self, picture: Picture) -> None:
        """Seek details by comparing with this picture from now on; drift stays as it is."""
        self._luma = picture.to_8_bits(picture.luma).copy()
        self._next_row = 0


def _chroma_tiles(picture: Picture) -> tuple[F32, ...]:
    return tuple(tile_means(plane) for plane in thinned_chroma(picture))
