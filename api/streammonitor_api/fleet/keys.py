"""Every Redis key of a fleet. Built nowhere else.

All begin `streammonitor:{<fleet>}:`. The braces put a fleet into one hash slot, so that scripts
may touch several of its keys on a Redis Cluster too; fleets in one Redis differ in the name alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from streammonitor_api.names import FleetName, StreamKey, WorkerId


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one fleet."""

    fleet: FleetName

    @property
    def prefix(self) -> str:
        return f"streammonitor:{{{self.fleet}}}:"

    @property
    def version(self) -> str:
        """String: version of the contract that the fleet's operator speaks."""
        return f"{self.prefix}version"

    @property
    def term(self) -> str:
        """Hash: `term`, and of the operator that holds it `identity`, `name`, `seen_ms`."""
        return f"{self.prefix}term"

    @property
    def specs(self) -> str:
        """Hash: stream → StreamSpec as JSON."""
        return f"{self.prefix}specs"

    @property
    def epochs(self) -> str:
        """Hash: stream → the highest epoch ever handed out or claimed. Never goes back."""
        return f"{self.prefix}epochs"

    @property
    def forgotten(self) -> str:
        """Sorted set: streams that are no longer wanted, by when; their epochs are kept a day."""
        return f"{self.prefix}forgotten"

    def assignments(self, worker: WorkerId) -> str:
        """Hash of a worker: stream → `epoch overlap_ms spec_revision`."""
        return f"{self.prefix}assignments:{worker}"

    @property
    def revisions(self) -> str:
        """Hash: worker → revision of its assignments."""
        return f"{self.prefix}revisions"

    @property
    def beats(self) -> str:
        """Hash: worker → `seen_ms incarnation serial heartbeat` (Heartbeat as JSON)."""
        return f"{self.prefix}beats"

    @property
    def starts(self) -> str:
        """Hash: worker → incarnations of it that were succeeded by another, the latest first."""
        return f"{self.prefix}starts"

    @property
    def tables(self) -> str:
        """Hash: worker → its streams, StreamTable as JSON."""
        return f"{self.prefix}tables"

    @property
    def claims(self) -> str:
        """Hash: stream → `epoch worker incarnation claimed_ms history`."""
        return f"{self.prefix}claims"

    @property
    def open(self) -> str:
        """Hash: incident id → OpenIncident as JSON, of the whole fleet."""
        return f"{self.prefix}open"

    def open_of(self, stream: StreamKey) -> str:
        """Hash of a stream: `detector track name` → id of the open incident there."""
        return f"{self.prefix}open:{stream}"

    def incidents_of(self, stream: StreamKey) -> str:
        """Hash of a stream: incident id → what was recorded of it, to tell new from known."""
        return f"{self.prefix}incidents:{stream}"

    @property
    def events(self) -> str:
        """Stream: every event of every incident, bounded in length."""
        return f"{self.prefix}events"

    def sent(self, entry: str) -> str:
        """Set of an event's entry: targets that have it, while others do not. Goes by itself."""
        return f"{self.prefix}sent:{entry}"

    @property
    def alerting(self) -> str:
        """String: the worker that tells Alertmanagers of open incidents again. Goes by itself."""
        return f"{self.prefix}alerting"

    @property
    def gaps(self) -> str:
        """Stream: coverage gaps that are over, bounded in length."""
        return f"{self.prefix}gaps"

    @property
    def open_gaps(self) -> str:
        """Hash: stream → the coverage gap that it is in, as JSON."""
        return f"{self.prefix}open-gaps"

    @property
    def coverage(self) -> str:
        """Hash: stream → CoverageTotal as JSON."""
        return f"{self.prefix}coverage"
