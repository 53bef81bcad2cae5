"""video-flat: fields of one colour, and what only looks like one."""

from __future__ import annotations

import numpy as np
import pytest

from streammonitor_worker.detectors.video_flat import VideoFlat, VideoFlatSettings
from streammonitor_worker.media import Picture
from tests.support.seeing import Colour, Planes, coloured, deepened, field, measure, texture

HD = (1080, 1920)
SIZES = [(90, 160), (181, 319), (480, 854), HD]
COLOURS: dict[str, Colour] = {
    "lost planes": (0, 0, 0),
    "green": (145, 54, 34),
    "grey": (126, 128, 128),
    "blue of BT.601": (41, 240, 110),
    "blue of BT.709": (32, 240, 118),
    "white": (235, 128, 128),
    "dark grey": (45, 128, 128),
}


def noisy(planes: Planes, deviation: float, seed: int = 1) -> Planes:
    rng = np.random.default_rng(seed)
    luma, blue, red = (
        np.clip(plane + rng.normal(0, deviation, plane.shape), 0, 255).astype(np.uint8)
        for plane in planes
    )
    return luma, blue, red


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("colour", COLOURS.values(), ids=COLOURS)
def test_one_colour_is_flat(colour: Colour, size: tuple[int, int]) -> None:
    said = measure(VideoFlat(), field(*size, colour))

    assert said.present
    assert said.value == 0.0
    assert said.evidence == dict(
        zip(("luma", "blue_difference", "red_difference"), colour, strict=True)
    )


@pytest.mark.parametrize("full_range", [False, True], ids=["limited", "full"])
def test_black_is_not_flat(full_range: bool) -> None:
    planes = field(colour=(0 if full_range else 16, 128, 128))

    assert not measure(VideoFlat(), planes, full_range=full_range).present


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_noise_of_a_bad_source_does_not_hide_it(size: tuple[int, int]) -> None:
    assert measure(VideoFlat(), noisy(field(*size), 4.0)).present


def test_ten_bits_are_judged_on_the_scale_of_eight() -> None:
    luma, blue, red = deepened(field(), 10)
    luma[::2] += 12  # three levels of eight bits

    said = measure(VideoFlat(), (luma, blue, red), depth=10)

    assert said.present
    assert said.value < 4
    assert said.evidence == {"luma": 129, "blue_difference": 128, "red_difference": 128}


@pytest.mark.parametrize(("levels", "flat"), [(5, True), (10, False)])
@pytest.mark.parametrize("plane", [0, 1, 2], ids=["luma", "blue", "red"])
@pytest.mark.parametrize("size", [(180, 320), HD], ids=str)
def test_slope_of_more_levels_than_noise_is_not_flat(
    levels: int, flat: bool, plane: int, size: tuple[int, int]
) -> None:
    planes = field(*size)
    width = planes[plane].shape[1]
    planes[plane][:] = 126 + np.linspace(0, levels, width).round().astype(np.uint8)

    assert measure(VideoFlat(), planes).present is flat


def test_colours_of_the_same_luma_are_not_flat() -> None:
    planes = field()
    planes[1][:, : planes[1].shape[1] // 2] = 90

    assert not measure(VideoFlat(), planes).present


@pytest.mark.parametrize("size", [(180, 320), HD], ids=str)
def test_small_detail_is_enough_to_be_a_picture(size: tuple[int, int]) -> None:
    planes = field(*size)
    planes[0][-60:-48, -90:-70] = 190  # a digit or two

    assert not measure(VideoFlat(), planes).present


def test_lines_of_the_blanking_interval_are_no_picture() -> None:
    planes = field(576, 720)
    planes[0][:6] = 200
    planes[0][:, :9] = 16

    assert measure(VideoFlat(), planes).present


@pytest.mark.parametrize("contrast", [3.0, 30.0], ids=["fog", "picture"])
def test_picture_is_not_flat(contrast: float) -> None:
    said = measure(VideoFlat(), coloured(texture(contrast=contrast)))

    assert not said.present
    assert said.evidence is None


def test_grey_format_has_no_chroma_to_ask() -> None:
    grey = Picture(np.full((90, 160), 90, np.uint8), None, track="video:0", time=0, duration=0.04)
    (said,) = VideoFlat().observe(grey)

    assert said.present
    assert said.evidence == {"luma": 90}


def test_setting_makes_it_stricter() -> None:
    planes = noisy(field(), 2.0)

    assert measure(VideoFlat(), planes).present
    assert not measure(VideoFlat(VideoFlatSettings(spread=0.5)), planes).present
