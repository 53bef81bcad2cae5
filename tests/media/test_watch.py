"""The whole watch on encoded clips: events in, compared with the truth of what was injected."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from streammonitor_api.events import Event
from streammonitor_api.fidelity import Fidelity
from streammonitor_api.plan import parse_adjustment, resolve_plan
from streammonitor_worker.host import Watch, WatchOptions
from streammonitor_worker.synth import Injection, Recipe, Truth, write_clip

SMALL = Recipe(duration_s=12, width=320, height=180, fps=Fraction(25))
PICTURE_S = 0.04
SOUND_S = 0.02
EVENT_ORDER = ["opened", "closed"]


def watched(path: Path, *adjustments: str, **options: object) -> tuple[list[Event], Watch]:
    """Watch a file to its end; return the events."""
    events: list[Event] = []
    plan = resolve_plan(adjustments=[parse_adjustment(text) for text in adjustments])
    watch = Watch([str(path)], plan, WatchOptions(**options), [events.append])  # type: ignore[arg-type]
    watch.run(threading.Event())
    assert watch.failures == []
    return events, watch


def made(path: Path, *injections: Injection, **changes: object) -> Truth:
    return write_clip(replace(SMALL, injections=injections, **changes), path)  # type: ignore[arg-type]


DEFECTS = [
    Injection("video-black", 3, 3),
    Injection("video-freeze", 3, 3),
    Injection("video-flat", 3, 3),
    Injection("video-colour-bars", 3, 3),
    Injection("audio-silence", 3, 3),
    Injection("audio-phase", 3, 3),
    Injection("audio-clipping", 3, 3),
    Injection("audio-channel-loss", 3, 6),
]


@pytest.mark.parametrize("injection", DEFECTS, ids=str)
def test_injected_defect_is_the_only_incident(injection: Injection, tmp_path: Path) -> None:
    truth = made(tmp_path / "clip.mp4", injection)
    (defect,) = truth.defects

    events, _ = watched(tmp_path / "clip.mp4")

    told = [(event.kind, event.incident.detector) for event in events]
    assert told == [("opened", injection.detector), ("closed", injection.detector)]
    incident = events[-1].incident
    tolerance = PICTURE_S if defect.track.startswith("video") else SOUND_S
    assert incident.track == defect.track
    assert incident.onset.media_s == pytest.approx(defect.onset_s, abs=tolerance)
    assert incident.recovery is not None
    assert defect.recovery_s is not None
    assert incident.recovery.media_s == pytest.approx(defect.recovery_s, abs=tolerance)
    assert incident.duration_s == pytest.approx(injection.duration_s, abs=2 * tolerance)


def test_same_file_watched_twice_gives_the_same_ids(tmp_path: Path) -> None:
    made(tmp_path / "clip.mp4", Injection("video-black", 3, 3), Injection("audio-silence", 7, 3))

    first, _ = watched(tmp_path / "clip.mp4")
    second, _ = watched(tmp_path / "clip.mp4")

    ids = [event.incident.id for event in first]
    assert len(set(ids)) == 2
    assert ids == [event.incident.id for event in second]


def test_incident_open_at_the_end_is_closed_without_recovery(tmp_path: Path) -> None:
    made(tmp_path / "clip.mp4", Injection("video-black", 8, 4))

    events, _ = watched(tmp_path / "clip.mp4")

    assert [event.kind for event in events] == EVENT_ORDER
    assert events[-1].incident.recovery is None
    assert events[-1].incident.duration_s is None


def test_evidence_shows_the_defect_and_the_picture_before(
    tmp_path: Path, mean_luma: Callable[[Path], float]
) -> None:
    made(tmp_path / "clip.mp4", Injection("video-black", 3, 3))
    folder = tmp_path / "evidence"
    folder.mkdir()

    events, _ = watched(tmp_path / "clip.mp4", evidence_folder=folder)

    for event in events:
        first = Path(str(event.incident.evidence["first_picture"]))
        last_good = Path(str(event.incident.evidence["last_good_picture"]))
        assert mean_luma(first) < 20
        assert mean_luma(last_good) > 40
    assert len(list(folder.iterdir())) == 2


def test_settings_change_what_is_an_incident(tmp_path: Path) -> None:
    made(tmp_path / "clip.mp4", Injection("video-black", 3, 3))

    events, _ = watched(tmp_path / "clip.mp4", "video-black.alarmAfter=4s")

    assert events == []


def test_duration_ends_a_file_at_that_media_time(tmp_path: Path) -> None:
    made(tmp_path / "clip.mp4")

    _, watch = watched(tmp_path / "clip.mp4", duration_s=5.0)

    (status,) = watch.statuses()
    assert status.media_s == pytest.approx(5.0, abs=0.2)


@pytest.mark.parametrize("fidelity", [Fidelity.ADAPTIVE, Fidelity.KEYFRAMES])
def test_lower_fidelity_decodes_key_pictures_while_all_is_well(
    fidelity: Fidelity, tmp_path: Path
) -> None:
    made(tmp_path / "clip.mp4")

    _, watch = watched(tmp_path / "clip.mp4", fidelity=fidelity)

    assert watch.statuses()[0].pictures == SMALL.duration_s / SMALL.gop_s


@pytest.mark.parametrize("fidelity", [Fidelity.ADAPTIVE, Fidelity.KEYFRAMES])
def test_lower_fidelity_finds_a_long_defect(fidelity: Fidelity, tmp_path: Path) -> None:
    made(tmp_path / "clip.mp4", Injection("video-black", 4, 6))

    events, _ = watched(tmp_path / "clip.mp4", fidelity=fidelity)

    assert [event.incident.detector for event in events] == ["video-black"] * 2
    assert events[0].incident.onset.media_s == pytest.approx(4.0, abs=SMALL.gop_s + PICTURE_S)


def test_missing_file_fails_and_others_are_watched(tmp_path: Path) -> None:
    made(tmp_path / "clip.mp4", Injection("video-black", 3, 3))
    events: list[Event] = []
    sources = [str(tmp_path / "missing.mp4"), str(tmp_path / "clip.mp4")]
    watch = Watch(sources, resolve_plan(), WatchOptions(), [events.append])

    summaries = watch.run(threading.Event())

    assert len(watch.failures) == 1
    assert "missing.mp4" in watch.failures[0]
    assert [event.kind for event in events] == EVENT_ORDER
    assert summaries[1].incidents == 1


def test_one_source_named_twice_is_two_streams(tmp_path: Path) -> None:
    made(tmp_path / "clip.mp4", duration_s=2)
    clip = str(tmp_path / "clip.mp4")

    summaries = Watch([clip, clip], resolve_plan(), WatchOptions(), []).run(threading.Event())

    assert {summary.stream for summary in summaries} == {clip, f"{clip} (2)"}
