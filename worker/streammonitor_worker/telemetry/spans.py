"""One trace an incident: a span from its onset to its recovery, made when it is closed.

A span that is open for hours would be lost with its process, and most backends show none before
its end; what goes on right now is told by the metrics.
"""

from __future__ import annotations

from datetime import datetime

from opentelemetry.context import Context
from opentelemetry.trace import Status, StatusCode, Tracer
from opentelemetry.util.types import AttributeValue

from streammonitor_api.events import Event
from streammonitor_api.incident import Incident


def trace_incident(tracer: Tracer, event: Event) -> None:
    """Record a closed incident; other events leave no trace."""
    if event.kind != "closed":
        return
    incident = event.incident
    end = event.time if incident.recovery is None else incident.recovery.wall
    span = tracer.start_span(
        incident.detector,
        context=Context(),  # a root: a trace of its own
        start_time=_nanoseconds(incident.onset.wall),
        attributes=_attributes(incident),
    )
    span.set_status(Status(StatusCode.ERROR, f"{incident.detector} on {incident.track}"))
    span.end(max(_nanoseconds(end), _nanoseconds(incident.onset.wall)))


def _attributes(incident: Incident) -> dict[str, AttributeValue]:
    attributes: dict[str, AttributeValue] = {
        "streammonitor.incident.id": incident.id,
        "streammonitor.stream": incident.stream,
        "streammonitor.detector": incident.detector,
        "streammonitor.severity": incident.severity,
        "streammonitor.track": incident.track,
        "streammonitor.onset_s": incident.onset.media_s,
        "streammonitor.measure.value": incident.value,
        "streammonitor.measure.threshold": incident.threshold,
        "streammonitor.measure.unit": incident.unit,
    }
    if incident.recovery is not None:
        attributes["streammonitor.recovery_s"] = incident.recovery.media_s
    if incident.duration_s is not None:
        attributes["streammonitor.duration_s"] = incident.duration_s
    return attributes


def _nanoseconds(wall: str) -> int:
    return round(datetime.fromisoformat(wall).timestamp() * 1_000_000) * 1000
