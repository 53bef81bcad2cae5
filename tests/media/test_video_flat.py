"""video-flat on encoded clips: fields of every colour, found to the picture."""

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
from tests.support.seeing import (
    FPS,
    Planes,
    coloured,
    encode,
    field,
    incidents,
    pictures_of,
    texture,
)

SMALL = Recipe(duration_s=5.5, width=320, height=180, fps=Fraction(25), sound=None)
"""Without a defect."""


def flat(colour: str, noise: float = 0.0) -> Injection:
    return Injection("video-flat", 2.2, 1.6, {"colour": colour, "noise": noise})


ENCODED: dict[str, dict[str, Any]] = {
    "green": {"injections": [flat("green")]},
    "blue": {"injections": [flat("blue")], "crf": 38},
    "grey with noise": {"injections": [flat("grey", 2.5)], "crf": 32},
    "white, full range": {"injections": [flat("white")], "full_range": True},
    "grey of ten bits": {
        "injections": [flat("grey")], "video_codec": "hevc", "pix_fmt": "yuv420p10le",
    },
    "green, MPEG-2": {
        "injections": [flat("green", 1.0)], "video_codec": "mpeg2video", "gop_s": 0.48,
        "video_bitrate": 600_000,
    },
    "blue, odd size": {
        "injections": [flat("blue")], "video_codec": "vp9", "width": 321, "height": 181,
    },
}  # fmt: skip


def found(path: Path) -> dict[str, list[Defect]]:
    """Incidents of this detector and of those that a flat field must not raise."""
    return incidents([VideoFlat(), VideoBlack(), VideoFreeze()], pictures_of(path))


@pytest.mark.parametrize("name", ENCODED)
def test_flat_field_is_found_to_the_picture(name: str, tmp_path: Path) -> None:
    recipe = replace(SMALL, **ENCODED[name])
    (defect,) = write_clip(recipe, tmp_path / "clip.mkv").defects

    by_name = found(tmp_path / "clip.mkv")

    assert list(by_name) == ["video-flat"]
    (field_seen,) = by_name["video-flat"]
    assert field_seen.onset == pytest.approx(defect.onset_s, abs=1.1 / recipe.fps)
    assert field_seen.recovery == pytest.approx(defect.recovery_s, abs=1.1 / recipe.fps)


@pytest.mark.parametrize("colour", [(0, 0, 0), (32, 240, 118)], ids=["lost planes", "BT.709 blue"])
def test_field_with_the_luma_of_black_is_flat_and_not_black(
    colour: tuple[int, int, int], tmp_path: Path
) -> None:
    frames = [coloured(texture(seed=n)) for n in range(30)] + [field(colour=colour)] * 60
    path = encode(frames, tmp_path / "clip.mkv")

    by_name = found(path)

    assert list(by_name) == ["video-flat"]
    assert by_name["video-flat"][0].onset == pytest.approx(30 / FPS, abs=1.1 / FPS)


def fade_through_white(pictures: int) -> list[Planes]:
    """Ten pictures to white, some in white, ten back."""
    scene = texture().astype(float)
    shares = [n / 10 for n in range(10)] + [1.0] * pictures + [1 - n / 10 for n in range(10)]
    faded = [coloured((scene + (235 - scene) * share).round().astype("u1")) for share in shares]
    return [coloured(texture(seed=n)) for n in range(1, 15)] + faded


def test_fade_through_white_is_no_incident(tmp_path: Path) -> None:
    path = encode(fade_through_white(FPS * 8 // 10), tmp_path / "clip.mkv")

    assert found(path) == {}


@pytest.mark.parametrize("scene", ["gradient", "dark", "slide", "fade", "noise"])
def test_scene_with_large_even_parts_is_a_picture(scene: str, tmp_path: Path) -> None:
    write_clip(replace(SMALL, picture=scene), tmp_path / "clip.mkv")

    assert found(tmp_path / "clip.mkv") == {}
