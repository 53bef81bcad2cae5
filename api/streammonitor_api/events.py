"""What leaves a worker: events of incidents, and one summary a stream.

The written form is the contract of `streammonitor watch --output jsonl`: one JSON object a line.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from streammonitor_api.incident import Incident

EventKind = Literal["opened", "updated", "closed"]

EVENT_KINDS: tuple[EventKind, ...] = ("opened", "updated", "closed")


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened to an incident. `time` is when it was told (RFC 3339, wall clock).

    `revision` counts the events of one incident, from 1, whoever tells them: what has been seen
    already is known by (incident id, revision).
    """

    kind: EventKind
    time: str
    incident: Incident
    revision: int = 1

    def as_json(self) -> dict[str, object]:
        return {"event": self.kind, "time": self.time, "incident": self.incident.as_json()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Event:
        """Read the written form. Raises KeyError, TypeError or ValueError for what is no event."""
        kind = data["event"]
        if kind not in EVENT_KINDS:
            raise ValueError(f"no event {kind!r}; known are: {', '.join(EVENT_KINDS)}")
        return cls(kind, str(data["time"]), Incident.from_json(data["incident"]))


@dataclass(frozen=True, slots=True)
class OpenIncident:
    """An incident that was told and not closed, with the revision of its last event: what an
    owner of a stream leaves to the next."""

    incident: Incident
    revision: int


@dataclass(frozen=True, slots=True)
class Summary:
    """What became of a stream, told once at its end.

    `media_s` is how much media was watched, `frames` the pictures measured, `cpu_s` the processor
    time that this took, `incidents` how many were opened.
    """

    stream: str
    media_s: float
    frames: int
    cpu_s: float
    incidents: int

    def as_json(self) -> dict[str, object]:
        return {
            "event": "summary",
            "stream": self.stream,
            "media_s": round(self.media_s, 3),
            "frames": self.frames,
            "cpu_s": round(self.cpu_s, 3),
            "incidents": self.incidents,
        }


def as_line(message: Event | Summary) -> str:
    """Write one message as a line of JSON, without the line's end."""
    return json.dumps(message.as_json(), ensure_ascii=False, allow_nan=False)
