"""What there is to be encoded: the recipe's pictures and sounds, spoilt where it says so.

Also tells the truth about them, in the recipe's own time, in which the first picture and the
first sample are at 0. `clip.py` turns that into media time.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from streammonitor_worker.synth.canvas import Canvas, weave
from streammonitor_worker.synth.defects import Span, spans
from streammonitor_worker.synth.loudness import F32
from streammonitor_worker.synth.picture_defects import PICTURE_DEFECTS, Renderer
from streammonitor_worker.synth.recipe import Recipe
from streammonitor_worker.synth.scenes import make_scene
from streammonitor_worker.synth.sound_defects import SOUND_DEFECTS
from streammonitor_worker.synth.sounds import make_sound
from streammonitor_worker.synth.stage import Stage
from streammonitor_worker.synth.truth import Defect


class Pictures:
    """The pictures of a recipe, by number."""

    def __init__(self, recipe: Recipe) -> None:
        if recipe.picture is None:
            raise ValueError("the recipe has no picture")
        stage = Stage(recipe.height, recipe.width, recipe.seed)
        scene = make_scene(recipe.picture, stage)

        def clean(index: int) -> Canvas:
            if not recipe.interlaced:
                return scene(float(index / recipe.fps))
            upper, lower = (scene(float((2 * index + n) / (2 * recipe.fps))) for n in (0, 1))
            return weave(upper, lower)

        self._clean: Renderer = clean
        self._stage = stage
        self._spans = spans(recipe, "video")
        self._spoilt: dict[int, Renderer] = {}

    def render(self, index: int) -> Canvas:
        """Paint a picture; the caller may write to it."""
        for number, span in enumerate(self._spans):
            if span.first <= index < span.last:
                if number not in self._spoilt:
                    make = PICTURE_DEFECTS[span.injection.detector].make
                    self._spoilt[number] = make(self._clean, span.first, span.options, self._stage)
                return self._spoilt[number](index)
        return self._clean(index)


class Samples:
    """The samples of one audio track of a recipe."""

    def __init__(self, recipe: Recipe, track: int) -> None:
        name = recipe.sounds[track]
        seed = recipe.seed + track
        self._loop = make_sound(name, recipe.audio_rate, recipe.channels, seed, recipe.duration_s)
        self._spans = spans(recipe, "audio", track=track)

    def read(self, first: int, count: int) -> F32:
        """Give (channels, count) samples from sample `first` on."""
        block = self._loop.read(first, count)
        for span in self._spans:
            start, end = max(span.first, first), min(span.last, first + count)
            if start < end:
                part = block[:, start - first : end - first]
                SOUND_DEFECTS[span.injection.detector].apply(part, span.options)
        return block


def material_defects(recipe: Recipe) -> Iterator[Defect]:
    """Tell which defects pictures and sounds have, in the recipe's own time."""
    if recipe.picture is not None:
        for span in spans(recipe, "video"):
            yield _defect(span, "video:0", recipe.fps, recipe.pictures)
    for track in range(len(recipe.sounds)):
        for span in spans(recipe, "audio", track=track):
            yield _defect(span, f"audio:{track}", Fraction(recipe.audio_rate), recipe.samples)


def _defect(span: Span, track: str, rate: Fraction, total: int) -> Defect:
    recovery = None if span.last >= total else float(span.last / rate)
    return Defect(span.injection.detector, track, float(span.first / rate), recovery)
