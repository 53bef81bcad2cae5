"""Every defect that a file can carry, over codecs, containers, sizes, rates, ranges and depths.

A covering set, not the product: each value of each dimension comes with each kind of defect in
one clip at least. What is demanded is the same of all: every defect is found, nothing else is
told, onsets and recoveries are right to one picture or 20 ms of sound, and a second watch tells
the same under the same ids.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from streammonitor_worker.synth import Injection, Recipe, Truth, parse_injection, write_clip
from tests.support.verdicts import faults, incidents_of

NTSC, FILM = Fraction(30000, 1001), Fraction(24000, 1001)

BASE = Recipe(duration_s=13.5, width=320, height=180, fps=Fraction(25), gop_s=1.0)

# Two defects at once on different tracks cost no more than one.
BLANK = ("video-black@2+2.4", "video-freeze@6+2.4", "video-flat@10+1.6")
BROKEN = ("video-colour-bars@2+2.4", "video-block-corruption@6+1.2", "video-freeze@10+2.4,noise=1")
NOISY = ("video-black@2+2.4,noise=3", "video-flat@6+2.4,colour=blue,noise=2",
         "video-colour-bars@10+2.4,kind=ebu,noise=2")  # fmt: skip
QUIET = ("audio-silence@2+2.4", "audio-clipping@6+2.4", "audio-phase@10+2.4")
LOST = ("audio-channel-loss@2+6", "audio-silence@10+2.4,noise_dbfs=-70")
LEFT = ("audio-phase@2+2.4", "audio-channel-loss@6+6,channel=0")


@dataclass(frozen=True)
class Case:
    """A clip: what it is called, and what is different from `BASE`."""

    name: str
    injections: tuple[str, ...]
    recipe: dict[str, Any] = field(default_factory=dict)

    def make(self, folder: Path) -> tuple[Path, Truth, Recipe]:
        injections = tuple(parse_injection(text) for text in self.injections)
        recipe = replace(BASE, **self.recipe, injections=injections)
        path = folder / f"clip.{self.name.rsplit('.')[-1]}"
        return path, write_clip(recipe, path), recipe


def case(name: str, *injections: tuple[str, ...], **recipe: Any) -> Case:
    """The last part of the name is the container."""
    return Case(name, tuple(text for group in injections for text in group), recipe)


CASES = [
    case("h264-aac.mp4", BLANK, QUIET),
    case("h264-aac-broken.mp4", BROKEN, LOST),
    case("h264-aac.ts", BROKEN, QUIET),
    case("h264-mp2-cut-off-later.ts", ("audio-clipping@1.941+2.2",), audio_codec="mp2", seed=8,
         sound="loud-music", fps=Fraction(24), duration_s=9),
    case("h264-mp3-of-44100.mkv", NOISY, LOST, audio_codec="mp3", audio_rate=44100),
    case("h264-full-range-pcm.mov", BLANK, LEFT, full_range=True, audio_codec="pcm_s16le"),
    case("h264-jpeg-range.mp4", NOISY, QUIET, pix_fmt="yuvj420p"),
    case("h264-10-bit-flac.mkv", BROKEN, QUIET, pix_fmt="yuv420p10le", audio_codec="flac"),
    case("h264-interlaced-mp3.ts", BLANK, LEFT, interlaced=True, audio_codec="mp3"),
    case("h264-at-50.mp4", BLANK, LOST, fps=Fraction(50)),
    case("h264-at-60.mkv", NOISY, QUIET, fps=Fraction(60)),
    case("h264-at-29.97.mp4", BLANK, QUIET, fps=NTSC),
    case("h264-at-23.976.ts", BROKEN, LOST, fps=FILM, audio_codec="ac3"),
    case("h264-portrait.mp4", BLANK, width=180, height=320, sound=None),
    case("h264-small.mp4", NOISY, width=160, height=90, sound=None),
    case("h264-uneven.mkv", BROKEN, width=322, height=182, sound=None),
    case("h264-variable-rate.mp4", BLANK, variable_rate=True, sound=None),
    case("h264-variable-rate-broken.mkv", BROKEN, variable_rate=True, sound=None),
    case("h264-low-rate.mp4", NOISY, video_bitrate=150_000, sound=None),
    case("h264-crf-35.mp4", BLANK, crf=35, sound=None),
    case("h264-wrapping-clock.ts", BLANK, QUIET, first_timestamp_s=95_436.0),
    case("hevc-ac3.mkv", BLANK, LOST, video_codec="hevc", audio_codec="ac3"),
    case("hevc-10-bit-at-29.97.mp4", NOISY, LEFT, video_codec="hevc", pix_fmt="yuv420p10le",
         fps=NTSC),
    case("hevc-broken.ts", BROKEN, QUIET, video_codec="hevc"),
    case("mpeg2video-mp2.ts", BLANK, LOST, video_codec="mpeg2video", audio_codec="mp2"),
    case("mpeg2video-interlaced-ac3.ts", BROKEN, QUIET, video_codec="mpeg2video", interlaced=True,
         audio_codec="ac3"),
    case("mpeg4-mp3.mp4", NOISY, QUIET, video_codec="mpeg4", audio_codec="mp3"),
    case("vp8-opus.webm", BLANK, QUIET, video_codec="vp8", audio_codec="opus"),
    case("vp9-odd-opus.webm", BROKEN, LOST, video_codec="vp9", audio_codec="opus", width=321,
         height=181),
    case("av1-opus.mkv", NOISY, LEFT, video_codec="av1", audio_codec="opus"),
    case("sound-aac.m4a", QUIET, picture=None),
    case("sound-mp3.mp3", LOST, picture=None, audio_codec="mp3"),
    case("sound-pcm.wav", LEFT, picture=None, audio_codec="pcm_s16le"),
    case("sound-flac.flac", QUIET, picture=None, audio_codec="flac"),
    case("sound-mono.m4a", ("audio-silence@2+3", "audio-clipping@8+2"), picture=None,
         audio_layout="mono"),
    case("sound-5.1-ac3.mka", QUIET, picture=None, audio_layout="5.1", audio_codec="ac3"),
    case("sound-5.1-aac.m4a", LOST, picture=None, audio_layout="5.1"),
    case("three-languages.mkv", ("audio-silence@2+3,track=1", "audio-phase@3+3,track=2",
                                 "audio-channel-loss@4+6"), picture=None,
         extra_sounds=("programme", "programme")),
    case("1080p.mp4", ("video-black@1+2.2", "video-freeze@4.5+2.2"), width=1920, height=1080,
         duration_s=7.5, fps=Fraction(10), sound=None),
]  # fmt: skip

STREAM_CASES = [
    case("h264-jump.ts", ("timestamp-jump@3", "timestamp-jump@7,jump_s=-2.5", "video-black@9+3")),
    case("hevc-jump.ts", ("timestamp-jump@3+4,jump_s=3600",), video_codec="hevc", sound=None),
    case("mpeg2video-jump.ts", ("timestamp-jump@5,jump_s=0.9",), video_codec="mpeg2video",
         audio_codec="mp2"),
    case("h264-lost-packets.ts", ("continuity-error@3+1", "audio-silence@8+3")),
    case("hevc-renumbered.ts", ("continuity-error@3+1,kind=renumber",), video_codec="hevc"),
    case("mpeg2video-lost-packets.ts", ("continuity-error@3+0.5",), video_codec="mpeg2video",
         audio_codec="mp2"),
    case("h264-sizes.ts", ("format-change@3", "format-change@8+3,width=160,height=90")),
    case("hevc-sizes.ts", ("format-change@3+4",), video_codec="hevc", fps=Fraction(50)),
    case("mpeg2video-sizes.ts", ("format-change@5",), video_codec="mpeg2video", sound=None),
    case("h264-refused.ts", ("decode-error@3+1.5", "decode-error@9+0.04")),
    case("h264-refused.mkv", ("decode-error@3+1.5",), sound=None),
    case("hevc-refused.mp4", ("decode-error@3+1.5", "decode-error@9+0.04"), video_codec="hevc",
         sound=None),
    case("mpeg2video-refused.ts", ("decode-error@3+1.5", "decode-error@9+0.04"),
         video_codec="mpeg2video", sound=None),
    case("mpeg4-refused.mp4", ("decode-error@3+1.5",), video_codec="mpeg4", sound=None),
    case("vp8-refused.webm", ("decode-error@3+1.5",), video_codec="vp8", sound=None),
    case("vp9-refused.webm", ("decode-error@3+1.5",), video_codec="vp9", sound=None),
    case("aac-refused.m4a", ("decode-error@3+1.5,track=audio",), picture=None),
    case("ac3-refused.ts", ("decode-error@3+1.5,track=audio",), audio_codec="ac3"),
    case("flac-refused.mkv", ("decode-error@3+1.5,track=audio",), picture=None,
         audio_codec="flac"),
]  # fmt: skip

LONG = {"picture": None, "duration_s": 80.0, "sound": "programme"}
LOUDNESS_CASES = [
    case("quiet-aac.m4a", ("audio-loudness@35+30",), **LONG),
    case("quiet-mp3.mp3", ("audio-loudness@35+30",), **LONG, audio_codec="mp3"),
    case("loud-pcm.wav", ("audio-loudness@35+30,gain_lu=9",), **LONG | {"sound": "music"},
         audio_codec="pcm_s16le"),
]  # fmt: skip


@pytest.mark.parametrize(
    "case", [*CASES, *STREAM_CASES, *LOUDNESS_CASES], ids=lambda case: case.name
)
def test_all_is_found_and_nothing_else_is_told(case: Case, tmp_path: Path) -> None:
    path, truth, recipe = case.make(tmp_path)

    first = incidents_of(path)
    second = incidents_of(path)

    assert faults(truth, first, float(1 / recipe.fps)) == []
    assert truth.defects
    assert [one.id for one in first] == [one.id for one in second]
    assert len({one.id for one in first}) == len(first)


def test_what_was_not_looked_for_is_missed(tmp_path: Path) -> None:
    path, truth, recipe = case("clip.mp4", BLANK, duration_s=12, sound=None).make(tmp_path)

    found = faults(truth, incidents_of(path, only=["video-black"]), float(1 / recipe.fps))

    assert sorted(line.split("'")[1] for line in found) == ["video-flat", "video-freeze"]
    assert all(line.startswith("missed: ") for line in found)


def test_what_was_not_injected_is_a_false_alarm(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    recipe = replace(BASE, duration_s=6, sound=None)
    clean = write_clip(recipe, path)
    write_clip(replace(recipe, injections=[Injection("video-black", 2, 3)]), path)

    (line,) = faults(clean, incidents_of(path), float(1 / recipe.fps))

    assert line.startswith("false alarm: video-black on video:0 from 2.000 s to 5.000 s")
