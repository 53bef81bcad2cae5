"""Judges a whole watch: what it told against what is true, to one picture or 20 ms of sound."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

from streammonitor_api.events import Event
from streammonitor_api.incident import Incident
from streammonitor_api.plan import parse_adjustment, resolve_plan
from streammonitor_worker.host import Watch, WatchOptions
from streammonitor_worker.synth import Truth
from streammonitor_worker.synth.score import Hit, score

SOUND_S = 0.02
"""By how much an edge of a defect of sound may be off; one of a picture, by one picture."""
_ROUNDING_S = 1e-3
"""Matroska and FLV round times to a millisecond."""


def incidents_of(
    path: Path, *adjustments: str, only: Iterable[str] | None = None
) -> list[Incident]:
    """Watch a file to its end; return its incidents as they were when they were closed."""
    events: list[Event] = []
    plan = resolve_plan(only=only, adjustments=[parse_adjustment(text) for text in adjustments])
    watch = Watch([str(path)], plan, WatchOptions(), [events.append])
    watch.run(threading.Event())
    assert watch.failures == []
    return [event.incident for event in events if event.kind == "closed"]


def faults(truth: Truth, incidents: Iterable[Incident], picture_s: float) -> list[str]:
    """Say in a line each what is wrong with a watch; nothing, where all defects were found to
    the picture and no others were told."""
    result = score(truth, incidents)
    found = [f"missed: {defect}" for defect in result.missed]
    found += [f"false alarm: {told(incident)}" for incident in result.false_alarms]
    for hit in result.hits:
        found += _misplaced(hit, picture_s)
    return found


def told(incident: Incident) -> str:
    """An incident in a line."""
    recovery = "its end" if incident.recovery is None else f"{incident.recovery.media_s:.3f} s"
    return (
        f"{incident.detector} on {incident.track} from {incident.onset.media_s:.3f} s to "
        f"{recovery}, {incident.value:g} {incident.unit}, {dict(incident.evidence)}"
    )


def _misplaced(hit: Hit, picture_s: float) -> Iterator[str]:
    tolerance = SOUND_S if hit.defect.track.startswith("audio:") else max(picture_s, SOUND_S)
    tolerance += _ROUNDING_S
    if abs(hit.onset_error_s) > tolerance:
        yield f"onset is off by {hit.onset_error_s:+.3f} s: {told(hit.incident)}"
    if (hit.incident.recovery is None) != (hit.defect.recovery_s is None):
        yield f"recovery should be {hit.defect.recovery_s}: {told(hit.incident)}"
    if hit.recovery_error_s is not None and abs(hit.recovery_error_s) > tolerance:
        yield f"recovery is off by {hit.recovery_error_s:+.3f} s: {told(hit.incident)}"
