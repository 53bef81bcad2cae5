"""Sums over tiles, against the plain way of computing them."""

from __future__ import annotations

import numpy as np
import pytest

from streammonitor_worker.media.tiles import (
    difference,
    mean_difference,
    picture_tiles,
    rms,
    tile_means,
)

RNG = np.random.default_rng(3)


@pytest.mark.parametrize(
    "size", [(8, 8), (90, 160), (181, 319), (270, 480), (1080, 1928), (2160, 16)], ids=str
)
def test_tile_means_are_the_means_of_tiles(size: tuple[int, int]) -> None:
    samples = RNG.integers(0, 256, size, np.uint8)
    rows, columns = size[0] // 8, size[1] // 8
    whole = samples[: rows * 8, : columns * 8].reshape(rows, 8, columns, 8)

    np.testing.assert_allclose(tile_means(samples), whole.mean((1, 3)), rtol=1e-6)


def test_brightest_tile_does_not_overflow() -> None:
    assert tile_means(np.full((16, 24), 255, np.uint8)).tolist() == [[255.0] * 3] * 2


def test_view_that_is_not_aligned_to_words_has_the_same_means() -> None:
    samples = RNG.integers(0, 256, (40, 101), np.uint8)

    np.testing.assert_array_equal(
        tile_means(samples[:, 5:93]), tile_means(np.ascontiguousarray(samples[:, 5:93]))
    )


@pytest.mark.parametrize("size", [(5, 100), (100, 5), (1, 1)], ids=str)
def test_plane_smaller_than_a_tile_is_one(size: tuple[int, int]) -> None:
    samples = RNG.integers(0, 256, size, np.uint8)

    assert tile_means(samples) == pytest.approx(samples.mean())


def test_large_pictures_are_summed_up_every_other_row() -> None:
    small, large = RNG.integers(0, 256, (270, 480), np.uint8), np.zeros((360, 640), np.uint8)
    large[1::2] = 200

    np.testing.assert_array_equal(picture_tiles(small), tile_means(small))
    assert picture_tiles(large).shape == (45, 80)
    assert not picture_tiles(large).any()


def test_difference_has_no_sign_and_does_not_wrap() -> None:
    one, other = np.array([[0, 255, 7]], np.uint8), np.array([[255, 0, 9]], np.uint8)

    assert difference(one, other).tolist() == [[255, 255, 2]]
    assert mean_difference(one, other) == pytest.approx(512 / 3)


def test_rms_of_values_and_of_none() -> None:
    assert rms(np.array([[3.0, -4.0]], np.float32)) == pytest.approx(np.sqrt(12.5))
    assert rms(np.empty((0, 4), np.float32)) == 0.0
