"""video-colour-bars on encoded clips: FFmpeg's bars and our own, found to the picture."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
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
    encode,
    incidents,
    pictures_of,
    texture,
)

SMALL = Recipe(duration_s=6.5, width=320, height=180, fps=Fraction(25), sound=None)
"""Without a defect."""


def bars(kind: str, noise: float = 0.0) -> Injection:
    return Injection("video-colour-bars", 2.2, 2.6, {"kind": kind, "noise": noise})


ENCODED: dict[str, dict[str, Any]] = {
    "smpte": {"injections": [bars("smpte")]},
    "ebu, low quality": {"injections": [bars("ebu")], "crf": 38},
    "smpte with noise": {"injections": [bars("smpte", 2.5)], "crf": 30},
    "ebu of ten bits": {
        "injections": [bars("ebu")], "video_codec": "hevc", "pix_fmt": "yuv420p10le",
    },
    "smpte, MPEG-2": {
        "injections": [bars("smpte")], "video_codec": "mpeg2video", "gop_s": 0.48,
        "video_bitrate": 600_000,
    },
    "ebu, full range": {"injections": [bars("ebu")], "full_range": True},
    "smpte, tiny and odd": {
        "injections": [bars("smpte")], "video_codec": "vp9", "width": 161, "height": 91,
    },
}  # fmt: skip


def found(path: Path) -> dict[str, list[Defect]]:
    """Incidents of this detector and of those that bars must not raise."""
    detectors = [VideoColourBars(), VideoFreeze(), VideoFlat(), VideoBlack()]
    return incidents(detectors, pictures_of(path))


@pytest.mark.parametrize("name", ENCODED)
def test_bars_are_found_to_the_picture(name: str, tmp_path: Path) -> None:
    recipe = replace(SMALL, **ENCODED[name])
    (defect,) = write_clip(recipe, tmp_path / "clip.mkv").defects

    by_name = found(tmp_path / "clip.mkv")

    assert list(by_name) == ["video-colour-bars"]
    (seen,) = by_name["video-colour-bars"]
    assert seen.onset == pytest.approx(defect.onset_s, abs=1.1 / recipe.fps)
    assert seen.recovery == pytest.approx(defect.recovery_s, abs=1.1 / recipe.fps)


def drawn_by_ffmpeg(name: str, size: str) -> Planes:
    """The first picture of one of FFmpeg's sources."""
    graph = av.filter.Graph()
    ends = [
        graph.add(name, f"size={size}"),
        graph.add("format", "yuv420p"),
        graph.add("buffersink"),
    ]
    graph.link_nodes(*ends).configure()
    frame = graph.vpull()
    planes = []
    for plane in frame.planes:
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
        planes.append(rows[:, : plane.width].copy())
    return planes[0], planes[1], planes[2]


@pytest.mark.parametrize("size", ["720x576", "1280x720"])
@pytest.mark.parametrize("source", ["smptebars", "smptehdbars", "pal75bars", "pal100bars"])
def test_bars_that_ffmpeg_draws(source: str, size: str, tmp_path: Path) -> None:
    planes = drawn_by_ffmpeg(source, size)
    height, width = planes[0].shape
    moving = [coloured(texture(height, width, seed=n)) for n in range(3)]
    path = encode([*moving, *[planes] * 56], tmp_path / "clip.mkv", options={"preset": "ultrafast"})

    by_name = found(path)

    assert list(by_name) == ["video-colour-bars"]
    assert by_name["video-colour-bars"][0].onset == pytest.approx(3 / FPS, abs=1.1 / FPS)


@pytest.mark.parametrize("source", ["testsrc", "rgbtestsrc", "yuvtestsrc", "testsrc2"])
def test_other_test_pictures_are_no_bars(source: str, tmp_path: Path) -> None:
    planes = drawn_by_ffmpeg(source, "640x360")
    path = encode([planes] * 60, tmp_path / "clip.mkv", options={"preset": "ultrafast"})

    assert "video-colour-bars" not in found(path)
