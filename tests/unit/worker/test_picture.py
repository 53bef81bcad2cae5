"""`Picture`: views of planes, and the thinned-out picture that detectors share."""

from __future__ import annotations

import numpy as np
import pytest

from streammonitor_worker.media import Picture


def a_picture(width: int, height: int, depth: int = 8, previous: Picture | None = None) -> Picture:
    rows = np.random.default_rng(0).integers(0, 1 << depth, (height, width + 64))
    samples = rows.astype(np.uint8) if depth == 8 else rows.astype(np.uint16)
    return Picture(
        samples[:, :width],
        None,
        track="video:0",
        time=0.0,
        duration=0.04,
        depth=depth,
        previous=previous,
    )


@pytest.mark.parametrize(
    ("width", "height", "step"),
    [
        (160, 90, 1),
        (640, 360, 1),
        (1280, 720, 2),
        (1440, 1080, 2),
        (1918, 1078, 2),
        (1920, 1080, 4),
        (1922, 1081, 4),
        (3840, 2160, 8),
    ],
)
@pytest.mark.parametrize("depth", [8, 10, 12])
def test_small_takes_every_nth_pixel(width: int, height: int, step: int, depth: int) -> None:
    picture = a_picture(width, height, depth)

    expected = (picture.luma >> (depth - 8))[: height // step * step : step]
    expected = expected[:, : width // step * step : step]
    assert picture.step == step
    assert picture.small.dtype == np.uint8
    assert picture.small.flags.c_contiguous
    np.testing.assert_array_equal(picture.small, expected)


def test_previous_picture_is_at_hand_until_it_is_forgotten() -> None:
    first = a_picture(64, 48)
    second = a_picture(64, 48, previous=first)
    assert second.previous_small is first.small
    assert second.previous_tiles is first.tiles

    second.forget_previous()

    assert second.previous_small is None
    assert second.previous_tiles is None


def test_picture_of_another_size_has_no_previous() -> None:
    other = a_picture(64, 48, previous=a_picture(64, 50))

    assert other.previous_small is None
    assert other.change is None


def test_change_is_the_mean_absolute_difference() -> None:
    before = a_picture(64, 48)
    now = Picture(
        before.luma[::-1], None, track="video:0", time=0.04, duration=0.04, previous=before
    )

    assert now.change == pytest.approx(
        np.abs(now.probe.astype(int) - before.probe.astype(int)).mean()
    )


@pytest.mark.parametrize(("width", "height"), [(160, 90), (1280, 720), (1922, 1081)])
@pytest.mark.parametrize("depth", [8, 10])
def test_probe_is_a_sixteenth_of_small(width: int, height: int, depth: int) -> None:
    picture = a_picture(width, height, depth)

    middle = 4 * picture.step
    rows = picture.to_8_bits(picture.luma[middle :: 8 * picture.step])
    np.testing.assert_array_equal(picture.probe, rows[:, :: 2 * picture.step])
