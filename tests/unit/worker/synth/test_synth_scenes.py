"""Scenes: the same for the same seed, alive where they should be, within the range of video."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from streammonitor_api.errors import InputError
from streammonitor_worker.synth.canvas import Canvas
from streammonitor_worker.synth.scenes import SCENES, make_scene
from streammonitor_worker.synth.stage import Stage

STAGE = Stage(180, 320, seed=1)
ODD = Stage(135, 241, seed=1)
CELL = 20
"""Pixels a side of the cells in which movement is looked for."""


def moving_cells(scene: str, before_s: float, after_s: float) -> float:
    """Share of the picture's cells that change by more than a level between two times."""
    painted = make_scene(scene, STAGE)
    first, second = (painted(time).luma.astype(int) for time in (before_s, after_s))
    cells = np.abs(first - second).reshape(STAGE.height // CELL, CELL, STAGE.width // CELL, CELL)
    return float(np.mean(cells.mean((1, 3)) > 1))


def black_share(canvas: Canvas) -> float:
    """Share of the pixels that FFmpeg's blackdetect calls black by default."""
    return float(np.mean(canvas.luma <= 16 + 0.1 * 219))


@pytest.mark.parametrize("name", SCENES)
def test_scene_is_the_same_for_the_same_seed_in_any_order(name: str) -> None:
    forward, backward = make_scene(name, STAGE), make_scene(name, STAGE)

    painted = {time: forward(time) for time in (0.0, 0.5, 2.0)}

    for time in (2.0, 0.0, 0.5):
        for plane, again in zip(painted[time].planes, backward(time).planes, strict=True):
            assert np.array_equal(plane, again)


@pytest.mark.parametrize("name", SCENES)
def test_scene_fills_odd_sizes_with_legal_levels(name: str) -> None:
    canvas = make_scene(name, ODD)(1.3)

    assert canvas.luma.shape == (135, 241)
    assert canvas.blue.shape == canvas.red.shape == (68, 121)
    assert canvas.luma.min() >= 12, "the darkest field of SMPTE bars"
    assert canvas.luma.max() <= 240
    assert all(plane.dtype == np.uint8 for plane in canvas.planes)


@pytest.mark.parametrize("name", SCENES)
def test_painting_on_a_picture_does_not_change_the_next(name: str) -> None:
    scene = make_scene(name, STAGE)
    before = scene(1.0).luma.copy()

    for plane in scene(1.0).planes:
        plane[:] = 0

    assert np.array_equal(scene(1.0).luma, before)


@pytest.mark.parametrize("name", ["testcard", "sport", "noise", "grain"])
def test_lively_scene_moves_nearly_everywhere(name: str) -> None:
    assert moving_cells(name, 1.0, 1 + 1 / 30) > 0.9


@pytest.mark.parametrize("name", [name for name in SCENES if name != "static"])
def test_something_moves_within_a_second(name: str) -> None:
    assert moving_cells(name, 1.0, 2.0) > 0


def test_static_scene_never_changes() -> None:
    assert moving_cells("static", 0.0, 100.0) == 0


def test_slide_changes_in_its_clock_only() -> None:
    assert 0 < moving_cells("slide", 1.0, 2.0) < 0.05
    assert moving_cells("slide", 1.0, 1.9) == 0


@pytest.mark.parametrize("name", ["logo-on-black", "credits", "letterbox", "dark"])
def test_black_background_is_not_a_black_picture(name: str) -> None:
    scene = make_scene(name, STAGE)

    shares = [black_share(scene(time)) for time in np.arange(0, 10, 0.5)]

    assert 0.1 < max(shares) < 0.98


def test_fade_is_black_for_less_than_a_second() -> None:
    scene = make_scene("fade", STAGE)

    black = [black_share(scene(number / 25)) >= 0.98 for number in range(25 * 12)]

    longest = max(len(run) for run in "".join("x" if b else " " for b in black).split())
    assert 0.7 < longest / 25 < 1.5


def test_pulldown_repeats_each_fourth_picture() -> None:
    scene = make_scene("pulldown", STAGE)

    pictures = [scene(number * 1001 / 30000).luma for number in range(1, 42)]
    repeats = [n for n, (a, b) in enumerate(pairwise(pictures)) if np.array_equal(a, b)]

    assert len(repeats) == 8
    assert {after - before for before, after in pairwise(repeats)} == {5}


def test_unknown_scene_suggests_the_nearest() -> None:
    with pytest.raises(InputError, match='picture "tescard": unknown; did you mean "testcard"'):
        make_scene("tescard", STAGE)
