"""Seams on the grid of blocks, on pictures made of numbers."""

from __future__ import annotations

import numpy as np
import pytest

from streammonitor_worker.media.seams import new_seams, seams, share_between, share_of

SMOOTH = np.tile(np.linspace(40, 200, 160, dtype=np.uint8), (96, 1))


def with_block(left: int, top: int, width: int = 32, height: int = 32) -> np.ndarray:
    picture = SMOOTH.copy()
    picture[top : top + height, left : left + width] = 235
    return picture


def test_smooth_picture_has_no_seam() -> None:
    assert share_of(seams(SMOOTH)) == 0.0


def test_block_on_the_grid_has_seams_above_and_below() -> None:
    found = seams(with_block(32, 16))

    assert set(zip(*np.nonzero(found), strict=True)) == {
        (row, column) for row in (0, 1) for column in range(4, 8)
    }


@pytest.mark.parametrize("top", [33, 37, 40, 44])
def test_block_off_the_grid_has_none(top: int) -> None:
    assert share_of(seams(with_block(32, top))) == 0.0


def test_lines_between_borders_are_seen_as_such() -> None:
    assert share_between(with_block(32, 21)) > 0.0
    assert share_between(with_block(32, 16)) == 0.0


def test_texture_that_steps_everywhere_is_no_seam() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (96, 160), dtype=np.uint8)

    assert share_of(seams(noise)) < 0.02


def test_seam_that_moves_along_is_not_new() -> None:
    before, now = seams(with_block(32, 16)), seams(with_block(40, 16))

    assert share_of(new_seams(now, before)) == 0.0
    assert share_of(new_seams(now, np.zeros_like(now))) == share_of(now)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (17, 16), (40, 30), (33, 7)])
def test_small_pictures_are_survived(height: int, width: int) -> None:
    assert share_of(seams(np.zeros((height, width), np.uint8))) == 0.0
