"""Spoils the stream as a whole: changes of format, lost packets, clocks that jump.

Says which pictures have to be key pictures so that a defect has clean edges, from where on the
picture has another format, and what becomes of a finished transport stream. Packets that a
decoder refuses are made in `packet_defects.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from streammonitor_api.errors import InputError
from streammonitor_worker.synth.defects import at_or_after, complete_options
from streammonitor_worker.synth.origin import Origin
from streammonitor_worker.synth.recipe import Injection, Recipe
from streammonitor_worker.synth.transport import CLOCK, TransportStream, Unit
from streammonitor_worker.synth.truth import Defect

_NEED_TRANSPORT = frozenset({"continuity-error", "format-change", "timestamp-jump"})


def check_container(recipe: Recipe, path: Path) -> None:
    """Raise InputError where a stream defect cannot be made in that kind of file."""
    is_transport = path.suffix == ".ts"
    for injection in _injections(recipe, *_NEED_TRANSPORT):
        if not is_transport:
            raise InputError(f"inject {injection}: needs MPEG-TS; write to a file named .ts")
    if recipe.first_timestamp_s and not is_transport:
        raise InputError(
            f"first timestamp {recipe.first_timestamp_s:g}: needs MPEG-TS; "
            "write to a file named .ts"
        )


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
    found: list[tuple[Defect, bool]] = []
    lost: list[int] = []
    for injection in _injections(recipe, "continuity-error"):
        found += _break_continuity(stream, injection, origin, lost)
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
    stream.remove(np.array(lost, dtype=np.intp))
    return found


def _break_continuity(
    stream: TransportStream, injection: Injection, origin: Origin, lost: list[int]
) -> Iterator[tuple[Defect, bool]]:
    options = complete_options(injection)
    every, kind = float(options["every_s"]), options["kind"]
    if kind not in {"lose", "renumber"} or not every > 0:
        raise InputError(f"inject {injection}: use kind=lose or renumber, every_s above 0")
    track = "video:0" if "video:0" in stream.tracks else "audio:0"
    pid = stream.tracks[track]
    units = stream.units(pid)
    hit: list[Unit] = []
    due = origin.to_ticks(injection.at_s)
    for unit in units:
        if not due <= unit.pts < origin.to_ticks(injection.end_s):
            continue
        rows = stream.continuation_rows(pid, unit)
        if not rows.size:
            continue  # a picture in a single packet; the next one will do
        row = int(rows[len(rows) // 2])
        if kind == "lose":
            lost.append(row)
        else:
            stream.skip_number(pid, row)
        hit.append(unit)
        due = unit.pts + round(every * CLOCK)
    if not hit:
        raise InputError(f"inject {injection}: no packet to lose there; use a longer duration")
    times = [origin.media_of(unit) for unit in hit]
    after = [origin.media_of(unit) for unit in units if origin.media_of(unit) > max(times)]
    defect = Defect("continuity-error", "stream", min(times), min(after, default=None))
    yield defect, True
    if kind == "lose":
        # Damage stays in the picture until the next that is decodable by itself.
        keys = [origin.media_of(u) for u in units if u.key and origin.media_of(u) > max(times)]
        for detector in ("decode-error", "video-block-corruption"):
            yield Defect(detector, track, defect.onset_s, min(keys, default=None)), False
