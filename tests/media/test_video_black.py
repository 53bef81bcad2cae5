"""video-black on encoded clips: found to the picture, as FFmpeg's filter does, and not on dark
scenes, logos and credits."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from streammonitor_worker.detectors.video_black import VideoBlack
from streammonitor_worker.detectors.video_flat import VideoFlat
from streammonitor_worker.detectors.video_freeze import VideoFreeze
from streammonitor_worker.incidents import Defect
from streammonitor_worker.synth import Injection, Recipe, write_clip
from tests.support.seeing import incidents, pictures_of, told_by_ffmpeg

BLACK = Injection("video-black", 2.2, 2.6)
SMALL = Recipe(
    duration_s=6.5, width=320, height=180, fps=Fraction(25), sound=None, injections=[BLACK]
)

ENCODED: dict[str, dict[str, Any]] = {
    "h264": {},
    "low quality": {"crf": 38},
    "noise on black": {"injections": [Injection("video-black", 2.2, 2.6, {"noise": 3.0})]},
    "ten bits, full range": {
        "video_codec": "hevc", "pix_fmt": "yuv420p10le", "full_range": True,
        "fps": Fraction(24000, 1001),
    },
    "full range, 60": {"pix_fmt": "yuvj420p", "fps": Fraction(60), "width": 160, "height": 90},
    "interlaced MPEG-2": {"video_codec": "mpeg2video", "interlaced": True, "gop_s": 0.48},
    "odd size": {"video_codec": "vp9", "width": 321, "height": 181},
    "from the night": {"picture": "dark"},
    "1080p": {"width": 1920, "height": 1080, "duration_s": 5.2, "fps": Fraction(10),
              "preset": "ultrafast"},
}  # fmt: skip


def found(path: Path) -> dict[str, list[Defect]]:
    """Incidents of this detector and of those that black must not raise."""
    return incidents([VideoBlack(), VideoFlat(), VideoFreeze()], pictures_of(path))


@pytest.mark.parametrize("name", ENCODED)
def test_black_is_found_to_the_picture(name: str, tmp_path: Path) -> None:
    recipe = replace(SMALL, **ENCODED[name])
    (defect,) = write_clip(recipe, tmp_path / "clip.mkv").defects

    by_name = found(tmp_path / "clip.mkv")

    assert list(by_name) == ["video-black"]
    (black,) = by_name["video-black"]
    assert black.onset == pytest.approx(defect.onset_s, abs=1.1 / recipe.fps)
    assert black.recovery == pytest.approx(defect.recovery_s, abs=1.1 / recipe.fps)


@pytest.mark.parametrize("scene", ["dark", "logo-on-black", "credits", "letterbox", "fade"])
def test_what_is_mostly_black_is_a_picture(scene: str, tmp_path: Path) -> None:
    write_clip(replace(SMALL, picture=scene, injections=()), tmp_path / "clip.mkv")

    assert found(tmp_path / "clip.mkv") == {}


@pytest.mark.parametrize("full_range", [False, True])
def test_agrees_with_ffmpeg(full_range: bool, tmp_path: Path) -> None:
    recipe = replace(SMALL, full_range=full_range)
    write_clip(recipe, tmp_path / "clip.mkv")

    starts = told_by_ffmpeg(tmp_path / "clip.mkv", "blackdetect", "d=2", "lavfi.black_start")
    ends = told_by_ffmpeg(tmp_path / "clip.mkv", "blackdetect", "d=2", "lavfi.black_end")

    (black,) = found(tmp_path / "clip.mkv")["video-black"]
    assert [black.onset] == pytest.approx(starts, abs=1.1 / recipe.fps)
    assert [black.recovery] == pytest.approx(ends, abs=1.1 / recipe.fps)
