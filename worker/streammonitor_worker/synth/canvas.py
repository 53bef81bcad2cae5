"""A picture while it is being made: three planes, 8 bits, limited range, 4:2:0.

Everything is painted in this one form; `frames.py` turns it into what an encoder wants. Luma is
16 (black) to 235 (white), colour differences are 16 to 240 around 128 (ITU-R BT.709).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]
Colour = tuple[int, int, int]
"""Luma, blue difference, red difference."""

BLACK: Colour = (16, 128, 128)
WHITE: Colour = (235, 128, 128)
GREY: Colour = (126, 128, 128)
GREEN: Colour = (145, 54, 34)
BLUE: Colour = (41, 240, 110)
"""75 % and 100 % primaries in BT.601 numbers: what broken encoders and capture cards show."""

FLAT_COLOURS = {"grey": GREY, "green": GREEN, "blue": BLUE, "white": WHITE}


@dataclass(frozen=True, slots=True)
class Canvas:
    """luma: (height, width); blue, red: (ceil(height / 2), ceil(width / 2)); all uint8."""

    luma: U8
    blue: U8
    red: U8

    @classmethod
    def filled(cls, height: int, width: int, colour: Colour = BLACK) -> Canvas:
        """Make a canvas of one colour."""
        half = ((height + 1) // 2, (width + 1) // 2)
        sizes = ((height, width), half, half)
        return cls(*(np.full(s, c, np.uint8) for s, c in zip(sizes, colour, strict=True)))

    @classmethod
    def behind(cls, mask: NDArray[np.bool_], colour: Colour) -> Canvas:
        """Make a canvas of one colour, as large as the mask through which it will be pasted."""
        height, width = mask.shape
        return cls.filled(height, width, colour)

    @property
    def height(self) -> int:
        return int(self.luma.shape[0])

    @property
    def width(self) -> int:
        return int(self.luma.shape[1])

    @property
    def planes(self) -> tuple[U8, U8, U8]:
        return self.luma, self.blue, self.red

    def copy(self) -> Canvas:
        return Canvas(self.luma.copy(), self.blue.copy(), self.red.copy())

    def mapped(self, change: Callable[[U8, int], U8]) -> Canvas:
        """Change each plane; `change` gets it and by how much it is thinned out (1 or 2)."""
        return Canvas(change(self.luma, 1), change(self.blue, 2), change(self.red, 2))

    def cut(self, top: int, height: int) -> Canvas:
        """Cut out some rows, from an even one on."""
        top &= ~1
        return self.mapped(
            lambda plane, scale: plane[top // scale : (top + height + scale - 1) // scale].copy()
        )

    def paint(self, top: int, left: int, height: int, width: int, colour: Colour) -> None:
        """Fill a box, whatever of it is inside."""
        for plane, scale, level in zip(self.planes, (1, 2, 2), colour, strict=True):
            rows = slice(max(0, top) // scale, max(0, top + height) // scale)
            columns = slice(max(0, left) // scale, max(0, left + width) // scale)
            plane[rows, columns] = level

    def paste(self, other: Canvas, top: int, left: int, mask: NDArray[np.bool_]) -> None:
        """Put `other` here wherever `mask` (its luma's shape) holds; what is outside is cut off.

        `top` and `left` are rounded down to even numbers, so that colours stay in place.
        """
        top, left = top & ~1, left & ~1
        for plane, source, scale in zip(self.planes, other.planes, (1, 2, 2), strict=True):
            part = mask[::scale, ::scale]
            row, column = top // scale, left // scale
            first_row, first_column = max(0, -row), max(0, -column)
            rows = min(source.shape[0], plane.shape[0] - row)
            columns = min(source.shape[1], plane.shape[1] - column)
            if rows <= first_row or columns <= first_column:
                continue
            inside = (slice(first_row, rows), slice(first_column, columns))
            target = plane[row + first_row : row + rows, column + first_column : column + columns]
            np.copyto(target, source[inside], where=part[inside])


def weave(upper: Canvas, lower: Canvas) -> Canvas:
    """Join two fields: the even lines of one picture, the odd lines of a later one."""
    woven = lower.copy()
    for plane, source in zip(woven.planes, upper.planes, strict=True):
        plane[::2] = source[::2]
    return woven
