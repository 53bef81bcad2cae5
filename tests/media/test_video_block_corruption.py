"""Block corruption in truly damaged streams, and in painted damage after an encode."""

from __future__ import annotations

import threading
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from streammonitor_api.events import Event
from streammonitor_api.incident import Incident
from streammonitor_api.plan import resolve_plan
from streammonitor_worker.host import Watch, WatchOptions
from streammonitor_worker.synth import Injection, Recipe, write_clip
from tests.support.damage import Damage, flip_stream_bits, lose_packets, lose_slices
from tests.support.visible import visible_damage

PICTURE_S = 0.04
WITHIN = (2.1, 3.4)
RECIPE = Recipe(
    duration_s=8, width=320, height=192, fps=Fraction(25), sound=None, slices=4, gop_s=2.0
)
DAMAGERS: dict[str, Callable[[Path, Path, int], Damage]] = {
    "packets": lambda a, b, seed: lose_packets(a, b, seed=seed, share=0.05, between=WITHIN),
    "burst": lambda a, b, seed: lose_packets(a, b, seed=seed, share=0.1, burst=8, between=WITHIN),
    "bits": lambda a, b, seed: flip_stream_bits(a, b, seed=seed, count=60, between=WITHIN),
    "slices": lambda a, b, seed: lose_slices(a, b, seed=seed, share=0.3, between=WITHIN),
}


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("blocks") / "clean.ts"
    write_clip(RECIPE, path)
    return path


def corruption_of(path: Path) -> list[Incident]:
    events: list[Event] = []
    plan = resolve_plan(only=["video-block-corruption"])
    Watch([str(path)], plan, WatchOptions(), [events.append]).run(threading.Event())
    return [event.incident for event in events if event.kind == "closed"]


def test_clean_stream_is_clean(clean: Path) -> None:
    assert corruption_of(clean) == []


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("kind", DAMAGERS)
def test_damaged_stream_is_one_incident_around_the_damage(
    kind: str, seed: int, clean: Path, tmp_path: Path
) -> None:
    spoilt = tmp_path / "spoilt.ts"
    DAMAGERS[kind](clean, spoilt, seed)
    wrong = [time for time, share in visible_damage(clean, spoilt) if share > 0]

    (incident,) = corruption_of(spoilt)

    assert incident.onset.media_s == pytest.approx(wrong[0], abs=3 * PICTURE_S)
    assert incident.recovery is not None
    assert incident.recovery.media_s >= wrong[-1], "not told as over while it can be seen"
    assert incident.recovery.media_s <= 4.0 + PICTURE_S, "the next whole key picture"


@pytest.mark.parametrize("picture", ["testcard", "pan", "sport", "slide", "dark"])
def test_painted_damage_is_found_to_the_picture(picture: str, tmp_path: Path) -> None:
    recipe = Recipe(
        duration_s=6,
        width=640,
        height=360,
        fps=Fraction(25),
        picture=picture,
        sound=None,
        injections=[Injection("video-block-corruption", 2.48, 1.2)],
    )
    (defect,) = write_clip(recipe, tmp_path / "clip.mp4").defects

    (incident,) = corruption_of(tmp_path / "clip.mp4")

    assert incident.onset.media_s == pytest.approx(defect.onset_s, abs=PICTURE_S)
    assert incident.recovery is not None
    assert incident.recovery.media_s == pytest.approx(defect.recovery_s, abs=PICTURE_S)


@pytest.mark.parametrize(
    "picture", ["cuts", "blocks", "credits", "slide", "grain", "noise", "pulldown", "sport"]
)
@pytest.mark.parametrize("crf", [23, 40])
def test_look_alikes_are_no_damage(picture: str, crf: int, tmp_path: Path) -> None:
    recipe = Recipe(
        duration_s=6, width=320, height=180, fps=Fraction(25), picture=picture, sound=None, crf=crf
    )
    write_clip(recipe, tmp_path / "clip.mp4")

    assert corruption_of(tmp_path / "clip.mp4") == []
