"""Which defects can be put into a test stream, and whether a recipe's make sense together.

The defects of pictures and sounds are made in `picture_defects.py` and `sound_defects.py`, those
of the stream in `clip.py` and `transport.py`, those of a server in `live.py`. All are named after
the detector that has to find them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import ceil
from types import MappingProxyType

from streammonitor_api.errors import InputError, suggestion
from streammonitor_worker.synth.options import Rule, Rules, complete
from streammonitor_worker.synth.picture_defects import PICTURE_DEFECTS
from streammonitor_worker.synth.recipe import SIZE_LIMIT, Injection, Option, Recipe
from streammonitor_worker.synth.sound_defects import SOUND_DEFECTS

AUDIO_TRACK: Rules = MappingProxyType({"track": Rule(0, minimum=0, maximum=99)})

STREAM_DEFECTS: Mapping[str, Rules] = MappingProxyType(
    {
        # MPEG-TS only. A packet is lost this often, or only its number is wrong.
        "continuity-error": {
            "every_s": Rule(0.2, minimum=0.001, maximum=3600),
            "kind": Rule("lose", words=("lose", "renumber")),
        },
        # What the decoder gets of each packet is refuse.
        "decode-error": {"track": Rule("video", words=("video", "audio"))},
        # MPEG-TS only: another picture size; 0 stands for three quarters of the recipe's.
        "format-change": {
            "width": Rule(0, minimum=0, maximum=SIZE_LIMIT),
            "height": Rule(0, minimum=0, maximum=SIZE_LIMIT),
        },
        # MPEG-TS only: all timestamps jump by this; with a duration they jump back at its end.
        # Its clock wraps after 26.5 hours, so that half of that could be either way.
        "timestamp-jump": {"jump_s": Rule(10.0, minimum=-40_000, maximum=40_000)},
    }
)
"""Defects of packets, with their options."""

SERVER_DEFECTS: Mapping[str, Rules] = MappingProxyType(
    {
        "segment-error": {},  # segments answered by 404
        "stream-stall": {},  # the playlist stays as it is
        "stream-unavailable": {},  # connections refused
    }
)
"""Defects of a server of live streams, with their options."""

INSTANT = frozenset({"timestamp-jump", "format-change"})
"""Events rather than states: they need no duration, and with one they happen twice."""

_SLACK = Fraction(1, 50)
"""Of a picture or sample: times are typed with few decimals, 1/30 s as 0.033."""


@dataclass(frozen=True)
class Span:
    """An injection in whole pictures or samples: from `first` up to, but not including, `last`."""

    injection: Injection
    options: Mapping[str, Option]
    first: int
    last: int


def track_kind(detector: str) -> str:
    """Say what a defect spoils: video, audio, stream or server."""
    kinds: tuple[tuple[str, Iterable[str]], ...] = (
        ("video", PICTURE_DEFECTS),
        ("audio", SOUND_DEFECTS),
        ("stream", STREAM_DEFECTS),
        ("server", SERVER_DEFECTS),
    )
    for kind, names in kinds:
        if detector in names:
            return kind
    known = [name for _, names in kinds for name in names]
    raise InputError(f'inject "{detector}": no such defect; {suggestion(detector, known)}')


def rules_of(detector: str) -> Rules:
    """Say which options a defect has."""
    kind = track_kind(detector)
    if kind == "video":
        return PICTURE_DEFECTS[detector].rules
    if kind == "audio":
        return {**SOUND_DEFECTS[detector].rules, **AUDIO_TRACK}
    return {**STREAM_DEFECTS, **SERVER_DEFECTS}[detector]


def complete_options(injection: Injection) -> dict[str, Option]:
    """Fill in the defaults. Raises InputError for an option that cannot be."""
    return complete(injection, rules_of(injection.detector))


def spans(recipe: Recipe, kind: str, *, track: int = 0) -> list[Span]:
    """Give the injections into one track, in pictures (video) or samples (audio), by onset."""
    rate, total = (
        (recipe.fps, recipe.pictures)
        if kind == "video"
        else (Fraction(recipe.audio_rate), recipe.samples)
    )
    found = []
    for injection in recipe.injections:
        if track_kind(injection.detector) != kind:
            continue
        options = complete_options(injection)
        if options.get("track", 0) != track:
            continue
        first, last = (at_or_after(time, rate) for time in (injection.at_s, injection.end_s))
        last = min(last, total)
        if last <= first:
            raise InputError(f"inject {injection}: meets no whole sample; use a longer one")
        found.append(Span(injection, options, first, last))
    return sorted(found, key=lambda span: span.first)


def at_or_after(time_s: float, rate: Fraction) -> int:
    """Number the first picture or sample that begins at that time or later."""
    return ceil(Fraction(time_s) * rate - _SLACK)


def check_injections(recipe: Recipe, *, live: bool = False) -> None:
    """Raise InputError for the first injection that cannot be made as it is written."""
    for injection in recipe.injections:
        kind = track_kind(injection.detector)
        options = complete_options(injection)
        if injection.at_s >= recipe.duration_s:
            raise InputError(
                f"inject {injection}: begins after the stream's end; "
                f"use a time below {recipe.duration_s:g}"
            )
        if injection.end_s > recipe.duration_s + 1e-6:
            raise InputError(
                f"inject {injection}: lasts beyond the stream's end; "
                f"use at most +{recipe.duration_s - injection.at_s:g}"
            )
        if not injection.duration_s and injection.detector not in INSTANT:
            raise InputError(
                f"inject {injection}: lasts no time; "
                f"say how long, such as {injection.detector}@{injection.at_s:g}+3"
            )
        if injection.detector in INSTANT:
            _check_begins(injection, recipe)
        if kind == "server" and not live:
            raise InputError(f"inject {injection}: a file has no server; serve it live")
        _check_track(injection, kind, options, recipe)
    _check_overlaps(recipe.injections)
    for kind, tracks in (("video", 1), ("audio", len(recipe.sounds))):
        for track in range(tracks):
            spans(recipe, kind, track=track)  # refuses those that meet no sample


def _check_begins(injection: Injection, recipe: Recipe) -> None:
    if at_or_after(injection.at_s, recipe.fps) >= recipe.pictures:
        raise InputError(f"inject {injection}: no picture begins after that; use an earlier time")


def _check_track(
    injection: Injection, kind: str, options: Mapping[str, Option], recipe: Recipe
) -> None:
    wanted = options.get("track", "video") if kind == "stream" else kind
    if injection.detector == "format-change":
        wanted = "video"
    if wanted == "video" and recipe.picture is None:
        raise InputError(f"inject {injection}: there is no picture; add one")
    if wanted == "audio" and not recipe.sounds:
        raise InputError(f"inject {injection}: there is no sound; add one")
    if kind == "audio":
        track = options["track"]
        if not isinstance(track, int) or not 0 <= track < len(recipe.sounds):
            raise InputError(f"inject {injection}: there is no audio track {track}; count from 0")
        needed = SOUND_DEFECTS[injection.detector].channels
        if len(recipe.channels) < needed:
            raise InputError(f"inject {injection}: needs {needed} channels; use stereo")
        channel = options.get("channel", 0)
        if isinstance(channel, int) and channel >= len(recipe.channels):
            last = len(recipe.channels) - 1
            raise InputError(f"inject {injection}: there is no channel {channel}; use 0 to {last}")


def _check_overlaps(injections: Iterable[Injection]) -> None:
    """Two defects at once on one track have no single truth."""
    by_track: dict[tuple[str, Option], list[Injection]] = {}
    for injection in injections:
        kind = track_kind(injection.detector)
        track = complete_options(injection).get("track", 0) if kind == "audio" else 0
        by_track.setdefault((kind, track), []).append(injection)
    for found in by_track.values():
        for before, after in pairwise(sorted(found, key=lambda injection: injection.at_s)):
            if after.at_s < before.end_s:
                raise InputError(
                    f"inject {after}: overlaps with {before}; let one end before the other begins"
                )
