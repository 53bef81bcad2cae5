"""Spoils the stream as a whole: changes of format, lost packets, clocks that jump.

Says which pictures have to be key pictures so that a defect has clean edges, from where on the
picture has another format, and what becomes of a finished transport stream. Packets that a
decoder refuses are made in `packet_defects.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from streammonitor_api.errors import InputError
from streammonitor_worker.synth.defects import at_or_after, complete_options
from streammonitor_worker.synth.origin import Origin
from streammonitor_worker.synth.recipe import Injection, Recipe
from streammonitor_worker.synth.transport import CLOCK, TransportStream, Unit
from streammonitor_worker.synth.truth import Defect

_NEED_TRANSPORT = frozenset({"continuity-error", "format-change", "timestamp-jump"})


_OF_LOSS = ("decode-error", "video-block-corruption")
"""What lost packets may or may not bring about."""

_NO_ROWS = np.empty(0, np.intp)


_TRANSPORT_CODECS = frozenset(
    {"h264", "hevc", "mpeg2video", "mpeg4", "aac", "mp2", "mp3", "ac3", "opus"}
)
"""For which MPEG-TS has a name; others are carried as private data that no player can tell."""


def check_container(recipe: Recipe, suffix: str, options: Mapping[str, str]) -> None:
    """Raise InputError where a recipe does not fit that kind of file.

    options: the container's own.
    """
    is_transport = suffix == ".ts"
    for injection in _injections(recipe, *_NEED_TRANSPORT):
        if not is_transport:
            raise InputError(f"inject {injection}: needs MPEG-TS; write to a file named .ts")
    if recipe.first_timestamp_s and not is_transport:
        raise InputError(
            f"first timestamp {recipe.first_timestamp_s:g}: needs MPEG-TS; "
            "write to a file named .ts"
        )
    if is_transport or (suffix == ".m3u8" and options.get("hls_segment_type") != "fmp4"):
        check_transport_codecs(recipe)


def check_transport_codecs(recipe: Recipe) -> None:
    """Raise InputError where MPEG-TS cannot carry a recipe's codecs."""
    used = {recipe.video_codec} if recipe.picture is not None else set()
    used |= {recipe.audio_codec} if recipe.sounds else set()
    for codec in sorted(used - _TRANSPORT_CODECS):
        known = ", ".join(sorted(_TRANSPORT_CODECS))
        raise InputError(f"codec {codec}: MPEG-TS cannot carry it; use one of {known}")


def _injections(recipe: Recipe, *detectors: str) -> list[Injection]:
    found = (injection for injection in recipe.injections if injection.detector in detectors)
    return sorted(found, key=lambda injection: injection.at_s)


def _edges(recipe: Recipe, injection: Injection) -> list[int]:
    """Numbers of the pictures at which an injection begins and, if it lasts, ends."""
    times = [injection.at_s] + ([injection.end_s] if injection.duration_s else [])
    found = [at_or_after(time, recipe.fps) for time in times]
    return [number for number in found if number < recipe.pictures]


def key_pictures(recipe: Recipe) -> frozenset[int]:
    """Number the pictures that have to be decodable by themselves.

    Pictures before one are shown before it, and none after it needs one before: without that, a
    defect of packets would reach into pictures on the other side of its edge.
    """
    sharp = _injections(recipe, "decode-error", "format-change", "timestamp-jump")
    return frozenset(number for injection in sharp for number in _edges(recipe, injection))


def passages(recipe: Recipe) -> list[tuple[int, Recipe]]:
    """List the formats of the picture in order: from which number on, and the recipe for it."""
    found = [(0, recipe)]
    for injection in _injections(recipe, "format-change"):
        options = complete_options(injection)
        changed = replace(
            recipe,
            width=int(options["width"]) or recipe.width * 3 // 8 * 2,
            height=int(options["height"]) or recipe.height * 3 // 8 * 2,
        )
        first, *rest = _edges(recipe, injection)
        found.append((first, changed))
        found.extend((last, recipe) for last in rest)
    return found


def format_changes(recipe: Recipe, origin: Origin) -> Iterator[tuple[Defect, bool]]:
    """Tell where the picture's format changes, and that a watcher has to find it."""
    for number, _ in passages(recipe)[1:]:
        at = origin.to_media(float(number / recipe.fps))
        yield Defect("format-change", "video:0", at, at), True


def spoil_transport(
    recipe: Recipe, stream: TransportStream, origin: Origin
) -> list[tuple[Defect, bool]]:
    """Lose packets and move clocks; tell what was done, and whether a watcher has to find it."""
    found = [
        told
        for injection, hit in break_continuity(recipe, stream, origin)
        for told in _tell_continuity(stream, injection, hit, origin)
    ]
    steps: list[tuple[int, int]] = []
    lead = stream.tracks.get("video:0", stream.tracks.get("audio:0", -1))
    for injection in _injections(recipe, "timestamp-jump"):
        jump = round(float(complete_options(injection)["jump_s"]) * CLOCK)
        for number, edge in enumerate(_edges(recipe, injection)):
            since = origin.to_ticks(float(edge / recipe.fps))
            steps.append((since, -jump if number else jump))
            first = next(unit for unit in stream.units(lead) if unit.pts >= since)
            at = origin.media_of(first)
            found.append((Defect("timestamp-jump", "stream", at, at), True))
    stream.shift_clock(steps)
    return found


def break_continuity(
    recipe: Recipe, stream: TransportStream, origin: Origin
) -> list[tuple[Injection, list[Unit]]]:
    """Lose or renumber packets; gives the pictures (or blocks of sound) hit by each injection.

    The stream may be a piece of the whole, such as a segment.
    """
    pid = stream.tracks[_broken_track(stream)]
    lost: list[int] = []
    found = []
    for injection in _injections(recipe, "continuity-error"):
        options = complete_options(injection)
        hit: list[Unit] = []
        due, end = origin.to_ticks(injection.at_s), origin.to_ticks(injection.end_s)
        for unit in stream.units(pid):
            rows = stream.continuation_rows(pid, unit) if due <= unit.pts < end else _NO_ROWS
            if not rows.size:
                continue  # a picture in a single packet; the next one will do
            row = int(rows[len(rows) // 2])
            if options["kind"] == "lose":
                lost.append(row)
            else:
                stream.skip_number(pid, row)
            hit.append(unit)
            due = unit.pts + round(float(options["every_s"]) * CLOCK)
        found.append((injection, hit))
    stream.remove(np.array(lost, dtype=np.intp))
    return found


def _broken_track(stream: TransportStream) -> str:
    return "video:0" if "video:0" in stream.tracks else "audio:0"


def _tell_continuity(
    stream: TransportStream, injection: Injection, hit: list[Unit], origin: Origin
) -> Iterator[tuple[Defect, bool]]:
    if not hit:
        raise InputError(f"inject {injection}: no packet to lose there; use a longer duration")
    track = _broken_track(stream)
    onset, last = (origin.media_of(unit) for unit in (hit[0], hit[-1]))
    later = [u for u in stream.units(stream.tracks[track]) if origin.media_of(u) > last]
    recovery = min((origin.media_of(unit) for unit in later), default=None)
    yield Defect("continuity-error", "stream", onset, recovery), True
    if complete_options(injection)["kind"] == "lose":
        # Damage stays in the picture until the next that is decodable by itself.
        clean = min((origin.media_of(unit) for unit in later if unit.key), default=None)
        for detector in _OF_LOSS:
            yield Defect(detector, track, onset, clean), False


def planned_continuity_errors(recipe: Recipe) -> Iterator[tuple[Defect, bool]]:
    """Tell in the recipe's time where packets will be lost, to a few pictures."""
    track = "audio:0" if recipe.picture is None else "video:0"
    for injection in _injections(recipe, "continuity-error"):
        defect = Defect("continuity-error", "stream", injection.at_s, injection.end_s)
        yield defect, True
        if complete_options(injection)["kind"] == "lose":
            shown_until = injection.end_s + recipe.gop_s
            for detector in _OF_LOSS:
                yield Defect(detector, track, injection.at_s, shown_until), False
