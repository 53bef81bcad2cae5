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
from streammonitor_worker.synth.picture_defects import PICTURE_DEFECTS
from streammonitor_worker.synth.recipe import Injection, Option, Recipe
from streammonitor_worker.synth.sound_defects import SOUND_DEFECTS

AUDIO_TRACK: Mapping[str, Option] = MappingProxyType({"track": 0})

STREAM_DEFECTS: Mapping[str, Mapping[str, Option]] = MappingProxyType(
    {
        # MPEG-TS only. A packet is lost this often, or only its number is wrong.
        "continuity-error": {"every_s": 0.2, "kind": "lose"},
        # What the decoder gets of each packet is refuse.
        "decode-error": {"track": "video"},
        # MPEG-TS only: another picture size; 0 stands for three quarters of the recipe's.
        "format-change": {"width": 0, "height": 0},
        # All timestamps jump by this; with a duration they jump back at its end.
        "timestamp-jump": {"jump_s": 10.0},
    }
)
"""Defects of packets, with their options and defaults."""

SERVER_DEFECTS: Mapping[str, Mapping[str, Option]] = MappingProxyType(
    {
        "segment-error": {},  # segments answered by 404
        "stream-stall": {},  # the playlist stays as it is
        "stream-unavailable": {},  # connections refused
    }
)
"""Defects of a server of live streams, with their options and defaults."""

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


def complete_options(injection: Injection) -> dict[str, Option]:
    """Fill in the defaults. Raises InputError for an option that the defect does not have."""
    name = injection.detector
    kind = track_kind(name)
    if kind == "video":
        defaults = dict(PICTURE_DEFECTS[name].options)
    elif kind == "audio":
        defaults = {**SOUND_DEFECTS[name].options, **AUDIO_TRACK}
    else:
        defaults = dict({**STREAM_DEFECTS, **SERVER_DEFECTS}[name])
    for option, value in injection.options.items():
        if option not in defaults:
            hint = suggestion(option, defaults) if defaults else "it has none"
            raise InputError(f'inject {injection}: no option "{option}"; {hint}')
        wanted = type(defaults[option])
        if wanted is float and isinstance(value, int):
            continue
        if not isinstance(value, wanted):
            rule = {"float": "a number", "int": "a whole number", "str": "a word"}[wanted.__name__]
            raise InputError(f'inject {injection}: {option} is "{value}"; use {rule}')
    return defaults | dict(injection.options)


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
        if last <= first:
            raise InputError(f"inject {injection}: lasts less than one sample; use a longer one")
        found.append(Span(injection, options, first, min(last, total)))
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
        if injection.detector == "continuity-error":
            _check_continuity(injection, options)
        if kind == "server" and not live:
            raise InputError(f"inject {injection}: a file has no server; serve it live")
        _check_track(injection, kind, options, recipe)
    _check_overlaps(recipe.injections)


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


def _check_continuity(injection: Injection, options: Mapping[str, Option]) -> None:
    every = options["every_s"]
    if options["kind"] not in {"lose", "renumber"}:
        raise InputError(f'inject {injection}: no kind "{options["kind"]}"; use lose or renumber')
    if not (isinstance(every, int | float) and every > 0):
        raise InputError(f"inject {injection}: every_s is {every}; use seconds above 0")


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
