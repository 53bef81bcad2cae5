"""Compares what a watcher reported with what was put into a stream. Pure.

A report hits a defect when detector and track are the same and their times overlap, give or take
`MARGIN_S`. Each defect is hit once; a second report of it is a false alarm like any other. What
the truth tolerates is neither a hit nor a false alarm.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from streammonitor_api.incident import Incident
from streammonitor_worker.synth.truth import Defect, Truth

MARGIN_S = 1.0
"""A report that is a second off is a bad report of this defect, not one of another."""


@dataclass(frozen=True)
class Hit:
    """A defect and the incident that reports it."""

    defect: Defect
    incident: Incident

    @property
    def onset_error_s(self) -> float:
        """Seconds by which the reported onset is late; negative for early."""
        return self.incident.onset.media_s - self.defect.onset_s

    @property
    def recovery_error_s(self) -> float | None:
        """The same for the recovery; None where one of them is open."""
        if self.incident.recovery is None or self.defect.recovery_s is None:
            return None
        return self.incident.recovery.media_s - self.defect.recovery_s


@dataclass(frozen=True)
class Score:
    """What was found, what was missed, and what was reported without reason."""

    hits: tuple[Hit, ...]
    missed: tuple[Defect, ...]
    false_alarms: tuple[Incident, ...]


def score(truth: Truth, incidents: Iterable[Incident]) -> Score:
    """Match incidents, as they were when they were closed, with the truth."""
    left = list(incidents)
    hits, missed = [], []
    for defect in truth.defects:
        found = min(
            (incident for incident in left if _is_about(incident, defect)),
            key=lambda incident: abs(incident.onset.media_s - defect.onset_s),
            default=None,
        )
        if found is None:
            missed.append(defect)
        else:
            left.remove(found)
            hits.append(Hit(defect, found))
    false_alarms = [
        incident
        for incident in left
        if not any(_is_about(incident, tolerated) for tolerated in truth.tolerated)
    ]
    return Score(tuple(hits), tuple(missed), tuple(false_alarms))


def _is_about(incident: Incident, defect: Defect) -> bool:
    if (incident.detector, incident.track) != (defect.detector, defect.track):
        return False
    ended = math.inf if incident.recovery is None else incident.recovery.media_s
    recovery = math.inf if defect.recovery_s is None else defect.recovery_s
    begins_in_time = incident.onset.media_s <= recovery + MARGIN_S
    return begins_in_time and ended >= defect.onset_s - MARGIN_S
