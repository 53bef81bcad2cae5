"""Steps on the borders of blocks and beside them, on pictures made of numbers."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from streammonitor_worker.media import Picture
from streammonitor_worker.media.grid import Bands, Look, excess_of

RNG = np.random.default_rng(5)
WAVES = 120 + 40 * np.sin(np.arange(320) / 3)[None] + 20 * np.sin(np.arange(192) / 5)[:, None]
SCENE: NDArray[np.uint8] = WAVES.astype(np.uint8)


def looks_at(luma: NDArray[np.uint8], *, depth: int = 8) -> list[Look]:
    bands = Bands()
    plane = luma if depth == 8 else (luma * np.uint16(1 << depth - 8)).astype(np.uint16)
    picture = Picture(plane, None, track="video:0", time=0.0, duration=0.04, depth=depth)
    return [look for _ in range(10) if (look := bands.look(picture)) is not None]


def damaged(*, line: int = 0) -> NDArray[np.uint8]:
    """Single blocks of 16 samples hold what is elsewhere, brighter; `line` rows off the grid."""
    picture = SCENE.copy()
    for row, column in RNG.permutation([(r, c) for r in range(2, 9) for c in range(2, 17)])[:25]:
        top, left = row * 16 + line, column * 16 + line
        picture[top : top + 16, left : left + 16] = SCENE[80:96, 100:116] + 60
    return picture


def test_scene_without_damage_has_no_excess() -> None:
    assert excess_of(looks_at(SCENE)) == 0.0


@pytest.mark.parametrize("depth", [8, 10])
def test_wrong_blocks_on_the_grid_exceed_what_is_between(depth: int) -> None:
    looks = looks_at(damaged(), depth=depth)

    assert excess_of(looks, 2) > 0.01
    assert [int(look.counts.sum(0).argmax()) for look in looks] == [0] * 10


@pytest.mark.parametrize("line", [3, 5, 8, 11])
def test_blocks_off_the_grid_do_not(line: int) -> None:
    looks = looks_at(damaged(line=line))

    assert excess_of(looks) == 0.0
    assert np.sum([look.counts for look in looks], axis=(0, 1)).argmax() == line


def test_window_in_the_picture_has_no_more_than_its_sides() -> None:
    window = SCENE.copy()
    window[48:112, 96:224] = np.clip(SCENE[16:80, 16:144].astype(int) + 60, 0, 255)

    assert excess_of(looks_at(window)) > 0.0
    assert excess_of(looks_at(window), 2) == 0.0


@pytest.mark.parametrize(("height", "width"), [(34, 64), (64, 64), (70, 66), (100, 77), (33, 17)])
def test_small_and_odd_pictures_are_survived(height: int, width: int) -> None:
    noise = RNG.integers(0, 256, (height, width), dtype=np.uint8)

    assert 0.0 <= excess_of(looks_at(noise)) <= 1.0


@pytest.mark.parametrize(("height", "width"), [(1, 1), (32, 640), (640, 15)])
def test_pictures_without_two_blocks_are_not_looked_at(height: int, width: int) -> None:
    assert looks_at(np.zeros((height, width), np.uint8)) == []
