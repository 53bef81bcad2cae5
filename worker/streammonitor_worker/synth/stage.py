"""What all scenes are made with: their size and randomness, movement, grain, contrast."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import floor

import numpy as np

from streammonitor_worker.synth import textures
from streammonitor_worker.synth.canvas import U8, Canvas
from streammonitor_worker.synth.landscapes import HIGH, LOW

Scene = Callable[[float], Canvas]
"""From a time in seconds to a new canvas; the same time gives the same picture, in any order."""

_TICKS = 240.0
"""Grain is drawn anew this many times a second at most: above any rate of pictures or fields."""


@dataclass(frozen=True)
class Stage:
    """What a scene is made for: its size in pixels and the seed of all that is random."""

    height: int
    width: int
    seed: int

    def rng(self, purpose: str) -> np.random.Generator:
        """Give randomness that depends on seed and purpose only."""
        return np.random.default_rng([self.seed, *purpose.encode()])


def roll(canvas: Canvas, x: float, y: float = 0.0) -> Canvas:
    """Move a periodic canvas left by `x` and up by `y`, rounded to whole colour samples."""
    down, right = -2 * round(y / 2), -2 * round(x / 2)
    return canvas.mapped(
        lambda plane, scale: np.roll(plane, (down // scale, right // scale), (0, 1))
    )


def glide(canvas: Canvas, x: float) -> Canvas:
    """Move a periodic canvas left by `x`, to a 256th of a pixel, as a camera on a tripod does."""

    def between(plane: U8, scale: int) -> U8:
        whole, part = divmod(round(256 * x / scale), 256)
        near = np.roll(plane, -whole, 1).astype(np.uint16)
        mixed = near * (256 - part) + np.roll(near, -1, 1) * part + 128
        return (mixed >> 8).astype(np.uint8)

    return canvas.mapped(between)


def with_grain(scene: Scene, stage: Stage, deviation: float) -> Scene:
    """Add noise of a camera or of film: another cut-out of a larger tile for each picture."""
    spare = 64
    tile = textures.grain_tile(
        stage.height + spare, stage.width + spare, deviation, stage.rng("grain")
    )

    def grainy(time: float) -> Canvas:
        canvas = scene(time)
        tick = floor(time * _TICKS + 0.5)
        # Steps without a common divisor with 64 visit all 4,096 places before one comes again.
        top, left = tick * 37 % spare, (tick * 23 + tick // spare) % spare
        canvas.luma[:] += tile[top : top + stage.height, left : left + stage.width]
        return canvas

    return grainy


def toned(canvas: Canvas, low: int, high: int, gamma: float = 1.0) -> Canvas:
    """Change contrast: a landscape's luma to `low` to `high`."""
    levels = (np.arange(256) - LOW).clip(0, HIGH - LOW) / (HIGH - LOW)
    table = np.round(low + (high - low) * levels**gamma).astype(np.uint8)
    return Canvas(table[canvas.luma], canvas.blue.copy(), canvas.red.copy())
