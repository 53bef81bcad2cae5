"""Writes a recipe's stream to a file and tells the truth about it in media time."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import av

from streammonitor_api.errors import InputError, suggestion
from streammonitor_worker.synth.defects import check_injections
from streammonitor_worker.synth.encoding import Encoding, refusing_in_one_line
from streammonitor_worker.synth.material import material_defects
from streammonitor_worker.synth.origin import find_origin
from streammonitor_worker.synth.packet_defects import check_codecs
from streammonitor_worker.synth.recipe import Recipe
from streammonitor_worker.synth.stream_defects import (
    check_container,
    format_changes,
    spoil_transport,
)
from streammonitor_worker.synth.transport import CLOCK, EVER, TransportStream
from streammonitor_worker.synth.truth import Defect, Truth

CONTAINERS = frozenset(
    {".flac", ".m3u8", ".m4a", ".mka", ".mkv", ".mov", ".mp3", ".mp4", ".ts", ".wav", ".webm"}
)
"""By the end of the file's name. Not .avi: it keeps no times, only an order."""


def write_clip(recipe: Recipe, path: Path | str, options: dict[str, str] | None = None) -> Truth:
    """Write the recipe's stream to a file and return what is wrong with it.

    The container follows from the file's name; `CONTAINERS` are known. `options` are the
    container's own. Raises InputError where the recipe cannot be made or does not fit the
    container.
    """
    path = Path(path)
    if path.suffix not in CONTAINERS:
        hint = suggestion(path.suffix, CONTAINERS)
        raise InputError(f'{path}: no container is known as "{path.suffix}"; {hint}')
    check_injections(recipe)
    check_container(recipe, path.suffix, options or {})
    check_codecs(recipe, path.suffix)
    if path.suffix == ".ts":
        # One access unit a PES packet: a jump of the clock then begins at the very unit.
        options = {"pes_payload_size": "0", **(options or {})}
    with (
        refusing_in_one_line(str(path)),
        av.open(str(path), "w", options=options or {}) as container,
    ):
        encoding = Encoding(recipe, container)
        encoding.run()
    origin = find_origin(path, encoding.first_packet_s)
    found = [(defect, True) for defect in material_defects(recipe)]
    found += encoding.spoiler.defects()
    found = [(defect.shifted(origin.to_media(0)), required) for defect, required in found]
    found += format_changes(recipe, origin)
    if path.suffix == ".ts":
        stream = TransportStream(path.read_bytes())
        found += spoil_transport(recipe, stream, origin)
        stream.shift_clock([(EVER, round(recipe.first_timestamp_s * CLOCK))])
        path.write_bytes(stream.to_bytes())
    return make_truth(recipe, found)


def make_truth(recipe: Recipe, found: Iterable[tuple[Defect, bool]]) -> Truth:
    """Sort defects by onset, and apart those that must be found and those that may be."""
    ordered = sorted(found, key=lambda pair: (pair[0].onset_s, pair[0].detector))
    return Truth(
        recipe.to_dict(),
        tuple(defect for defect, required in ordered if required),
        tuple(defect for defect, required in ordered if not required),
    )
