"""What was found and what was missed: events, open incidents, gaps and coverage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import PlainSerializer, PlainValidator

from streammonitor_api.events import Event
from streammonitor_api.fleet.beats import Claim
from streammonitor_api.fleet.record import Record
from streammonitor_api.fleet.specs import NotifyTarget
from streammonitor_api.names import (
    Epoch,
    IncidentId,
    StreamKey,
    WorkerId,
)


def _read_event(value: object) -> Event:
    if isinstance(value, Event):
        return value
    if not isinstance(value, Mapping):
        raise ValueError("not an event")
    try:
        return Event.from_json(value)
    except (KeyError, TypeError) as error:
        raise ValueError(f"not an event, {error}") from None


EventField = Annotated[Event, PlainValidator(_read_event), PlainSerializer(Event.as_json)]


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetEvent(Record):
    """An event of an incident with what tells it apart from all others."""

    stream: StreamKey
    epoch: Epoch
    """Of the worker that noticed it."""
    revision: int
    """Counts the events of an incident: 1 opened, 2 … updated, the last closed."""
    event: EventField
    notify: tuple[NotifyTarget, ...] = ()
    """Where to send it: travels along, as the stream's spec may be gone when it is sent."""

    @property
    def id(self) -> str:
        """Stable: the same for the same event, however often and by whom it is sent."""
        return f"{self.event.incident.id}.{self.revision}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedEvent(Record):
    """An event as it is read from the history."""

    entry: str
    """Redis' id of the entry, `milliseconds-number`: orders the history, and tells its time."""
    worker: WorkerId
    told: FleetEvent
    merged_into: IncidentId | None = None
    """Set where an older owner saw the same defect as the newer one: another view of that
    incident, perhaps with an earlier onset, and no incident of its own."""

    @property
    def recorded_ms(self) -> int:
        return int(self.entry.partition("-")[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenIncident(Record):
    """An incident that is open, as its next owner adopts it."""

    stream: StreamKey
    epoch: Epoch
    worker: WorkerId
    revision: int
    """Of the last event that was recorded."""
    onset_ms: int
    """Wall clock. May be earlier than the event's: an older owner had seen it before."""
    notify: tuple[NotifyTarget, ...] = ()
    event: EventField

    @property
    def id(self) -> IncidentId:
        return IncidentId(self.event.incident.id)


@dataclass(frozen=True, slots=True)
class Publication:
    """What became of an event.

    `recorded`: it is in the history now. `seen`: it was before. `merged`: the same defect is an
    incident of a newer owner's. `adopt`: that detector has an open incident on that track already
    (or had when this incident began), go on under its id. `earlier`: the incident began earlier
    than the event says; send it again with that onset.
    """

    outcome: Literal["recorded", "seen", "merged", "adopt", "earlier"]
    incident: OpenIncident | None = None
    """With `adopt`: the one to adopt; None if it is closed by now."""
    onset_ms: int | None = None
    """With `earlier` and `adopt`: the onset that holds."""
    into: IncidentId | None = None
    """With `adopt`: the id to go on under. With `merged`: the newer owner's incident; None where
    it was there and saw no defect."""
    revision: int | None = None
    """With `adopt`: what to add to the revisions of the event's own incident."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A claim that was granted, with what the new owner has to adopt."""

    claim: Claim
    open_incidents: tuple[OpenIncident, ...]


@dataclass(frozen=True, slots=True)
class Gap(Record):
    """A time in which a stream was wanted but not watched."""

    stream: StreamKey
    from_ms: int
    to_ms: int | None
    """None: it lasts."""
    reason: str


@dataclass(frozen=True, slots=True)
class CoverageTotal(Record):
    """How long a stream was wanted, and how long of that it was watched."""

    wanted_s: float
    watched_s: float

    @property
    def coverage(self) -> float | None:
        """0 to 1; None while it has not been wanted for any time."""
        return None if self.wanted_s <= 0 else min(1.0, self.watched_s / self.wanted_s)
