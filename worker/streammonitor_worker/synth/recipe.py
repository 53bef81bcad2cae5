"""What a test stream consists of: pictures, sounds, codecs and the defects put into them.

Plain data, checked when it is made, so that a recipe that exists can be cooked: `clip.py` writes
it to a file and `live.py` broadcasts it. Which defects there are and what may be said about each
is in `defects.py`; which pictures and sounds, in `scenes.py` and `sounds.py`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from fractions import Fraction

from streammonitor_api.errors import InputError, suggestion

Option = str | int | float

VIDEO_CODECS = ("h264", "hevc", "mpeg2video", "mpeg4", "vp8", "vp9", "av1")
AUDIO_CODECS = ("aac", "mp2", "mp3", "ac3", "opus", "flac", "pcm_s16le")
PIXEL_FORMATS = ("yuv420p", "yuvj420p", "yuv420p10le")
LAYOUTS = {
    "mono": ("FC",),
    "stereo": ("FL", "FR"),
    "5.1": ("FL", "FR", "FC", "LFE", "BL", "BR"),
}
"""Channels of a layout in FFmpeg's order."""

_INJECTION = re.compile(
    r"(?P<detector>[^@\s]+)@(?P<at>\d+(?:\.\d+)?)(?:\+(?P<duration>\d+(?:\.\d+)?))?"
    r"(?P<options>(?:,[\w-]+=[^,=]+)*)"
)
SIZE_LIMIT = 8192
"""Pixels a side: 8K; more is a slip of the keyboard."""

_HIGHEST_FPS = 240
"""The scenes' grain is not drawn more often; cameras of broadcasters end at 120."""

_WORST_QUALITY = 63
"""Of VP9 and AV1; H.264 and HEVC end at 51."""

_CLOCK_WRAPS_S = 2**33 / 90_000
"""ISO/IEC 13818-1: 33 bits at 90 kHz."""


@dataclass(frozen=True)
class Injection:
    """A defect, the media time at which it begins and how long it lasts.

    Both are rounded up to the next picture or sample; the truth says where that was. A duration
    of 0 makes an event of an instant, such as a jump of the timestamps that never goes back.
    """

    detector: str
    at_s: float
    duration_s: float = 0.0
    options: Mapping[str, Option] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "options", dict(self.options))
        if not (math.isfinite(self.at_s) and self.at_s >= 0):
            raise InputError(f"{self}: begins before the stream; use a time from 0")
        if not (math.isfinite(self.duration_s) and self.duration_s >= 0):
            raise InputError(f"{self}: lasts less than nothing; use a duration from 0")

    @property
    def end_s(self) -> float:
        return self.at_s + self.duration_s

    def __str__(self) -> str:
        lasting = f"+{self.duration_s:g}" if self.duration_s else ""
        options = "".join(f",{name}={value}" for name, value in self.options.items())
        return f"{self.detector}@{self.at_s:g}{lasting}{options}"


def parse_injection(text: str) -> Injection:
    """Read `DETECTOR@AT+DURATION[,OPTION=VALUE…]`, times in seconds: `video-freeze@5+3`.

    Raises InputError where the text has another form. Whether the detector and its options exist
    is checked with the recipe.
    """
    match = _INJECTION.fullmatch(text.strip())
    if match is None:
        raise InputError(
            f'inject "{text}": not understood; write DETECTOR@AT+DURATION in seconds, '
            "such as video-freeze@5+3"
        )
    options = dict(part.split("=", 1) for part in match["options"].split(",")[1:])
    return Injection(
        match["detector"],
        float(match["at"]),
        float(match["duration"] or 0),
        {name: _number_or_text(value) for name, value in options.items()},
    )


def _number_or_text(text: str) -> Option:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


@dataclass(frozen=True)
class Recipe:
    """A test stream.

    duration_s: seconds, > 0. width, height: pixels, even where the codec wants it. fps: pictures
    a second, exact. picture, sound: a name from `scenes.SCENES` and `sounds.SOUNDS`, or None for
    no such track. extra_sounds: further audio tracks. video_bitrate: bits a second, or else
    constant quality `crf` (None: the encoder's own). preset: of the encoder; None for a quick one.
    gop_s: seconds from key picture to key picture. full_range: luma from 0 to 255 instead of 16
    to 235. interlaced: two fields a picture, the upper one first. slices: parts that a picture is
    coded in (h264 only), of which each can be lost alone. variable_rate: leave out three
    of ten pictures, so that the others stay for longer. first_timestamp_s: MPEG-TS only, what its
    clock says at the start; 95440 wraps around after 3.7 s. seed: of all that is random.
    """

    duration_s: float
    width: int = 1280
    height: int = 720
    fps: Fraction = Fraction(30)
    picture: str | None = "testcard"
    sound: str | None = "programme"
    extra_sounds: Sequence[str] = ()
    video_codec: str = "h264"
    audio_codec: str = "aac"
    video_bitrate: int | None = None
    crf: int | None = None
    preset: str | None = None
    gop_s: float = 2.0
    pix_fmt: str = "yuv420p"
    full_range: bool = False
    interlaced: bool = False
    slices: int = 1
    variable_rate: bool = False
    audio_rate: int = 48000
    audio_layout: str = "stereo"
    first_timestamp_s: float = 0.0
    seed: int = 0
    injections: Sequence[Injection] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "fps", Fraction(self.fps))
        object.__setattr__(self, "injections", tuple(self.injections))
        object.__setattr__(self, "extra_sounds", tuple(self.extra_sounds))
        if self.pix_fmt == "yuvj420p":
            object.__setattr__(self, "full_range", True)
        for where, problem in self._problems():
            raise InputError(f"{where}: {problem}")

    @property
    def pictures(self) -> int:
        """How many pictures the stream has."""
        return round(self.duration_s * self.fps)

    @property
    def samples(self) -> int:
        """How many samples each channel has."""
        return round(self.duration_s * self.audio_rate)

    @property
    def channels(self) -> tuple[str, ...]:
        return LAYOUTS[self.audio_layout]

    @property
    def sounds(self) -> tuple[str, ...]:
        """The sound of each audio track."""
        return (() if self.sound is None else (self.sound,)) + tuple(self.extra_sounds)

    @property
    def depth(self) -> int:
        """Bits of a sample of the picture."""
        return 10 if self.pix_fmt.endswith("10le") else 8

    def to_dict(self) -> dict[str, object]:
        """Make it plain enough for JSON: injections as text, fps as a fraction."""
        plain = {item.name: getattr(self, item.name) for item in fields(self)}
        plain["fps"] = str(self.fps)
        plain["extra_sounds"] = list(self.extra_sounds)
        plain["injections"] = [str(injection) for injection in self.injections]
        return plain

    def _problems(self) -> Iterator[tuple[str, str]]:
        if not (math.isfinite(self.duration_s) and self.duration_s > 0):
            yield f"duration {self.duration_s:g}", "nothing to make; use seconds above 0"
        elif self.picture is None and not self.sounds:
            yield "recipe", "neither picture nor sound; ask for one of them"
        elif not 0 < self.fps <= _HIGHEST_FPS:
            yield f"fps {self.fps}", f"no such rate of pictures; use 1 to {_HIGHEST_FPS}"
        elif (self.pictures if self.picture is not None else self.samples) < 1:
            yield f"duration {self.duration_s:g}", "too short for a picture; use a longer one"
        if self.seed < 0:
            yield f"seed {self.seed}", "use a number from 0"
        if not 0 <= self.first_timestamp_s < _CLOCK_WRAPS_S:
            yield (
                f"first timestamp {self.first_timestamp_s:g}",
                (f"the clock of MPEG-TS shows 0 to {_CLOCK_WRAPS_S:.1f} s; use one of these"),
            )
        if not 8000 <= self.audio_rate <= 192_000:
            yield f"audio rate {self.audio_rate}", "use 8000 to 192000 samples a second"
        yield from _unknown("video codec", self.video_codec, VIDEO_CODECS)
        yield from _unknown("audio codec", self.audio_codec, AUDIO_CODECS)
        yield from _unknown("pixel format", self.pix_fmt, PIXEL_FORMATS)
        yield from _unknown("audio layout", self.audio_layout, tuple(LAYOUTS))
        yield from self._problems_of_picture()

    def _problems_of_picture(self) -> Iterator[tuple[str, str]]:
        sides = (self.width, self.height)
        size = f"size {self.width}x{self.height}"
        if not all(16 <= side <= SIZE_LIMIT for side in sides):
            yield size, f"use 16 to {SIZE_LIMIT} pixels a side"
        odd = any(side % 2 for side in sides)
        if odd and self.picture is not None and self.video_codec in {"h264", "hevc"}:
            yield size, f"{self.video_codec} needs even sides; add a pixel"
        if not (self.slices == 1 or (self.slices > 1 and self.video_codec == "h264")):
            yield f"slices {self.slices}", "use a number from 1, above 1 with h264 only"
        if self.video_bitrate is not None and self.video_bitrate <= 0:
            yield f"bit rate {self.video_bitrate}", "use bits a second above 0"
        if self.crf is not None and not 0 <= self.crf <= _WORST_QUALITY:
            yield f"crf {self.crf}", f"use 0 (best) to {_WORST_QUALITY} (worst)"
        if not self.gop_s > 0:
            yield f"gop {self.gop_s:g}", "key pictures need seconds above 0 between them"


def _unknown(what: str, name: str, known: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if name not in known:
        yield f'{what} "{name}"', f"unknown; {suggestion(name, known)}"
