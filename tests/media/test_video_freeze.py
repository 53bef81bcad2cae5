"""video-freeze on encoded clips: found to the picture, and not where something lives.

All four detectors of what a picture shows run at once: one cause must be told once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streammonitor_worker.detectors.video_black import VideoBlack
from streammonitor_worker.detectors.video_colour_bars import VideoColourBars
from streammonitor_worker.detectors.video_flat import VideoFlat
from streammonitor_worker.detectors.video_freeze import VideoFreeze
from streammonitor_worker.incidents import Defect
from streammonitor_worker.synth import Injection, Recipe, write_clip
from tests.support.seeing import (
    FPS,
    Planes,
    coloured,
    drawn_by_ffmpeg,
    encode,
    incidents,
    pictures_of,
    planes_of,
    texture,
    told_by_ffmpeg,
)

FREEZE = Injection("video-freeze", 2.2, 2.6)
SMALL = Recipe(
    duration_s=6.5, width=320, height=180, fps=Fraction(25), sound=None, injections=[FREEZE]
)
SCENE = texture(180, 480, contrast=40)


def found(path: Path) -> dict[str, list[Defect]]:
    """Incidents of the four detectors, by name."""
    detectors = [VideoFreeze(), VideoBlack(), VideoFlat(), VideoColourBars()]
    return incidents(detectors, pictures_of(path))


def assert_frozen(path: Path, onset_s: float, recovery_s: float, picture_s: float) -> None:
    """The freeze is found, to the picture, and nothing else."""
    by_name = found(path)
    assert list(by_name) == ["video-freeze"]
    (freeze,) = by_name["video-freeze"]
    assert freeze.onset == pytest.approx(onset_s, abs=1.1 * picture_s)
    assert freeze.recovery == pytest.approx(recovery_s, abs=1.1 * picture_s)


def moved(by: float) -> Planes:
    whole, part = int(by // 1), by % 1
    near, far = SCENE[:, whole : whole + 320], SCENE[:, whole + 1 : whole + 321]
    return coloured((near * (1 - part) + far * part).round().astype(np.uint8))


def frozen_film(before: int = 45, rest: int = 75, after: int = 35) -> Iterator[Planes]:
    """A pan of 2 pixels a picture that stands still in between."""
    return chain(
        (moved(2 * n) for n in range(before)),
        repeat(moved(2 * before), rest),
        (moved((2 * before + 2 * n) % 160) for n in range(1, after)),
    )


ENCODED: dict[str, dict[str, Any]] = {
    "constant quality": {},
    "low quality": {"crf": 35},
    "low bitrate": {"video_bitrate": 120_000, "gop_s": 1.0},
    "ten bits, 23.976": {
        "video_codec": "hevc", "pix_fmt": "yuv420p10le", "fps": Fraction(24000, 1001),
    },
    "interlaced MPEG-2": {
        "video_codec": "mpeg2video", "interlaced": True, "gop_s": 0.48, "crf": None,
        "video_bitrate": 1_000_000,
    },
    "full range, 60": {"pix_fmt": "yuvj420p", "fps": Fraction(60), "width": 160, "height": 90},
    "odd size": {"video_codec": "vp9", "width": 321, "height": 181},
    "variable rate": {"variable_rate": True},
    "slow pan": {"picture": "pan", "width": 640, "height": 360},
    "night": {"picture": "dark"},
    "sport": {"picture": "sport", "fps": Fraction(30000, 1001)},
    "credits": {"picture": "credits"},
}  # fmt: skip


@pytest.mark.parametrize("name", ENCODED)
def test_freeze_is_found_to_the_picture(name: str, tmp_path: Path) -> None:
    recipe = replace(SMALL, **ENCODED[name])
    (defect,) = write_clip(recipe, tmp_path / "clip.mkv").defects
    assert defect.recovery_s is not None

    # A picture that is left out of a stream of variable rate is one that stays for longer.
    picture_s = (2 if recipe.variable_rate else 1) / float(recipe.fps)
    assert_frozen(tmp_path / "clip.mkv", defect.onset_s, defect.recovery_s, picture_s)


X264: dict[str, dict[str, Any]] = {
    "18": {"options": {"crf": "18"}},
    "35, key pictures each second": {"options": {"crf": "35"}, "gop": 25},
    "40": {"options": {"crf": "40"}},
    "100 kb/s": {"options": {"b": "100k", "maxrate": "100k", "bufsize": "100k"}},
    "without B pictures": {"options": {"crf": "28", "bf": "0"}, "gop": 30},
}


@pytest.mark.parametrize("name", X264)
def test_noise_of_the_encoder_does_not_end_a_freeze(name: str, tmp_path: Path) -> None:
    path = encode(frozen_film(), tmp_path / "clip.mkv", **X264[name])

    assert_frozen(path, 45 / FPS, 120 / FPS, 1 / FPS)


STARVED = {"b": "150k", "maxrate": "150k", "bufsize": "300k"}
POOR: dict[str, tuple[str, str, dict[str, str]]] = {
    "test card, H.264 at 40": ("testsrc2=s=640x360:r=25", "libx264", {"crf": "40"}),
    "fractal, H.264 at 150 kb/s": ("mandelbrot=s=640x360:r=25", "libx264", STARVED),
    "fractal, MPEG-2 at 400 kb/s": ("mandelbrot=s=640x360:r=25", "mpeg2video", {"b": "400k"}),
}  # fmt: skip


@pytest.mark.parametrize("name", POOR)
def test_freeze_is_found_at_poor_quality(name: str, tmp_path: Path) -> None:
    """An encoder short of bits goes on to draw what has stopped, and draws it anew coarsely."""
    source, codec, options = POOR[name]
    film = drawn_by_ffmpeg(source, 180)
    film[86:160] = [film[85]] * 74

    path = encode(film, tmp_path / "clip.mkv", codec=codec, options=options)

    assert_frozen(path, 85 / FPS, 160 / FPS, 1 / FPS)


@pytest.mark.parametrize(
    ("first", "second"),
    [("libx264", "libx264"), ("mpeg2video", "libx264"), ("libx264", "mpeg2video")],
)
def test_freeze_is_found_in_what_is_encoded_twice(first: str, second: str, tmp_path: Path) -> None:
    options = {"libx264": {"crf": "30"}, "mpeg2video": {"qmin": "8", "qmax": "8"}}
    once = encode(frozen_film(), tmp_path / "1.mkv", codec=first, options=options[first], gop=25)
    twice = encode(
        planes_of(once), tmp_path / "2.mkv", codec=second, options=options[second], gop=30
    )

    assert_frozen(twice, 45 / FPS, 120 / FPS, 1 / FPS)


@pytest.mark.parametrize(
    "scene",
    ["slide", "pan", "grain", "gradient", "dark", "fade", "pulldown", "credits", "letterbox",
     "logo-on-black", "cuts", "noise", "testcard"],
)  # fmt: skip
def test_living_scene_raises_nothing(scene: str, tmp_path: Path) -> None:
    changes: dict[str, Any] = {"fps": Fraction(30000, 1001)} if scene == "pulldown" else {}
    recipe = replace(SMALL, picture=scene, injections=(), **changes)
    write_clip(recipe, tmp_path / "clip.mkv")

    assert found(tmp_path / "clip.mkv") == {}


def clock(count: int, height: int, width: int, digit: tuple[int, int]) -> Iterator[Planes]:
    """A photograph with a clock of one digit, 80 levels lighter than its ground."""
    scene = texture(height, width, contrast=20)
    for index in range(count):
        luma = scene.copy()
        shape = np.random.default_rng(index // FPS).random((digit[0] // 2, digit[1] // 2)) < 0.5
        place = luma[height - 40 : height - 40 + digit[0], width - 60 : width - 60 + digit[1]]
        place[np.kron(shape, np.ones((2, 2))).astype(bool)] += np.uint8(80)
        yield coloured(luma)


@pytest.mark.parametrize(
    ("codec", "options", "size"),
    [
        ("libx264", {"crf": "30"}, (180, 320)),
        ("libx264", {"crf": "30", "preset": "ultrafast"}, (1080, 1920)),
        ("mpeg2video", {"qmin": "6"}, (180, 320)),
    ],
    ids=["h264", "h264 1080p", "mpeg2"],
)
@pytest.mark.parametrize("digit", [(12, 8), (20, 40)], ids=str)
def test_small_clock_is_alive(
    codec: str,
    options: dict[str, str],
    size: tuple[int, int],
    digit: tuple[int, int],
    tmp_path: Path,
) -> None:
    path = encode(clock(110, *size, digit), tmp_path / "clip.mkv", codec=codec, options=options)

    assert found(path) == {}


def blinking(count: int, each: int) -> Iterator[Planes]:
    """A photograph with a cursor that comes and goes."""
    without = texture(360, 640, contrast=20)
    shown = without.copy()
    shown[320:340, 60:64] = 16
    for index in range(count):
        yield coloured(shown if index // each % 2 else without)


@pytest.mark.parametrize("gop", [12, 25, 250])
@pytest.mark.parametrize("each", [12, 20, 25], ids=lambda each: f"each {each} pictures")
def test_blinking_cursor_is_alive(each: int, gop: int, tmp_path: Path) -> None:
    """With key pictures, too, that come when it does."""
    options = {"crf": "28", "preset": "veryfast"}
    path = encode(blinking(160, each), tmp_path / "clip.mkv", options=options, gop=gop)

    assert found(path) == {}


def faded(levels_per_second: float) -> Iterator[Planes]:
    scene = moved(0)[0].astype(float)
    for index in range(110):
        luma = scene - levels_per_second * index / FPS
        yield coloured(luma.round().astype(np.uint8))


def zoomed(share_per_picture: float) -> Iterator[Planes]:
    scene = texture(200, 340, contrast=40).astype(float)
    rows, columns = np.mgrid[0:180, 0:320].astype(float)
    for index in range(110):
        scale = 1 - share_per_picture * index
        down, right = (rows - 90) * scale + 99, (columns - 160) * scale + 169
        top, left = down.astype(int), right.astype(int)
        luma = scene[top, left] + (down - top) * (scene[top + 1, left] - scene[top, left])
        luma += (right - left) * (scene[top, left + 1] - scene[top, left])
        yield coloured(np.clip(luma, 0, 255).round().astype(np.uint8))


def dissolved(pictures: int) -> Iterator[Planes]:
    one, other = moved(0)[0].astype(float), texture(180, 320, seed=9, contrast=40)
    for index in range(110):
        share = index / pictures
        yield coloured((one * (1 - share) + other * share).round().astype(np.uint8))


SLOW: dict[str, Iterable[Planes]] = {
    "pan of 0.1 pixels a picture": (moved(0.1 * n) for n in range(110)),
    "zoom of 0.05 % a picture": zoomed(0.0005),
    "fade of 2 levels a second": faded(2.0),
    "dissolve of 20 s": dissolved(20 * FPS),
}


@pytest.mark.parametrize("name", SLOW)
def test_slow_change_is_alive(name: str, tmp_path: Path) -> None:
    assert found(encode(SLOW[name], tmp_path / "clip.mkv", options={"crf": "30"})) == {}


def test_agrees_with_ffmpeg_where_that_sees_the_freeze(tmp_path: Path) -> None:
    path = encode(frozen_film(), tmp_path / "clip.mkv", options={"crf": "12"}, gop=250)

    starts = told_by_ffmpeg(path, "freezedetect", "d=2", "lavfi.freezedetect.freeze_start")
    ends = told_by_ffmpeg(path, "freezedetect", "d=2", "lavfi.freezedetect.freeze_end")

    (freeze,) = found(path)["video-freeze"]
    assert [freeze.onset] == pytest.approx(starts, abs=1.1 / FPS)
    assert [freeze.recovery] == pytest.approx(ends, abs=1.1 / FPS)


def test_sees_the_freeze_that_ffmpeg_does_not(tmp_path: Path) -> None:
    options = {"b": "150k", "maxrate": "150k", "bufsize": "150k"}
    path = encode(frozen_film(), tmp_path / "clip.mkv", options=options, gop=25)

    assert told_by_ffmpeg(path, "freezedetect", "d=2", "lavfi.freezedetect.freeze_start") == []
    assert_frozen(path, 45 / FPS, 120 / FPS, 1 / FPS)
