"""Finds seams: borders of macroblocks across which the picture does not go on.

Where slices were lost, a decoder fills in blocks of 16×16 samples from elsewhere. They do not fit
their surroundings: along their borders the luma steps, while on both sides of the step it runs
smoothly. Edges of objects do that too, but anywhere; so seams on the grid of blocks are compared
with those on lines between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streammonitor_worker.media.tiles import difference, mean_difference

if TYPE_CHECKING:
    from numpy.typing import NDArray

    U8 = NDArray[np.uint8]
    Map = NDArray[np.bool_]

BLOCK = 16
"""Samples a side: macroblocks of MPEG-2 and H.264, the smallest coding tree units of HEVC."""
APART = 2 * BLOCK
"""Every other border is looked at: damage is slices long and seldom a single block high."""
_LARGE = 700
"""Rows from which every fourth border will do."""
SEGMENT = 8
"""Samples of a piece of a border that is judged as one."""
BETWEEN = (5, 8, 11)
"""Lines between two borders: two that no codec makes blocks of, and one that mosaics have."""
_INSIDE = 4
"""A line inside of blocks of 16 samples, and of 8."""
_STEP = 12
"""Levels by which a seam exceeds the steps beside it: above what deblocking and noise leave."""
_STEPPED = 6
"""Of the 8 samples of a segment, those that must step: a seam is straight, a crossing edge not."""
_ONE_EACH = np.uint64(0x0101010101010101)
_TOP_BYTE = np.uint64(56)


def borders_apart(height: int) -> int:
    """Rows from a border to the next that is looked at in each picture of so many rows."""
    return APART if height < _LARGE else 2 * APART


def seams(luma: U8, line: int = 0, apart: int = APART, height: int = _STEP) -> Map:
    """Which segments of every other border between rows of blocks are seams.

    luma: (height, width), 8 bits. line: how far below the border to look instead, 0 to 15. apart:
    rows from a border to the next that is looked at. height: of the step of a seam, levels.
    Returns (about height // apart, width // 8), the first row that of the border at 16.

    Where nothing steps, which is nearly everywhere, the rows beside the border are not looked at:
    to fetch them from memory would take as long as all the rest.
    """
    usable = luma.shape[1] // SEGMENT * SEGMENT
    rows = [luma[BLOCK + line + offset :: apart, :usable] for offset in (-2, -1, 0, 1)]
    count = len(rows[-1])
    _, last, first, _ = (row[:count] for row in rows)
    found = _stepped(difference(last, first) > height)
    places = np.nonzero(found)
    if places[0].size:
        # A segment is one word: gathered sample by sample they would take five times as long.
        segments = (row.view(np.uint64)[places].view(np.uint8) for row in rows)
        before, last, first, after = segments
        step = difference(last, first)
        beside = np.maximum(difference(before, last), difference(first, after))
        step -= np.minimum(step, beside)
        found[places] = _stepped(step > height)
    return found


def _stepped(steps: Map) -> Map:
    """Of which segments enough samples step: eight flags each, which are seen as one integer.
    Multiplied, its highest byte is their sum."""
    words = np.ascontiguousarray(steps).view(np.uint64)
    found: Map = ((words * _ONE_EACH) >> _TOP_BYTE) >= _STEPPED
    return found


def new_seams(now: Map, before: Map) -> Map:
    """Those that were not there before, nor right beside: an edge that moves along is not new."""
    came = now & ~before
    if not came.any():
        return came
    known = before.copy()
    known[:, 1:] |= before[:, :-1]
    known[:, :-1] |= before[:, 1:]
    return now & ~known


def share_between(luma: U8, apart: int = APART) -> float:
    """Share of segments that look like seams on lines between the borders, 0-1: the most."""
    return max(share_of(seams(luma, line, apart)) for line in BETWEEN)


def texture(luma: U8) -> float:
    """Mean change from row to row inside of blocks, levels."""
    count = luma.shape[0] // BLOCK * BLOCK
    above, below = (luma[line:count:BLOCK] for line in (_INSIDE, _INSIDE + 1))
    return mean_difference(above, below) if above.size else 0.0


def share_of(found: Map) -> float:
    """Share of the segments that are seams, 0-1."""
    return float(np.count_nonzero(found) / found.size) if found.size else 0.0
