"""Misfits and what stands of them, on pictures made of numbers."""

from __future__ import annotations

import numpy as np
import pytest

from streammonitor_worker.media.misfits import misfits, standing

RNG = np.random.default_rng(5)
WAVES = 120 + 40 * np.sin(np.arange(320) / 3)[None] + 20 * np.sin(np.arange(192) / 5)[:, None]
SCENE: np.ndarray = WAVES.astype(np.uint8)


def damaged(*, line: int = 0) -> np.ndarray:
    """Single blocks of 16 samples hold what is elsewhere, brighter; `line` rows off the grid."""
    picture: np.ndarray = SCENE.copy()
    for row, column in RNG.permutation([(r, c) for r in range(2, 9) for c in range(2, 17)])[:25]:
        top, left = row * 16 + line, column * 16 + line
        picture[top : top + 16, left : left + 16] = SCENE[80:96, 100:116] + 60
    return picture


def test_scene_without_damage_has_none() -> None:
    assert misfits(SCENE, SCENE) == 0.0
    assert standing(SCENE).excess == 0.0


def test_wrong_blocks_on_the_grid_are_misfits_and_stand() -> None:
    spoilt = damaged()

    assert misfits(spoilt, SCENE) > 0.005
    assert standing(spoilt).excess > 0.005


@pytest.mark.parametrize("line", [3, 5, 8, 11])
def test_blocks_off_the_grid_are_no_misfits(line: int) -> None:
    spoilt = damaged(line=line)

    assert misfits(spoilt, SCENE) == 0.0
    assert standing(spoilt).excess == 0.0


def test_blocks_that_were_there_before_are_no_misfits() -> None:
    spoilt = damaged()

    assert misfits(spoilt, spoilt) == 0.0


def test_rectangle_that_appears_is_no_misfit() -> None:
    overlaid = SCENE.copy()
    overlaid[48:112, 96:224] = np.clip(SCENE[16:80, 16:144].astype(int) + 60, 0, 255)

    assert misfits(overlaid, SCENE) == 0.0
    assert standing(overlaid).excess == 0.0


@pytest.mark.parametrize(("height", "width"), [(1, 1), (63, 640), (64, 64), (70, 66), (100, 77)])
def test_small_and_odd_pictures_are_survived(height: int, width: int) -> None:
    noise = RNG.integers(0, 256, (height, width), dtype=np.uint8)

    assert 0.0 <= misfits(noise, noise[::-1].copy()) <= 1.0
    assert standing(noise).excess >= 0.0
