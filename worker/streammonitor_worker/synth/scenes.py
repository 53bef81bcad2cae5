"""Moving pictures to watch: what viewers see, and what detectors must not mistake for a defect.

A scene is made for one size and seed by a maker in `SCENES`. Those of cameras are here, drawn ones
in `graphics.py`; what they have in common, in `stage.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from math import floor, sin
from types import MappingProxyType

import numpy as np

from streammonitor_api.errors import InputError, suggestion
from streammonitor_worker.synth import graphics, textures
from streammonitor_worker.synth.canvas import BLACK, U8, Canvas
from streammonitor_worker.synth.landscapes import landscape
from streammonitor_worker.synth.stage import Scene, Stage, glide, roll, toned, with_grain

_FILM_RATE = Fraction(24000, 1001)


def make_scene(name: str, stage: Stage) -> Scene:
    """Make the scene of that name. Raises InputError where there is none."""
    if name not in SCENES:
        raise InputError(f'picture "{name}": unknown; {suggestion(name, SCENES)}')
    return SCENES[name](stage)


def _drift(stage: Stage) -> Scene:
    """A camera that never rests, over a landscape in which things go about their business."""
    swing = max(2, stage.height // 12)  # of the camera, up and down
    ground = landscape(stage.height + 2 * swing, stage.width, stage.rng("ground"))
    size = max(8, stage.height // 5)
    things = [textures.marble(size, size, stage.rng(f"thing {n}")) for n in range(4)]
    disc = textures.disc_mask(size)
    # An eighth of the width a second: fast enough that every block changes from picture to
    # picture, slow enough for the eye to follow.
    speed = max(stage.width / 8, 60)

    def drift(time: float) -> Canvas:
        canvas = roll(ground, speed * time).cut(int(swing * (1 + sin(time))), stage.height)
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
    ground = toned(landscape(stage.height, stage.width, stage.rng("night")), 17, 72, 1.6)
    size = max(6, stage.height // 24)
    lamp = Canvas.filled(size, size, (190, 110, 140))
    disc = textures.disc_mask(size)

    def night(time: float) -> Canvas:
        canvas = roll(ground, stage.width / 16 * time)
        for n in range(3):
            left = (n / 3 + (0.11 + 0.05 * n) * time) % 1 * (stage.width + size) - size
            canvas.paste(lamp, int(stage.height * (0.3 + 0.2 * n)), int(left), disc)
        return canvas

    return with_grain(night, stage, 0.7)


def _pan(stage: Stage) -> Scene:
    """A pan that takes two minutes for the width of the picture."""
    ground = landscape(stage.height, stage.width, stage.rng("pan"))
    return lambda time: glide(ground, stage.width / 120 * time)


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
    ground = landscape(stage.height, stage.width, stage.rng("ground"))
    return lambda _: ground.copy()


def _cuts(stage: Stage) -> Scene:
    """Shots of 0.4 to 1.5 s of several places, by day and by night."""
    rng = stage.rng("cuts")
    places = [
        toned(landscape(stage.height, stage.width, rng), low, high)
        for low, high in ((40, 212), (24, 120), (90, 225), (50, 180))
    ]
    ends = np.cumsum(rng.uniform(0.4, 1.5, 64))

    def edited(time: float) -> Canvas:
        shot = int(np.searchsorted(ends, time % ends[-1], side="right"))
        way = -1 if shot % 2 else 1
        return roll(places[shot % len(places)], way * stage.width / 10 * time)

    return with_grain(edited, stage, 1.2)


def _sport(stage: Stage) -> Scene:
    """A camera that whips after the ball: up to one and a half widths a second, players."""
    pitch = toned(landscape(stage.height, stage.width, stage.rng("pitch")), 70, 150)
    size = max(8, stage.height // 8)
    player = textures.marble(size, size // 2 * 2, stage.rng("player"))
    whole = np.ones((size, size // 2 * 2), bool)

    def match(time: float) -> Canvas:
        pan = stage.width * (0.9 * sin(1.6 * time) + 0.3 * sin(3.1 * time))
        canvas = roll(pitch, pan)
        for n in range(6):
            left = (stage.width * n / 6 - 0.8 * pan + 90 * sin(4 * time + n)) % stage.width
            canvas.paste(player, stage.height * (2 + n) // 10, int(left), whole)
        return canvas

    return with_grain(match, stage, 1.2)


SCENES: Mapping[str, Callable[[Stage], Scene]] = MappingProxyType(
    {
        "testcard": _testcard,
        "blocks": graphics.sharp_blocks,
        "credits": graphics.rolling_credits,
        "cuts": _cuts,
        "dark": _dark,
        "fade": _fade,
        "gradient": graphics.turning_gradient,
        "grain": lambda stage: with_grain(_pan(stage), stage, 6.0),
        "letterbox": _letterbox,
        "logo-on-black": graphics.logo_on_black,
        "noise": _noise,
        "pan": _pan,
        "pulldown": _pulldown,
        "slide": graphics.slide_with_clock,
        "sport": _sport,
        "static": _static,
    }
)
