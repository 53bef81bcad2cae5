"""Moving pictures to watch: what viewers see, and what detectors must not mistake for a defect.

A scene is a function from a time in seconds to a new canvas; the same time gives the same
picture, in any order. It is made for one size and seed by a maker in `SCENES`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import floor, pi, sin
from types import MappingProxyType

import numpy as np

from streammonitor_api.errors import InputError, suggestion
from streammonitor_worker.synth import textures
from streammonitor_worker.synth.canvas import BLACK, U8, WHITE, Canvas

Scene = Callable[[float], Canvas]

_FILM_RATE = Fraction(24000, 1001)
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


def make_scene(name: str, stage: Stage) -> Scene:
    """Make the scene of that name. Raises InputError where there is none."""
    if name not in SCENES:
        raise InputError(f'picture "{name}": unknown; {suggestion(name, SCENES)}')
    return SCENES[name](stage)


def roll(canvas: Canvas, x: float, y: float) -> Canvas:
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
    """Change contrast: the landscape's luma (40 to 212) to `low` to `high`."""
    levels = (np.arange(256) - 40).clip(0, 172) / 172
    table = np.round(low + (high - low) * levels**gamma).astype(np.uint8)
    return Canvas(table[canvas.luma], canvas.blue.copy(), canvas.red.copy())


def _drift(stage: Stage) -> Scene:
    """A camera that never rests, over a landscape in which things go about their business."""
    ground = textures.landscape(stage.height, stage.width, stage.rng("ground"))
    size = max(8, stage.height // 5)
    things = [textures.landscape(size, size, stage.rng(f"thing {n}")) for n in range(4)]
    disc = textures.disc_mask(size)
    # An eighth of the width a second: fast enough that every block changes from picture to
    # picture, slow enough for the eye to follow.
    speed = max(stage.width / 8, 60)

    def drift(time: float) -> Canvas:
        canvas = roll(ground, speed * time, stage.height / 12 * sin(time))
        for n, thing in enumerate(things):
            top = (stage.height - size) * (0.5 + 0.5 * sin((0.9 + 0.2 * n) * time + n))
            left = (stage.width - size) * (0.5 + 0.5 * sin((0.7 + 0.3 * n) * time + 2 * n))
            canvas.paste(thing, int(top), int(left), disc)
        return canvas

    return drift


def _testcard(stage: Stage) -> Scene:
    return with_grain(_drift(stage), stage, 1.2)


def _dark(stage: Stage) -> Scene:
    """Night: most of the picture near black, some of it lit, lamps that pass by."""
    ground = toned(textures.landscape(stage.height, stage.width, stage.rng("night")), 17, 72, 1.6)
    size = max(6, stage.height // 24)
    lamp = Canvas.filled(size, size, (190, 110, 140))
    disc = textures.disc_mask(size)

    def night(time: float) -> Canvas:
        canvas = roll(ground, stage.width / 16 * time, 0)
        for n in range(3):
            left = (n / 3 + (0.11 + 0.05 * n) * time) % 1 * (stage.width + size) - size
            canvas.paste(lamp, int(stage.height * (0.3 + 0.2 * n)), int(left), disc)
        return canvas

    return with_grain(night, stage, 0.7)


def _pan(stage: Stage) -> Scene:
    """A pan that takes two minutes for the width of the picture."""
    ground = textures.landscape(stage.height, stage.width, stage.rng("pan"))
    return lambda time: glide(ground, stage.width / 120 * time)


def _slide(stage: Stage) -> Scene:
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


def _logo_on_black(stage: Stage) -> Scene:
    """A channel's logo, a sixteenth of the picture, that turns from light to dark and back."""
    size = stage.height // 3
    disc = textures.disc_mask(size)

    def logo(time: float) -> Canvas:
        canvas = Canvas.filled(stage.height, stage.width)
        shine = Canvas.filled(size, size, (round(150 + 60 * sin(2 * time)), 90, 160))
        canvas.paste(shine, (stage.height - size) // 2, (stage.width - size) // 2, disc)
        return canvas

    return logo


def _credits(stage: Stage) -> Scene:
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
        moved = roll(scroll, 0, (stage.height / 10 * time) % rows)
        return Canvas(
            moved.luma[: stage.height].copy(),
            moved.blue[: (stage.height + 1) // 2].copy(),
            moved.red[: (stage.height + 1) // 2].copy(),
        )

    return credits_roll


def _letterbox(stage: Stage) -> Scene:
    """A film in 2.39:1 between black bars."""
    inner, bar = _testcard(stage), max(2, round(stage.height - stage.width / 2.39) // 4 * 2)

    def boxed(time: float) -> Canvas:
        canvas = inner(time)
        for top in (0, stage.height - bar):
            canvas.paint(top, 0, bar + 1, stage.width + 1, BLACK)
        return canvas

    return boxed


def _fade(stage: Stage) -> Scene:
    """A film that fades out and in again every 6 s, black for 0.8 s in between."""
    inner = _testcard(stage)

    def fading(time: float) -> Canvas:
        from_black = abs((time - 3) % 6 - 3) - 0.4  # seconds to the nearest end of the black
        share = min(max(from_black, 0.0), 1.0)
        if share == 1.0:
            return inner(time)
        levels = np.arange(256)

        def fade_plane(plane: U8, scale: int) -> U8:
            dark = 16 if scale == 1 else 128
            return np.round(dark + (levels - dark) * share).astype(np.uint8)[plane]

        return inner(time).mapped(fade_plane)

    return fading


def _pulldown(stage: Stage) -> Scene:
    """Film at 23.976: shown at 29.97 each fourth picture comes twice, as fields it is 3:2."""
    inner = _testcard(stage)
    return lambda time: inner(floor(float(time * _FILM_RATE) + 1e-6) / float(_FILM_RATE))


def _noise(stage: Stage) -> Scene:
    """Snow: what a receiver without a signal shows."""
    return with_grain(
        lambda _: Canvas.filled(stage.height, stage.width, (126, 128, 128)), stage, 30
    )


def _static(stage: Stage) -> Scene:
    """A photograph that never changes: to a watcher, frozen from the start."""
    ground = textures.landscape(stage.height, stage.width, stage.rng("ground"))
    return lambda _: ground.copy()


def _cuts(stage: Stage) -> Scene:
    """Shots of 0.4 to 1.5 s of several places, by day and by night."""
    rng = stage.rng("cuts")
    places = [
        toned(textures.landscape(stage.height, stage.width, rng), low, high)
        for low, high in ((40, 212), (24, 120), (90, 225), (50, 180))
    ]
    ends = np.cumsum(rng.uniform(0.4, 1.5, 64))

    def edited(time: float) -> Canvas:
        shot = int(np.searchsorted(ends, time % ends[-1], side="right"))
        way = -1 if shot % 2 else 1
        return roll(places[shot % len(places)], way * stage.width / 10 * time, 0)

    return with_grain(edited, stage, 1.2)


def _gradient(stage: Stage) -> Scene:
    """A sky: one soft slope from edge to edge that slowly turns."""
    rows = np.linspace(-0.5, 0.5, stage.height, dtype=np.float32)[:, None]
    columns = np.linspace(-0.5, 0.5, stage.width, dtype=np.float32)

    def sky(time: float) -> Canvas:
        slope = rows * sin(time / 3) + columns * sin(time / 3 + pi / 2)
        canvas = Canvas.filled(stage.height, stage.width, (126, 150, 110))
        canvas.luma[:] = (126 + 110 * slope).astype(np.uint8)
        return canvas

    return sky


def _blocks(stage: Stage) -> Scene:
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


def _sport(stage: Stage) -> Scene:
    """A camera that whips after the ball: up to one and a half widths a second, players."""
    pitch = toned(textures.landscape(stage.height, stage.width, stage.rng("pitch")), 70, 150)
    size = max(8, stage.height // 8)
    player = textures.landscape(size, size // 2 * 2, stage.rng("player"))
    whole = np.ones((size, size // 2 * 2), bool)

    def match(time: float) -> Canvas:
        pan = stage.width * (0.9 * sin(1.6 * time) + 0.3 * sin(3.1 * time))
        canvas = roll(pitch, pan, 0)
        for n in range(6):
            left = (stage.width * n / 6 - 0.8 * pan + 90 * sin(4 * time + n)) % stage.width
            canvas.paste(player, stage.height * (2 + n) // 10, int(left), whole)
        return canvas

    return with_grain(match, stage, 1.2)


SCENES: Mapping[str, Callable[[Stage], Scene]] = MappingProxyType(
    {
        "testcard": _testcard,
        "blocks": _blocks,
        "credits": _credits,
        "cuts": _cuts,
        "dark": _dark,
        "fade": _fade,
        "gradient": _gradient,
        "grain": lambda stage: with_grain(_pan(stage), stage, 6.0),
        "letterbox": _letterbox,
        "logo-on-black": _logo_on_black,
        "noise": _noise,
        "pan": _pan,
        "pulldown": _pulldown,
        "slide": _slide,
        "sport": _sport,
        "static": _static,
    }
)
