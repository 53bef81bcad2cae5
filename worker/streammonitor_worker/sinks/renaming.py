"""An event in the terms of another incident: what the contract answers, applied. Pure."""

from __future__ import annotations

from dataclasses import replace

from streammonitor_api.events import Event
from streammonitor_api.fleet.records import FleetEvent, Publication
from streammonitor_api.incident import Incident, Moment, wall_time


def as_answered(told: FleetEvent, answer: Publication) -> FleetEvent:
    """The event as it has to be told after `adopt` or `earlier`."""
    incident = told.event.incident
    if answer.onset_ms is not None and answer.onset_ms < incident.onset.wall_ms:
        incident = with_onset(incident, answer.onset_ms)
    if answer.outcome != "adopt" or answer.into is None:
        return replace(told, event=replace(told.event, incident=incident))
    kind = "updated" if told.event.kind == "opened" else told.event.kind
    event = Event(kind, told.event.time, replace(incident, id=answer.into))
    return replace(told, event=event, revision=told.revision + (answer.revision or 0))


def with_onset(incident: Incident, onset_ms: int) -> Incident:
    """The incident with an earlier onset, by the wall clock.

    Its media time lies on the axis of this watch, which may have begun later: it may be negative.
    """
    earlier_s = (incident.onset.wall_ms - onset_ms) / 1000
    onset = Moment(incident.onset.media_s - earlier_s, wall_time(onset_ms / 1000))
    duration_s = incident.duration_s
    return replace(
        incident,
        onset=onset,
        duration_s=None if duration_s is None else duration_s + earlier_s,
    )


def closing(told: FleetEvent, now_s: float) -> FleetEvent:
    """The end of an incident that nobody watches any more: recovery unknown."""
    incident = replace(told.event.incident, recovery=None, duration_s=None)
    event = Event("closed", wall_time(now_s), incident)
    return replace(told, revision=told.revision + 1, event=event)


def over_ms(told: FleetEvent) -> int | None:
    """When the incident of a closing event was over; None for other events."""
    if told.event.kind != "closed":
        return None
    recovery = told.event.incident.recovery
    return Moment(0.0, told.event.time).wall_ms if recovery is None else recovery.wall_ms
