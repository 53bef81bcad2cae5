"""What anybody may read, and the notifications' consumer group. See `store.py`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from streammonitor_api.fleet.keys import Keys
from streammonitor_api.fleet.records import (
    CoverageTotal,
    FleetSeen,
    Gap,
    OpenIncident,
    OperatorSeen,
    RecordedEvent,
    StreamSpec,
)
from streammonitor_api.fleet.scripts import Scripts
from streammonitor_api.names import FleetName, StreamKey


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event that the group handed to this consumer, until it is acknowledged."""

    entry: str
    event: RecordedEvent | None
    """None: the history was cut before it was delivered, or it cannot be read. Acknowledge it."""
    deliveries: int
    """How often it was handed out, this time included."""


class ReaderStore:
    """What anybody may read."""

    def __init__(self, scripts: Scripts, fleet: FleetName) -> None:
        self._scripts = scripts
        self.keys = Keys(fleet)

    def read_fleet(self) -> FleetSeen:
        """All workers with all their tables."""
        raise NotImplementedError

    def read_operator(self) -> OperatorSeen | None:
        raise NotImplementedError

    def read_specs(self) -> dict[StreamKey, StreamSpec]:
        raise NotImplementedError

    def read_open_incidents(self) -> list[OpenIncident]:
        raise NotImplementedError

    def read_coverage(self) -> dict[StreamKey, CoverageTotal]:
        raise NotImplementedError

    def read_gaps(self, since_ms: int = 0) -> list[Gap]:
        """Gaps that ended after a time, the oldest first, then those that last."""
        raise NotImplementedError

    def read_events(self, since_ms: int = 0, *, merged: bool = False) -> Iterator[RecordedEvent]:
        """The history from a time (Redis' clock, ms) to now, in order; with `merged`, also what
        older owners saw of incidents of newer ones."""
        raise NotImplementedError

    def follow_events(
        self, after: str, *, wait_s: float, merged: bool = False
    ) -> list[RecordedEvent]:
        """Events after an entry ("$": from now on; "0": all), waiting for the next; [] after
        `wait_s` without any."""
        raise NotImplementedError

    # Consumer groups

    def ensure_group(self, group: str) -> None:
        """Make a consumer group that begins with the oldest event kept; no-op where it exists."""
        raise NotImplementedError

    def take(self, group: str, consumer: str, *, count: int, wait_s: float) -> list[Delivery]:
        """Events that no consumer of the group has had. Makes the group where it is missing."""
        raise NotImplementedError

    def take_over(self, group: str, consumer: str, *, idle_s: float, count: int) -> list[Delivery]:
        """Events that a consumer took and has not acknowledged for `idle_s`: it died, or could
        not deliver them."""
        raise NotImplementedError

    def acknowledge(self, group: str, entries: Sequence[str]) -> None:
        raise NotImplementedError
