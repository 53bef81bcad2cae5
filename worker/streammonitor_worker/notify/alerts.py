"""An incident as an alert of Alertmanager's API v2. Pure.

An alert that is not told again ends by itself after `LASTS_S`, so that nothing stays red when a
whole fleet goes; while an incident is open it is told again each `AGAIN_S`. What is in its labels
never changes, as the labels are what Alertmanager knows an alert by.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime

from streammonitor_api.events import Event
from streammonitor_api.incident import Incident, wall_time
from streammonitor_api.names import FleetName, StreamKey, stream_parts

ALERT_NAME = "StreamMonitorIncident"
AGAIN_S = 60.0
LASTS_S = 4 * AGAIN_S
"""Three times may fail. Alertmanager's own `resolve_timeout` does not matter: an end is given."""
PATH = "/api/v2/alerts"


def alerts_url(url: str) -> str:
    """Where alerts are posted to, of an Alertmanager's address as in a browser."""
    return f"{url.partition('#')[0].rstrip('/')}{PATH}"


def firing(
    fleet: FleetName, stream: StreamKey, incident: Incident, now_s: float
) -> dict[str, object]:
    """The alert of an open incident, until it is told again."""
    return _alert(fleet, stream, incident, wall_time(now_s + LASTS_S))


def resolved(fleet: FleetName, stream: StreamKey, event: Event) -> dict[str, object]:
    """The end of the alert of a closed incident; when nobody saw the recovery, when that was
    told."""
    incident = event.incident
    end = event.time if incident.recovery is None else incident.recovery.wall
    # Alertmanager refuses ends before starts.
    return _alert(fleet, stream, incident, max(end, incident.onset.wall, key=_moment))


def as_body(alerts: Iterable[dict[str, object]]) -> bytes:
    return json.dumps(list(alerts), ensure_ascii=False).encode()


def _moment(wall: str) -> datetime:
    return datetime.fromisoformat(wall).astimezone(UTC)


def _alert(
    fleet: FleetName, stream: StreamKey, incident: Incident, ends_at: str
) -> dict[str, object]:
    parts = stream_parts(stream)
    measure = f"{incident.value:g} {incident.unit}, threshold {incident.threshold:g}"
    return {
        "labels": {
            "alertname": ALERT_NAME,
            "fleet": fleet,
            "namespace": parts.namespace,
            "monitor": parts.monitor,
            "stream": parts.stream,
            "detector": incident.detector,
            "track": incident.track,
            "severity": incident.severity,
            "incident": incident.id,
        },
        "annotations": {
            "summary": f"{incident.detector} on {stream} since {incident.onset.wall}",
            "description": f"{incident.detector} on {incident.track} of {stream}: {measure}",
        },
        "startsAt": incident.onset.wall,
        "endsAt": ends_at,
    }
