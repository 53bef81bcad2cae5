"""Spoils pictures: exact to the picture, and the same ones each time.

A defect is made from the sound pictures, the first picture that it spoils, and its options; it
then gives the spoilt picture of any number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from streammonitor_worker.synth.canvas import BLACK, FLAT_COLOURS, U8, Canvas
from streammonitor_worker.synth.options import Rule, Rules
from streammonitor_worker.synth.recipe import Option
from streammonitor_worker.synth.stage import Stage
from streammonitor_worker.synth.textures import colour_bars, grain_tile

Renderer = Callable[[int], Canvas]
"""From the number of a picture to a new canvas."""

_Cell = TypeVar("_Cell", bound=np.generic)

_MACROBLOCK = 16


@dataclass(frozen=True)
class PictureDefect:
    make: Callable[[Renderer, int, Mapping[str, Option], Stage], Renderer]
    rules: Rules


def _still(image: Canvas, options: Mapping[str, Option], stage: Stage) -> Renderer:
    """Show one picture for ever, with noise of `noise` levels if asked."""
    deviation = float(options["noise"])
    if not deviation:
        return lambda _: image.copy()

    def noisy(index: int) -> Canvas:
        canvas = image.copy()
        rng = stage.rng(f"noise {index}")
        sample = grain_tile(stage.height, stage.width, deviation, rng).view(np.int8)
        canvas.luma[:] = np.clip(canvas.luma.astype(np.int16) + sample, 0, 255)
        return canvas

    return noisy


def _black(_: Renderer, __: int, options: Mapping[str, Option], stage: Stage) -> Renderer:
    return _still(Canvas.filled(stage.height, stage.width, BLACK), options, stage)


def _freeze(clean: Renderer, first: int, options: Mapping[str, Option], stage: Stage) -> Renderer:
    return _still(clean(first), options, stage)


def _flat(_: Renderer, __: int, options: Mapping[str, Option], stage: Stage) -> Renderer:
    colour = FLAT_COLOURS[str(options["colour"])]
    return _still(Canvas.filled(stage.height, stage.width, colour), options, stage)


def _bars(_: Renderer, __: int, options: Mapping[str, Option], stage: Stage) -> Renderer:
    return _still(colour_bars(stage.height, stage.width, str(options["kind"])), options, stage)


def _corrupt(clean: Renderer, first: int, options: Mapping[str, Option], stage: Stage) -> Renderer:
    """Paint what a decoder shows that lost slices: runs of macroblocks hold what was there
    before, from the wrong place and with wrong levels, until the defect ends."""
    share = float(options["share"])
    rng = stage.rng(f"corruption {first}")
    rows, columns = (-(-side // _MACROBLOCK) for side in (stage.height, stage.width))
    hit = _damaged_runs(rows, columns, share, rng)
    residue = np.where(rng.random(hit.shape) < 0.5, rng.integers(-60, 61, hit.shape), 0)
    stale = clean(max(0, first - 1))
    vectors = rng.integers(-3 * _MACROBLOCK, 3 * _MACROBLOCK + 1, (4, 2))

    def corrupt(index: int) -> Canvas:
        canvas = clean(index)
        down, right = vectors[(index - first) // 6 % len(vectors)]

        def spoil(plane: U8, before: U8, scale: int) -> None:
            size = _MACROBLOCK // scale
            mask = _spread(hit, size, plane.shape)
            moved = np.roll(before, (int(down) // scale, int(right) // scale), (0, 1))
            wrong = moved.astype(np.int16) + _spread(residue, size, plane.shape)
            np.copyto(plane, np.clip(wrong, 16, 235).astype(np.uint8), where=mask)

        for plane, before, scale in zip(canvas.planes, stale.planes, (1, 2, 2), strict=True):
            spoil(plane, before, scale)
        return canvas

    return corrupt


def _damaged_runs(
    rows: int, columns: int, share: float, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Choose runs of macroblocks in scanning order, as lost slices leave them."""
    hit = np.zeros(rows * columns, bool)
    while hit.mean() < share:
        start = int(rng.integers(0, hit.size))
        hit[start : start + int(rng.integers(3, max(4, columns)))] = True
    return hit.reshape(rows, columns)


def _spread(grid: NDArray[_Cell], size: int, shape: tuple[int, ...]) -> NDArray[_Cell]:
    """Make each cell of a grid `size` pixels wide and high."""
    return np.repeat(np.repeat(grid, size, 0), size, 1)[: shape[0], : shape[1]]


_NOISE: Rules = {"noise": Rule(0.0, minimum=0, maximum=40)}
"""Standard deviation in levels; 40 is snow."""

PICTURE_DEFECTS: Mapping[str, PictureDefect] = MappingProxyType(
    {
        "video-black": PictureDefect(_black, _NOISE),
        "video-block-corruption": PictureDefect(
            _corrupt, {"share": Rule(0.15, minimum=0.001, maximum=1)}
        ),
        "video-colour-bars": PictureDefect(
            _bars, {"kind": Rule("smpte", words=("smpte", "ebu")), **_NOISE}
        ),
        "video-flat": PictureDefect(
            _flat, {"colour": Rule("green", words=tuple(FLAT_COLOURS)), **_NOISE}
        ),
        "video-freeze": PictureDefect(_freeze, _NOISE),
    }
)
