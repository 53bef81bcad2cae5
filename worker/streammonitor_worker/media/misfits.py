"""Finds blocks that came from one picture to the next and do not fit their surroundings.

A closer look than `seams` takes: along both sides of all macroblocks, instead of every other row.
It costs more than decoding a picture, so it is for the few pictures that are suspicious. What is
counted is a seam that was not near before, beside which there is texture. Its like is counted on
lines between the borders, too: where edges of objects come, they come there as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from streammonitor_worker.media.seams import BLOCK, SEGMENT, seams
from streammonitor_worker.media.tiles import difference

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    U8 = NDArray[np.uint8]
    Map = NDArray[np.bool_]

_BETWEEN = (3, 5, 8, 11, 13)
"""Lines between two borders with which those are compared."""
_STEP = 16
"""Levels by which a seam exceeds the steps beside it: above what a re-encode at crf 28 makes."""
_NEAR = 18
"""Samples to either side in which there was no seam before: it may have moved by a block."""
_TEXTURE = 16
"""Levels by which the luma goes up and down along one side of a seam; captions have none."""
_FULLEST = 2
"""Rows and columns that do not count: a rectangle that appears has two of each."""
_IN_ROWS = 0.25
"""Of the misfits that are wanted, those that must be above and below blocks."""
_MOST = 1500
"""Seams that are compared with the picture before, one by one."""
_SMALLEST = 4 * BLOCK
"""Samples a side of a picture in which there is something to compare."""


def misfits(luma: U8, before: U8, least: float = 0.0) -> float:
    """Share of the sides of macroblocks that became seams, beyond that of lines between, 0-1.

    luma, before: (height, width), 8 bits, of the same size: a picture and the one before it.
    least: share from which it matters; 0 may be given instead of less than that, as it is cheaper
    to tell: blocks have sides below and above, so rows alone are looked at first.
    """
    if min(luma.shape) < _SMALLEST:
        return 0.0
    wanted = least * sides(luma)
    if _without_fullest(_new_seams(luma, before, 0)) < wanted * _IN_ROWS:
        return 0.0
    pairs = tuple(zip(_both_ways(luma), _both_ways(before), strict=True))
    found = _weight(pairs, 0)
    between = 0
    for line in _BETWEEN:
        if found <= between or found - between < wanted:
            return 0.0
        between = max(between, _weight(pairs, line))
    return max(0, found - between) / sides(luma)


class Standing(NamedTuple):
    """Shares of the segments that are seams, 0-1."""

    borders: float
    """Of the sides of macroblocks."""
    between: float
    """Of lines between them: the most of several."""

    @property
    def excess(self) -> float:
        return max(0.0, self.borders - self.between)


def standing(luma: U8) -> Standing:
    """How many seams a picture has, whenever they came. luma: (height, width), 8 bits."""
    if min(luma.shape) < _SMALLEST:
        return Standing(0.0, 0.0)
    ways = _both_ways(luma)
    borders, *between = (
        sum(_without_fullest(_textured_seams(way, line)) for way in ways) for line in (0, *_BETWEEN)
    )
    of = sides(luma)
    return Standing(borders / of, max(between) / of)


def sides(luma: U8) -> int:
    """How many segments the sides of all macroblocks have."""
    return 2 * luma.size // (BLOCK * SEGMENT)


def _both_ways(luma: U8) -> tuple[U8, U8]:
    """The picture, and its transpose in which columns are rows, contiguous as `seams` wants it."""
    return luma, np.ascontiguousarray(luma.T)


def _weight(pairs: Iterable[tuple[U8, U8]], line: int) -> int:
    """How many seams came, without the fullest rows and columns."""
    return sum(_without_fullest(_new_seams(now, then, line)) for now, then in pairs)


def _without_fullest(found: Map) -> int:
    """How many there are, but for those in the fullest rows."""
    a_row = found.sum(axis=1)
    return int(a_row.sum() - np.sort(a_row)[-_FULLEST:].sum())


def _textured_seams(luma: U8, line: int) -> Map:
    found = seams(luma, line, BLOCK, _STEP)
    rows, segments = np.nonzero(found)
    found[rows, segments] = _has_texture(luma, rows * BLOCK + BLOCK + line, segments)
    return found


def _new_seams(luma: U8, before: U8, line: int) -> Map:
    found = seams(luma, line, BLOCK, _STEP) & ~seams(before, line, BLOCK, _STEP // 2)
    rows, segments = np.nonzero(found)
    if rows.size > _MOST:
        return found
    borders = rows * BLOCK + BLOCK + line
    stays = _has_texture(luma, borders, segments)
    stays[stays] = ~_was_near(before, borders[stays], segments[stays])
    found[rows, segments] = stays
    return found


def _has_texture(luma: U8, borders: NDArray[np.intp], segments: NDArray[np.intp]) -> Map:
    """Whether the luma goes up and down along a seam, on either side of it."""
    columns = segments[:, None] * SEGMENT + np.arange(SEGMENT)
    found = np.zeros(borders.size, bool)
    for side in (borders - 1, borders):
        samples = luma[side[:, None], columns]
        found |= difference(samples[:, 1:], samples[:, :-1]).sum(1, dtype=np.uint16) >= _TEXTURE
    return found


def _was_near(before: U8, borders: NDArray[np.intp], segments: NDArray[np.intp]) -> Map:
    """Whether there was a seam of half the height within a block of each of these."""
    height, width = before.shape
    tops = np.clip(borders - _NEAR, 0, height - 2 * _NEAR)
    lefts = np.clip((segments - 1) * SEGMENT, 0, width - 3 * SEGMENT)
    windows = np.lib.stride_tricks.sliding_window_view(before, (2 * _NEAR, 3 * SEGMENT))
    around = windows[tops, lefts]
    steps = difference(around[:, 1:], around[:, :-1])
    middle, beside = steps[:, 1:-1], np.maximum(steps[:, :-2], steps[:, 2:])
    stepped = middle - np.minimum(middle, beside) > _STEP // 2
    a_segment = stepped.reshape(borders.size, 2 * _NEAR - 3, 3, SEGMENT).sum(3)
    near: Map = (a_segment >= SEGMENT - 2).any(axis=(1, 2))
    return near
