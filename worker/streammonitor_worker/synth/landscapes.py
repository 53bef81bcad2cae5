"""A place to look at: sky, hills, houses with windows, ground; soft and hard edges as in pictures.

Its left border goes on at its right one, so that a camera can turn for ever. Luma stays within
`LOW` to `HIGH`, so that grain can be added without leaving the range of video.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streammonitor_worker.synth.canvas import Canvas
from streammonitor_worker.synth.textures import clouds

LOW, HIGH = 40, 212

_HOUSES = 14

F32 = NDArray[np.float32]
Mask = NDArray[np.bool_]


class _Place:
    """A landscape while it grows from the back to the front."""

    def __init__(self, height: int, width: int) -> None:
        half = ((height + 1) // 2, (width + 1) // 2)
        self.luma: F32 = np.zeros((height, width), np.float32)
        self.blue: F32 = np.zeros(half, np.float32)
        self.red: F32 = np.zeros(half, np.float32)

    def cover(self, mask: Mask, luma: F32, blue: float, red: float) -> None:
        """Put something in front of what is there; `luma` has the whole picture's shape."""
        np.copyto(self.luma, luma, where=mask)
        self.blue[mask[::2, ::2]] = blue
        self.red[mask[::2, ::2]] = red

    def finish(self, tint: F32) -> Canvas:
        """Round to levels; `tint` (0 to 1, the colours' shape) shades the colours a little."""
        shade = 12 * (tint - 0.5)
        planes = (self.luma.clip(LOW, HIGH), self.blue + shade, self.red - shade)
        return Canvas(*(np.round(plane).astype(np.uint8) for plane in planes))


def landscape(height: int, width: int, rng: np.random.Generator) -> Canvas:
    """Paint a landscape; another for each state of `rng`."""
    place = _Place(height, width)
    fine, coarse = clouds(height, width, rng), clouds(height, width, rng)
    down = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    everywhere = np.ones((height, width), bool)
    place.cover(everywhere, 188 - 50 * down + 44 * (fine - 0.5), 142, 116)
    hills = down > 0.44 + _ridge(width, rng, 0.09)
    place.cover(hills, 108 + 56 * (coarse - 0.5) + 20 * (fine - 0.5), 126, 120)
    for _ in range(_HOUSES):
        _build_house(place, fine, rng)
    ground = down > 0.74 + _ridge(width, rng, 0.03)
    place.cover(ground, 112 + 90 * (fine - 0.5) + 70 * (coarse - 0.5), 114, 124)
    return place.finish(np.ascontiguousarray(coarse[::2, ::2]))


def _ridge(width: int, rng: np.random.Generator, swing: float) -> F32:
    """Draw a line that goes up and down and meets itself, about -swing to swing."""
    turn = np.linspace(0, 2 * np.pi, width, endpoint=False)
    line = sum(np.sin(n * turn + rng.uniform(0, 2 * np.pi)) / n for n in range(1, 9))
    ridge: F32 = (swing / 2 * np.asarray(line)).astype(np.float32)
    return ridge


def _build_house(place: _Place, texture: F32, rng: np.random.Generator) -> None:
    """Put up a house; its windows are lighter or darker than its wall."""
    height, width = place.luma.shape
    wide = max(4, int(width * rng.uniform(0.03, 0.09)))
    left = int(rng.integers(0, max(1, width - wide)))
    top = int(height * rng.uniform(0.3, 0.6))
    storey = max(4, height // int(rng.integers(24, 48)))
    gap = storey // 3
    rows, columns = (np.arange(size) % storey > gap for size in (height - top, wide))
    windows = np.logical_and.outer(rows, columns)
    wall = rng.uniform(70, 170)
    mask = np.zeros((height, width), bool)
    mask[top:, left : left + wide] = True
    luma = wall + 24 * (texture - 0.5)
    luma[top:, left : left + wide] += windows * rng.choice([-45.0, 35.0])
    place.cover(mask, luma, 128 + rng.uniform(-14, 6), 128 + rng.uniform(-4, 18))
