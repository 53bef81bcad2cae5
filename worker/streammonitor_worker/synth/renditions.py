"""What of a recipe is broadcast: one playlist for each size, one for the sound if it is apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from streammonitor_api.errors import InputError
from streammonitor_worker.synth.packet_defects import check_codecs
from streammonitor_worker.synth.recipe import Recipe
from streammonitor_worker.synth.stream_defects import check_transport_codecs, passages


def plan_renditions(
    recipe: Recipe, sizes: Sequence[tuple[int, int]], *, separate_sound: bool
) -> list[tuple[str, Recipe]]:
    """Name the playlists and give the recipe of each."""
    if recipe.picture is None:
        return [("sound", recipe)]
    all_sizes = [(recipe.width, recipe.height), *sizes]
    plan = [
        (f"{width}x{height}", replace(recipe, width=width, height=height))
        for width, height in dict.fromkeys(all_sizes)
    ]
    if not separate_sound or recipe.sound is None:
        return plan
    silent = [(name, replace(each, sound=None, extra_sounds=())) for name, each in plan]
    return [*silent, ("sound", replace(recipe, picture=None))]


def check_live(recipe: Recipe, pictures_each: int, *, fragmented: bool) -> None:
    """Raise InputError for what can be written to a file but not be broadcast."""
    check_codecs(recipe, ".mp4" if fragmented else ".ts")
    if not fragmented:
        check_transport_codecs(recipe)
    if recipe.first_timestamp_s:
        raise InputError("first timestamp: a live stream begins at 0; write it to a file")
    for injection in recipe.injections:
        if injection.detector == "timestamp-jump":
            raise InputError(f"inject {injection}: cannot be served live; write it to a file")
        if injection.detector in {"format-change", "continuity-error"} and fragmented:
            raise InputError(f"inject {injection}: needs MPEG-TS; serve it without fragments")
    for number, _ in passages(recipe)[1:]:
        if number % pictures_each:
            each_s = float(pictures_each / recipe.fps)
            raise InputError(
                f"inject format-change@{float(number / recipe.fps):g}: a live stream changes "
                f"between segments only; use a multiple of {each_s:g} s"
            )
