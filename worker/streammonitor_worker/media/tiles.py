"""Sums over tiles of 8×8 samples: what changed where, without looking at single samples.

Quantisation noise nearly cancels out inside a tile, since codecs keep the mean of a block; what
moves, fades or appears does not. Eight samples of 8 bits are one 64-bit word, so that a tile is
summed with eight additions: 0.05 ms for the thinned-out luma of 1080p.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    U8 = NDArray[np.uint8]
    F32 = NDArray[np.float32]

TILE = 8
_LOW_BYTES = np.uint64(0x00FF00FF00FF00FF)
_ONE_EACH = np.uint64(0x0001000100010001)
_BAND_WORDS = 8192
"""Words that are summed at a time. More than 128 KB of memory would be fetched from the system
and given back each time, which takes ten times as long as the sums."""
_ALL_ROWS = 1 << 17
"""Samples up to which every row is summed up: those of thinned-out 1080p. Pictures from 360p to
480p are not thinned out, but decoded in a fifth of the time."""
_BYTE, _TOP = np.uint64(8), np.uint64(48)


def tile_means(samples: U8, tile_rows: int = TILE) -> F32:
    """Mean of each whole tile, 0-255: (height // tile_rows, width // 8).

    `samples` is two-dimensional and contiguous along its rows; what is left over at the right
    and at the bottom is ignored. A plane smaller than a tile is one tile. tile_rows: 1 to 32.
    """
    rows, columns = samples.shape[0] // tile_rows, samples.shape[1] // TILE
    if not rows or not columns:
        return np.array([[samples.mean()]], np.float32)
    words = samples[: rows * tile_rows, : columns * TILE].view(np.uint64)
    band = max(1, _BAND_WORDS // (tile_rows * columns))
    means = np.empty((rows, columns), np.float32)
    for first in range(0, rows, band):
        part = words[first * tile_rows : (first + band) * tile_rows]
        # Each lane of 16 bits takes the sum of at most 256 samples, 65,280.
        pairs = part & _LOW_BYTES
        pairs += (part >> _BYTE) & _LOW_BYTES
        lanes = np.add.reduce(pairs.reshape(-1, tile_rows, columns), axis=1)
        means[first : first + band] = (lanes * _ONE_EACH) >> _TOP
    means /= tile_rows * TILE
    return means


def picture_tiles(small: U8) -> F32:
    """Means of tiles of 8×8 samples of a thinned-out picture; of a large one, every other row."""
    return tile_means(small) if small.size <= _ALL_ROWS else tile_means(small[::2], TILE // 2)


def difference(one: U8, other: U8) -> U8:
    """|one - other|, sample by sample."""
    apart: U8 = np.maximum(one, other)
    apart -= np.minimum(one, other)
    return apart


def mean_difference(one: U8, other: U8) -> float:
    """Mean absolute difference of their samples, levels; up to 16 million of them."""
    apart = difference(one, other)
    return int(np.add.reduce(apart, axis=None, dtype=np.uint32)) / apart.size


def rms(values: F32) -> float:
    """Root of the mean square; 0 for none."""
    flat = values.ravel()
    return float(np.sqrt(flat.dot(flat) / flat.size)) if flat.size else 0.0
