"""How many steps of a picture lie on the borders of macroblocks, and how many elsewhere.

Edges of what a scene shows lie anywhere: as many on one line of sixteen as on another. Blocks that
were filled in or predicted wrongly end on the borders of macroblocks, all of them, and bring the
same number of steps to other lines only as far as the scene does. So steps are counted by their
distance from a border, and what the borders have beyond twice the usual is the excess. A picture
needs no comparison with the one before it for that, and an encoder that blurs every other picture
takes away only some of it.

A band is 16 rows from one border to the next, with those beside them. A few are looked at in a
picture, others in the next: a whole one would cost as much as decoding it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from streammonitor_worker.media.seams import BLOCK, SEGMENT
from streammonitor_worker.media.tiles import difference

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from streammonitor_worker.media.picture import Picture

    U8 = NDArray[np.uint8]
    Map = NDArray[np.bool_]
    Counts = NDArray[np.int64]

_ABOVE, _BELOW = 2, 1
"""Rows of a band beyond its own: those that a step has on either side."""
_STEP = 12
"""Levels by which a step exceeds those beside it, as in `seams`."""
_STEPPED = 6
"""Samples of the 8 of a segment that must step."""
_SIDES = 1300
"""Sides of blocks that are looked at in a picture: two of five of 360p, one of 25 of 1080p."""
_TURN = 0.618
"""Golden section: the bands of one look after the other are spread evenly over the picture."""
_IN_LINE = 2
"""Segments of one line that count: edges of graphics and tiles go on and on."""
_BESIDE, _AT_LEAST = 2.0, 2.0
"""What is usual is twice the median of the 16 distances and two more: edges come in groups."""
_ONE_EACH = np.uint64(0x0101010101010101)
_TOP_BYTE = np.uint64(56)


class Look(NamedTuple):
    """Steps that were counted in a picture, in segments of 8 samples."""

    counts: Counts
    """By their distance from a border: (2, 16), steps between rows and between columns."""
    rows: Counts
    """Of those on borders, how many on which border between rows; 0 where none was looked at."""
    columns: Counts
    """The same between columns."""
    sides: int
    """Sides of blocks that were looked at."""


class Bands:
    """Chooses the bands to look at, others in each picture."""

    def __init__(self) -> None:
        self._turn = 0.0

    def look(self, picture: Picture) -> Look | None:
        """Count steps in the next bands of this picture; None in one that is too small."""
        places = (picture.height - _BELOW) // BLOCK - 1
        width = picture.width // BLOCK * BLOCK
        if places < 1 or not width:
            return None
        in_band = 2 * width // SEGMENT
        number = min(places, max(2, round(_SIDES / in_band)))
        self._turn = (self._turn + _TURN) % 1
        first = int(self._turn * places)
        chosen = [(first + n * places // number) % places for n in range(number)]
        bands = np.empty((number, _ABOVE + BLOCK + _BELOW, width), np.uint8)
        for band, place in zip(bands, chosen, strict=True):
            top = BLOCK * (place + 1) - _ABOVE
            band[:] = picture.to_8_bits(picture.luma[top : top + len(band), :width])
        by_row, by_column = count_steps(bands)
        rows = np.zeros(places, np.int64)
        rows[chosen] = by_row[:, 0]
        counts = np.stack((by_row.sum(0), by_column.sum(0)))
        return Look(counts, rows, by_column[:, 0], number * in_band)


def count_steps(bands: U8) -> tuple[Counts, Counts]:
    """How many segments of 8 samples step, between rows and between columns.

    bands: (number, 19, width), 8 bits, the width a multiple of 16. Returns (number, 16) and
    (width // 16, 16), by border and distance from it.
    """
    return _between_rows(bands), _between_columns(bands)


def excess(counts: Counts, sides: int, on_borders: Counts | None = None) -> float:
    """Share of the sides of blocks that are steps, beyond what is usual elsewhere, 0-1.

    counts: by distance from a border, (2, 16). on_borders: instead of those at a distance of 0.
    """
    middle = np.sort(counts, axis=1)[:, BLOCK // 2 - 1 : BLOCK // 2 + 1].sum(1)
    beyond = (counts[:, 0] if on_borders is None else on_borders) - _BESIDE / 2 * middle - _AT_LEAST
    return float(beyond[beyond > 0].sum()) / sides


def excess_of(looks: Sequence[Look], fullest: int = 0) -> float:
    """The same of looks together. fullest: borders each way that count no more than the next one,
    those with most steps: a window in the picture, or a bar, has two."""
    counts = np.sum([look.counts for look in looks], axis=0)
    on_borders = counts[:, 0].copy()
    for way, lines in enumerate(zip(*((look.rows, look.columns) for look in looks), strict=True)):
        *_, most = np.split(np.sort(np.sum(lines, axis=0)), [-fullest - 1])
        on_borders[way] -= int((most - most[0]).sum())
    return excess(counts, sum(look.sides for look in looks), on_borders)


def _between_rows(bands: U8) -> Counts:
    steps = difference(bands[:, 1:], bands[:, :-1])
    exceeding = _exceeds(steps[:, 1:-1], steps[:, :-2], steps[:, 2:])
    found = _enough((exceeding.view(np.uint64) * _ONE_EACH) >> _TOP_BYTE)
    ends = found.copy()
    ends[:, :, _IN_LINE:] &= ~(found[:, :, 1:-1] & found[:, :, :-_IN_LINE])
    counts: Counts = ends.sum(2)
    return counts


def _between_columns(bands: U8) -> Counts:
    number, _, width = bands.shape
    rows = bands[:, _ABOVE : _ABOVE + BLOCK]
    steps = difference(rows[:, :, 1:], rows[:, :, :-1])
    exceeding = np.zeros((number, BLOCK, width), np.bool_)
    exceeding[:, :, 2:-1] = _exceeds(steps[:, :, 1:-1], steps[:, :, :-2], steps[:, :, 2:])
    words = exceeding.view(np.uint64).reshape(-1, SEGMENT, width // SEGMENT)
    found = _enough(np.add.reduce(words, axis=1).view(np.uint8))
    in_line = np.minimum(found.sum(0), _IN_LINE)
    counts: Counts = in_line.reshape(-1, BLOCK)
    return counts


def _exceeds(here: U8, before: U8, after: U8) -> Map:
    """Which steps exceed those on either side."""
    beside = np.maximum(before, after)
    np.minimum(beside, here, out=beside)
    np.subtract(here, beside, out=beside)
    exceeding: Map = beside > _STEP
    return exceeding


def _enough(samples: NDArray[np.uint8] | NDArray[np.uint64]) -> Map:
    enough: Map = samples >= _STEPPED
    return enough
