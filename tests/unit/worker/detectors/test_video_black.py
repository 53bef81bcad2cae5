"""video-black: shares that can be counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from streammonitor_worker.detectors.video_black import VideoBlack, VideoBlackSettings
from streammonitor_worker.media import Picture
from tests.support.seeing import Planes, deepened, field, measure, texture

BLACK = (16, 128, 128)


def black_but_for(share: float, height: int = 180, width: int = 320, luma: int = 200) -> Planes:
    """A bright graphic over the first rows of a black picture."""
    planes = field(height, width, BLACK)
    planes[0].reshape(-1)[: round(share * height * width)] = luma
    return planes


@pytest.mark.parametrize(
    ("full_range", "darkest_not_black"), [(False, 38), (True, 26)], ids=["limited", "full"]
)
@pytest.mark.parametrize("depth", [8, 10, 12])
def test_a_tenth_of_the_range_is_still_black(
    full_range: bool, darkest_not_black: int, depth: int
) -> None:
    def said(luma: int, add: int = 0) -> bool:
        planes = deepened(field(colour=(luma, 128, 128)), depth)
        known = {"depth": depth, "full_range": full_range}
        return measure(VideoBlack(), (planes[0] + add, *planes[1:]), **known).present

    assert said(darkest_not_black - 1, add=(1 << depth - 8) - 1)
    assert not said(darkest_not_black)


@pytest.mark.parametrize(("bright", "present"), [(0.019, True), (0.021, False)])
@pytest.mark.parametrize("size", [(90, 160), (480, 854), (1080, 1920), (1081, 1923)], ids=str)
def test_pixels_are_counted_one_by_one(bright: float, present: bool, size: tuple[int, int]) -> None:
    said = measure(VideoBlack(), black_but_for(bright, *size))

    assert said.present is present
    assert said.value == pytest.approx(1 - bright, abs=2 / min(size))


@pytest.mark.parametrize("rows", [slice(1, 120, 4), slice(1, None, 4)], ids=["30", "270"])
def test_lines_that_thinning_out_misses_are_counted(rows: slice) -> None:
    planes = field(1080, 1920, BLACK)
    planes[0][rows] = 180
    bright = len(range(1080)[rows])

    said = measure(VideoBlack(), planes)

    assert said.value == pytest.approx(1 - bright / 1080)
    assert not said.present


def test_dark_scene_is_not_black_although_its_mean_is() -> None:
    planes = field(colour=BLACK)
    planes[0][:, 3:] = 90
    planes[0][:, 19:] = 16

    said = measure(VideoBlack(), planes)

    assert planes[0].mean() < 20
    assert not said.present
    assert said.value == pytest.approx(0.95)


@pytest.mark.parametrize(
    "colour",
    [(32, 240, 118), (41, 240, 110), (0, 0, 0), (32, 200, 128), (16, 128, 152)],
    ids=["blue of BT.709", "blue of BT.601", "lost planes", "dark blue", "dark red"],
)
def test_colour_of_low_luma_is_not_black(colour: tuple[int, int, int]) -> None:
    assert not measure(VideoBlack(), field(colour=colour)).present


def test_black_with_a_tint_is_black() -> None:
    assert measure(VideoBlack(), field(colour=(20, 132, 123))).present


def test_grey_picture_needs_no_chroma() -> None:
    said = list(
        VideoBlack().observe(
            Picture(
                np.full((90, 160), 3, np.uint8),
                None,
                track="video:0",
                time=2.0,
                duration=0.04,
                full_range=True,
            )
        )
    )

    assert [(m.start, m.end, m.present, m.value) for m in said] == [(2.0, 2.04, True, 1.0)]


def test_settings_move_level_and_share() -> None:
    planes = black_but_for(0.1, luma=60)

    assert not measure(VideoBlack(), planes).present
    assert measure(VideoBlack(VideoBlackSettings(share=0.85)), planes).present
    assert measure(VideoBlack(VideoBlackSettings(level=0.25)), planes).present


def test_evidence_comes_with_the_defect_only() -> None:
    assert measure(VideoBlack(), field(colour=BLACK)).evidence == {
        "black_share": 1.0,
        "mean_luma": 16.0,
    }
    assert measure(VideoBlack(), (texture(), *field()[1:])).evidence is None
