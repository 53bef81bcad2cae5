"""Scenes that are drawn rather than filmed: text, logos, slopes and sharp edges."""

from __future__ import annotations

from math import floor, pi, sin

import numpy as np

from streammonitor_worker.synth import textures
from streammonitor_worker.synth.canvas import WHITE, Canvas
from streammonitor_worker.synth.stage import Scene, Stage, roll


def slide_with_clock(stage: Stage) -> Scene:
    """A slide of a talk, with a clock of 1/20 of the height that counts seconds."""
    page = Canvas.filled(stage.height, stage.width, (60, 150, 116))
    letter = max(1, stage.height // 60)
    for n, line in enumerate(("TEST SLIDE", "THE PICTURE STANDS", "THE CLOCK DOES NOT")):
        mask = textures.text_mask(line, letter)
        page.paste(Canvas.behind(mask, WHITE), stage.height * (1 + n) // 5, 24, mask)
    small = max(1, stage.height // 100)

    def slide(time: float) -> Canvas:
        canvas = page.copy()
        seconds = floor(time + 1e-6)
        clock = f"{seconds // 3600 % 24:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
        mask = textures.text_mask(clock, small)
        left = stage.width - mask.shape[1] - 16
        canvas.paste(Canvas.behind(mask, WHITE), stage.height * 9 // 10, left, mask)
        return canvas

    return slide


def logo_on_black(stage: Stage) -> Scene:
    """A channel's logo, a sixteenth of the picture, that turns from light to dark and back."""
    size = stage.height // 3
    disc = textures.disc_mask(size)

    def logo(time: float) -> Canvas:
        canvas = Canvas.filled(stage.height, stage.width)
        shine = Canvas.filled(size, size, (round(150 + 60 * sin(2 * time)), 90, 160))
        canvas.paste(shine, (stage.height - size) // 2, (stage.width - size) // 2, disc)
        return canvas

    return logo


def rolling_credits(stage: Stage) -> Scene:
    """Names that roll up on black."""
    rng = stage.rng("credits")
    scale = max(1, stage.height // 90)
    pitch = scale * 9
    lines = max(12, stage.height // pitch + 2)
    scroll = Canvas.filled(lines * pitch, stage.width)
    letters = "ABCDEFGHIJKLMNOPRSTUVWY"
    for n in range(lines):
        name = "".join(letters[i] for i in rng.integers(0, len(letters), rng.integers(12, 22)))
        mask = textures.text_mask(f"{name[:5]} {name[5:]}", scale)[:, : stage.width]
        left = (stage.width - mask.shape[1]) // 2
        scroll.paste(Canvas.behind(mask, (220, 128, 128)), n * pitch, left, mask)
    rows = scroll.height

    def credits_roll(time: float) -> Canvas:
        return roll(scroll, 0, (stage.height / 10 * time) % rows).cut(0, stage.height)

    return credits_roll


def turning_gradient(stage: Stage) -> Scene:
    """A sky: one soft slope from edge to edge that slowly turns."""
    rows = np.linspace(-0.5, 0.5, stage.height, dtype=np.float32)[:, None]
    columns = np.linspace(-0.5, 0.5, stage.width, dtype=np.float32)

    def sky(time: float) -> Canvas:
        slope = rows * sin(time / 3) + columns * sin(time / 3 + pi / 2)
        canvas = Canvas.filled(stage.height, stage.width, (126, 150, 110))
        canvas.luma[:] = (126 + 110 * slope).astype(np.uint8)
        return canvas

    return sky


def sharp_blocks(stage: Stage) -> Scene:
    """Graphics with sharp edges: checkerboard, mosaic, boxes, on the grid of 16 pixels and off."""
    rng = stage.rng("blocks")
    across, down = stage.width // 2, stage.height // 2
    page = Canvas.filled(stage.height, stage.width, (100, 120, 140))
    checks = np.add.outer(np.arange(down) // 16, np.arange(across) // 16) % 2
    page.luma[:down, :across] = np.where(checks, 200, 40)
    mosaic = rng.integers(40, 212, (down // 24 + 1, across // 24 + 1)).astype(np.uint8)
    page.luma[:down, across : 2 * across] = np.kron(mosaic, np.ones((24, 24), np.uint8))[
        :down, :across
    ]
    boxes = [
        (*rng.integers(8, (down, across)), *rng.integers(20, 90, 2), rng.integers(30, 220))
        for _ in range(12)
    ]

    def graphics(time: float) -> Canvas:
        canvas = page.copy()
        for n, (top, left, tall, wide, luma) in enumerate(boxes):
            step = 16 if n % 2 else 14  # half of them jump along the grid of macroblocks
            moved = int(left) + step * floor((3 + n % 4) * time)
            place = moved % stage.width
            canvas.paint(down + int(top), place, int(tall), int(wide), (int(luma), 100, 150))
        return canvas

    return graphics
