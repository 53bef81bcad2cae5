"""video-colour-bars: bars drawn by the standards' numbers, and what is no bars."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from streammonitor_worker.detectors.video_colour_bars import VideoColourBars
from tests.support.seeing import Planes, coloured, deepened, field, measure, texture

RGB = tuple[float, float, float]
BT601, BT709 = (0.299, 0.114), (0.2126, 0.0722)
WHITE, BLACK = (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)
COLOURS: list[RGB] = [(1, 1, 0), (0, 1, 1), (0, 1, 0), (1, 0, 1), (1, 0, 0), (0, 0, 1)]
SD, HD = (576, 720), (1080, 1920)


def grey(level: float) -> RGB:
    return level, level, level


def at(amplitude: float, colours: Sequence[RGB] = COLOURS) -> list[RGB]:
    return [(r * amplitude, g * amplitude, b * amplitude) for r, g, b in colours]


Canvas = np.ndarray[tuple[int, int, int], np.dtype[np.float64]]


def columns(height: int, width: int, colours: Sequence[RGB]) -> Canvas:
    """Stripes of equal width, RGB 0 to 1: (height, width, 3)."""
    places = np.arange(width) * len(colours) // width
    return np.broadcast_to(np.array(colours)[places], (height, width, 3)).copy()


def ebu(height: int, width: int, white: float = 1.0, amplitude: float = 0.75) -> Canvas:
    return columns(height, width, [grey(white), *at(amplitude), BLACK])


def eg1(height: int, width: int) -> Canvas:
    """Seven bars; below them the reverse blue bars, then -I, white, Q, black and PLUGE."""
    canvas = columns(height, width, [grey(0.75), *at(0.75)])
    castellations = [(0, 0, 0.75), BLACK, (0.75, 0, 0.75), BLACK, (0, 0.75, 0.75), BLACK]
    canvas[height * 2 // 3 :] = columns(1, width, [*castellations, grey(0.75)])
    bottom = [(0, 0.13, 0.3), WHITE, (0.2, 0, 0.42), BLACK, grey(0.04), BLACK]
    canvas[height * 3 // 4 :] = columns(1, width, bottom)
    return canvas


def rp219(height: int, width: int) -> Canvas:
    """Bars between grey sides of an eighth, a ramp and PLUGE below."""
    side = width // 8
    canvas = columns(height, width, [grey(0.4)])
    canvas[:, side : width - side] = columns(height, width - 2 * side, [grey(0.75), *at(0.75)])
    canvas[height * 7 // 12 :] = columns(1, width, [(0, 1, 1), grey(0.75), (0, 0, 1)])
    canvas[height * 3 // 4 :] = columns(1, width, [grey(0.15), BLACK, WHITE, BLACK, grey(0.15)])
    return canvas


def encoded(
    canvas: Canvas, matrix: tuple[float, float] = BT709, *, full_range: bool = False
) -> Planes:
    """Make it Y'CbCr 4:2:0 (ITU-R BT.601 or BT.709)."""
    red_weight, blue_weight = matrix
    red, green, blue = (canvas[:, :, n] for n in range(3))
    luma = red_weight * red + (1 - red_weight - blue_weight) * green + blue_weight * blue
    differences = (blue - luma) / (2 - 2 * blue_weight), (red - luma) / (2 - 2 * red_weight)
    low, span, reach = (0, 255, 255) if full_range else (16, 219, 224)
    planes = [np.round(low + span * luma).astype(np.uint8)]
    for difference in differences:
        planes.append(
            np.clip(np.round(128 + reach * difference[::2, ::2]), 0, 255).astype(np.uint8)
        )
    return planes[0], planes[1], planes[2]


STANDARDS = {
    "EG 1": (eg1, 1.0),
    "RP 219": (rp219, 0.75),
    "EBU 100/0/75/0": (ebu, 0.875),
    "EBU 100/0/100/0": (lambda h, w: ebu(h, w, 1.0, 1.0), 0.875),
    "EBU 75/0/75/0": (lambda h, w: ebu(h, w, 0.75, 0.75), 0.875),
}


@pytest.mark.parametrize("full_range", [False, True], ids=["limited", "full"])
@pytest.mark.parametrize("matrix", [BT601, BT709], ids=["601", "709"])
@pytest.mark.parametrize("size", [(90, 160), (480, 853), SD, HD], ids=str)
@pytest.mark.parametrize("standard", STANDARDS)
def test_bars_of_every_standard(
    standard: str, size: tuple[int, int], matrix: tuple[float, float], full_range: bool
) -> None:
    draw, share = STANDARDS[standard]
    planes = encoded(draw(*size), matrix, full_range=full_range)

    said = measure(VideoColourBars(), planes, full_range=full_range)

    assert said.present
    assert said.value == pytest.approx(share, abs=0.03)
    assert said.evidence == {"bars_share_of_width": round(said.value, 3)}


def test_bars_of_ten_bits() -> None:
    assert measure(VideoColourBars(), deepened(encoded(rp219(*HD)), 10), depth=10).present


@pytest.mark.parametrize("flagged_full", [False, True])
def test_wrong_range_does_not_hide_bars(flagged_full: bool) -> None:
    planes = encoded(eg1(*SD), BT601, full_range=not flagged_full)

    assert measure(VideoColourBars(), planes, full_range=flagged_full).present


@pytest.mark.parametrize(("top", "height"), [(0.1, 0.1), (0.2, 0.12), (0.35, 0.1), (0.4, 0.3)])
def test_ident_box_does_not_hide_bars(top: float, height: float) -> None:
    canvas = ebu(*HD)
    canvas[int(top * 1080) : int((top + height) * 1080), 500:1400] = 0.05

    assert measure(VideoColourBars(), encoded(canvas)).present


def test_bars_between_pillars() -> None:
    canvas = np.zeros((1080, 1920, 3))
    canvas[:, 240:1680] = ebu(1080, 1440)

    said = measure(VideoColourBars(), encoded(canvas))

    assert said.present
    assert said.value == pytest.approx(0.75 * 7 / 8, abs=0.02)


def test_noise_does_not_hide_bars() -> None:
    planes = encoded(eg1(*SD), BT601)
    noise = np.random.default_rng(0).normal(0, 5, planes[0].shape)
    planes[0][:] = np.clip(planes[0] + noise, 0, 255)

    assert measure(VideoColourBars(), planes).present


RAINBOW: list[RGB] = [(1, 0, 0), (1, 0.5, 0), (1, 1, 0), (0, 1, 0), (0, 0, 1), (0.3, 0, 0.5)]
NO_BARS = {
    "mirrored": columns(*SD, [BLACK, *at(0.75)[::-1], grey(0.75)]),
    "one colour missing": columns(*SD, [grey(0.75), *at(0.75, COLOURS[:3] + COLOURS[4:])]),
    "two colours exchanged": columns(
        *SD, [grey(0.75), *at(0.75, [COLOURS[1], COLOURS[0], *COLOURS[2:]])]
    ),
    "rainbow": columns(*SD, RAINBOW),
    "tricolour": columns(*SD, [(0, 0.3, 0.6), WHITE, (0.9, 0.2, 0.2)]),
    "horizontal stripes": columns(576, 576, [grey(0.75), *at(0.75)]).transpose(1, 0, 2),
    "grey staircase": columns(*SD, [grey(level / 7) for level in range(7, -1, -1)]),
    "pastel stripes": columns(*SD, [WHITE, *((0.8 + 0.2 * r, 0.8 + 0.2 * g, 0.8 + 0.2 * b)
                                             for r, g, b in COLOURS)]),
    "black": np.zeros((*SD, 3)),
    "one colour": columns(*SD, [(0, 0.75, 0)]),
}  # fmt: skip


@pytest.mark.parametrize("name", NO_BARS)
def test_stripes_and_fields_are_no_bars(name: str) -> None:
    said = measure(VideoColourBars(), encoded(NO_BARS[name], BT601))

    assert (said.present, said.value) == (False, 0.0)


def test_test_card_with_bars_in_a_part_of_it_is_no_bars() -> None:
    canvas = columns(*HD, [grey(0.5)])
    canvas[150:900, 480:1440] = ebu(750, 960)

    assert not measure(VideoColourBars(), encoded(canvas)).present


def test_bars_in_the_lower_half_only_are_no_bars() -> None:
    canvas = eg1(*HD)
    canvas[:540] = texture(540, 1920)[:, :, None] / 255

    assert not measure(VideoColourBars(), encoded(canvas)).present


def test_uneven_bars_are_no_bars() -> None:
    widths = [200, 40, 90, 90, 200, 60, 40]
    colours = [grey(0.75), *at(0.75)]
    stripes = [columns(576, w, [c]) for w, c in zip(widths, colours, strict=True)]
    canvas: Canvas = np.concatenate(stripes, axis=1)

    assert not measure(VideoColourBars(), encoded(canvas)).present


def test_picture_is_no_bars() -> None:
    planes = coloured(texture())
    planes[1][:, :80] = 90

    assert measure(VideoColourBars(), planes).value == 0.0


def test_bars_without_colour_are_no_bars() -> None:
    luma, _, _ = encoded(ebu(*SD))
    _, blue, red = field(*SD)

    assert measure(VideoColourBars(), (luma, blue, red)).value == 0.0
