"""A stream in quarantine is an incident of its own: nobody watches it. Pure."""

from __future__ import annotations

from dataclasses import replace

from streammonitor_api.events import Event, OpenIncident
from streammonitor_api.incident import Incident, Moment, incident_id, wall_time
from streammonitor_worker.supervisor.duties import Duty

DETECTOR = "stream-quarantined"
TRACK = "stream"
_KEY = DETECTOR, TRACK


def of_engines(left_open: tuple[OpenIncident, ...]) -> tuple[OpenIncident, ...]:
    """Without those that are told here, not by an engine."""
    return tuple(one for one in left_open if one.incident.detector != DETECTOR)


def opening(duty: Duty, wall_s: float, deaths: int, how: str, media_s: float) -> Event | None:
    """The event that it is in quarantine; None where that is told already."""
    if _KEY in duty.left_open:
        return None
    onset = Moment(media_s, wall_time(wall_s))
    reason = f"its engine died {deaths} times, {how}; it is tried again after a while"
    incident = Incident(
        id=incident_id(duty.stream, *_KEY, media_s, onset.wall),
        stream=duty.stream,
        detector=DETECTOR,
        severity="critical",
        track=TRACK,
        onset=onset,
        recovery=None,
        duration_s=None,
        value=float(deaths),
        threshold=1.0,
        unit="deaths",
        evidence={"reason": reason},
    )
    return Event("opened", onset.wall, incident, 1)


def closing(duty: Duty, wall_s: float, onset_wall_s: float) -> Event | None:
    """The event that it is watched again; None where it was in no quarantine."""
    known = duty.left_open.get(_KEY)
    if known is None:
        return None
    onset, wall = known.incident.onset, wall_time(wall_s)
    lasted_s = max(0.0, wall_s - onset_wall_s)
    recovery = Moment(onset.media_s + lasted_s, wall)
    incident = replace(known.incident, recovery=recovery, duration_s=lasted_s)
    return Event("closed", wall, incident, known.revision + 1)


def cancelled(one: OpenIncident, wall_s: float, reason: str) -> Event:
    """The event that closes an incident which nobody watches any longer."""
    evidence = {**one.incident.evidence, "cancelled": reason}
    incident = replace(one.incident, recovery=None, duration_s=None, evidence=evidence)
    return Event("closed", wall_time(wall_s), incident, one.revision + 1)
