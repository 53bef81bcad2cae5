"""Recognises colour bars: seven vertical bars in the order that all standards share.

White, yellow, cyan, green, magenta, red, blue, each as wide as the others: SMPTE EG 1 and RP 219
in the upper part of the picture, EBU (ITU-R BT.471) in all of it, at 75 % or 100 %. So the zone
between 8 and 54 % of the height is read, as a few rows: each column's median is a colour, and the
bars are there if the colours come in this order over most of the width. An ident box or a clock
over the bars changes neither the medians nor the order.

Colours are told by their chroma, which no two bars share, with room for either matrix (BT.601,
BT.709), either amplitude and the wrong range: their nearest neighbours are 0.25 apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, groupby, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from streammonitor_worker.media.tiles import difference

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streammonitor_worker.media.picture import Picture, Plane

    U8 = NDArray[np.uint8]

BAR_SHARE = 0.6
"""Share of the width that bars cover at least: 0.66 for EBU bars of 4:3 in a picture of 16:9."""

_TOP, _BOTTOM = 0.08, 0.54
"""The zone that is the same in all of them: the bars of RP 219 end at 7/12 of the height."""
_READ_ROWS = tuple(np.linspace(_TOP, _BOTTOM, 9).tolist())
_READ = (np.arange(192) + 0.5) / 192
"""Rows and columns that are read, as shares of height and width."""
_GLANCE_ROWS = (0.1, 0.3, 0.5)
_GLANCE_COLUMNS = 24
_GLANCE_INSIDE = (0.25, 0.75)
"""Share of the width that is within the seven bars of all standards: each is darker than the one
to its left, in luma of either matrix."""
_GLANCED = np.linspace(*_GLANCE_INSIDE, _GLANCE_COLUMNS)
_GLANCED_COLOURS = 0.7
"""Share of the columns glanced at whose colour is that of a bar: the others are on edges."""
_NEUTRAL = 128
_RISES = 2
"""Between so many of the columns a row may get lighter: noise of a bad analogue source."""
_STEEPEST_RISE = 40
"""Levels; noise of 10 levels RMS, twice over."""
_SAME = 16
"""Levels that a bar may differ from row to row: noise and ringing, but no picture."""
_ALIKE_COLUMNS = 0.6
_ALIKE_SAMPLES = 0.75
"""An ident box covers up to a quarter of the zone."""
_ALIKE_GLANCED = 0.6
"""It hides one of three rows, over all the width if it has to."""
_NARROWEST = 0.03
"""Share of the width below which a run of one colour is an edge or a box, not a bar."""
_UNEVEN = 1.6
"""A bar may be so many times as wide or as narrow as the median one: ramps, cropped edges."""

_MATRICES = ((0.299, 0.114), (0.2126, 0.0722))
"""Weights of red and blue in luma: BT.601 and BT.709."""
_ORDER = ((1, 1, 1), (1, 1, 0), (0, 1, 1), (0, 1, 0), (1, 0, 1), (1, 0, 0), (0, 0, 1))
_NO_COLOUR = -1
_GREYEST = 0.08
"""Chroma up to which a column is white, grey or black."""
_WHITEST = 0.6
"""Luma from which a column without colour is white: bars have 0.75 or 1, RP 219's sides 0.4."""
_APART = 0.13
"""Distance of chroma up to which a colour is that of a bar: a 75 % bar read in the wrong matrix
is 0.12 off."""


def _chroma_table() -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Chroma of the six colours in both matrices, at 75 % and 100 %, and whose each is."""
    rows, owners = [], []
    for red_weight, blue_weight in _MATRICES:
        for amplitude in (0.75, 1.0):
            for index, (red, green, blue) in enumerate(_ORDER[1:], start=1):
                luma = red_weight * red + blue_weight * blue
                luma += (1 - red_weight - blue_weight) * green
                chroma = (blue - luma) / (1 - blue_weight), (red - luma) / (1 - red_weight)
                rows.append([0.5 * amplitude * part for part in chroma])
                owners.append(index)
    return np.array(rows, np.float32), np.array(owners)


_CHROMA, _OWNERS = _chroma_table()


def bar_share(picture: Picture) -> float:
    """Share of the picture's width that the seven bars cover, 0 where they are not all there."""
    if not _may_be_bars(picture) or picture.chroma is None:
        return 0.0
    glance = _columns(picture, _GLANCE_ROWS, _GLANCED, _ALIKE_GLANCED)
    if glance is None or not _in_order(glance):
        return 0.0
    colours = _columns(picture, _READ_ROWS, _READ, _ALIKE_SAMPLES)
    return 0.0 if colours is None else _covered(colours)


def _columns(
    picture: Picture, rows: Sequence[float], columns: NDArray[np.floating[Any]], alike: float
) -> NDArray[np.intp] | None:
    """Which bar's colour each column has, by the median of some rows; None if the rows differ.

    `rows` and `columns` are shares of the height and the width, `alike` of the samples.
    """
    luma = _grid(picture, picture.luma, rows, columns)
    column_luma = _median(luma)
    if np.count_nonzero(np.abs(luma - column_luma) <= _SAME) < alike * luma.size:
        return None
    span = picture.white - picture.black
    chroma = np.stack(
        [
            (_median(_grid(picture, plane, rows, columns)) - _NEUTRAL) / span
            for plane in picture.chroma or ()
        ],
        axis=1,
    )
    return _colours((column_luma - picture.black) / span, chroma)


def _in_order(colours: NDArray[np.intp]) -> bool:
    """Whether most columns have the colour of a bar, one bar after the other."""
    found = colours[colours != _NO_COLOUR]
    if len(found) < _GLANCED_COLOURS * len(colours):
        return False
    return bool(np.all(found[1:] >= found[:-1]))


def _median(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Median of an odd number of rows: what `np.median` says, in a fifth of its time."""
    middle: NDArray[np.float32] = np.sort(samples, axis=0)[len(samples) // 2]
    return middle


def _may_be_bars(picture: Picture) -> bool:
    """Glance at three rows: two that get darker from left to right are alike. An ident box may
    hide the third."""
    probe = picture.probe
    rows = (probe[int(share * len(probe))] for share in _GLANCE_ROWS)
    darker = [row for row in rows if _gets_darker(row)]
    return any(_alike(one, other) for one, other in combinations(darker, 2))


def _gets_darker(row: U8) -> bool:
    first, last = (int(share * len(row)) for share in _GLANCE_INSIDE)
    levels = row[first : last : max(1, (last - first) // _GLANCE_COLUMNS)].tolist()
    if not levels or levels[0] - levels[-1] <= 2 * _SAME:
        return False
    rises = [right - left for left, right in pairwise(levels) if right > left + _SAME]
    return len(rises) <= _RISES and max(rises, default=0) <= _STEEPEST_RISE


def _alike(one: U8, other: U8) -> bool:
    return bool(np.count_nonzero(difference(one, other) <= _SAME) >= _ALIKE_COLUMNS * len(one))


def _grid(
    picture: Picture, plane: Plane, rows: Sequence[float], columns: NDArray[np.floating[Any]]
) -> NDArray[np.float32]:
    """Samples at these shares of height and width, on the 8-bit scale."""
    at_rows = [int(share * plane.shape[0]) for share in rows]
    at_columns = (columns * plane.shape[1]).astype(np.intp)
    return picture.to_8_bits(plane[at_rows][:, at_columns]).astype(np.float32)


def _colours(
    luma: NDArray[np.floating[Any]], chroma: NDArray[np.floating[Any]]
) -> NDArray[np.intp]:
    """Which bar's colour each column has: its place in `_ORDER`, or `_NO_COLOUR`."""
    distances = np.linalg.norm(chroma[:, None, :] - _CHROMA[None], axis=2)
    nearest = distances.argmin(axis=1)
    colours = np.where(distances.min(axis=1) <= _APART, _OWNERS[nearest], _NO_COLOUR)
    grey = np.linalg.norm(chroma, axis=1) <= _GREYEST
    colours[grey] = np.where(luma[grey] >= _WHITEST, 0, _NO_COLOUR)
    return colours


def _covered(colours: NDArray[np.intp]) -> float:
    """Share of the columns from the first to the last of seven bars in order."""
    runs: list[tuple[int, int, int]] = []
    at = 0
    for colour, group in groupby(colours.tolist()):
        width = len(list(group))
        if colour != _NO_COLOUR and width >= _NARROWEST * len(colours):
            runs.append((colour, at, at + width))
        at += width
    for first in range(len(runs) - len(_ORDER) + 1):
        bars = runs[first : first + len(_ORDER)]
        if [colour for colour, _, _ in bars] != list(range(len(_ORDER))):
            continue
        widths = [end - start for _, start, end in bars]
        usual = float(np.median(widths))
        if all(usual / _UNEVEN <= width <= usual * _UNEVEN for width in widths):
            return (bars[-1][2] - bars[0][1]) / len(colours)
    return 0.0
