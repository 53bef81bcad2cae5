"""What becomes of the facts: statuses of monitors, written when something changed and only then.

A status that changed is written a second after it began to change, so that what belongs together
(a failover, a dozen streams of one monitor) is one write; one that is only on the way to being
watched has longer. A message that changed alone is written seldom: the states it explains did not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from streammonitor_api.fleet.records import OpenIncident, RecordedEvent
from streammonitor_api.names import StreamKey, stream_parts
from streammonitor_operator.inventory import MonitorKey, monitor_of
from streammonitor_operator.state import State
from streammonitor_operator.status import (
    MonitorFacts,
    Status,
    StreamFacts,
    Transition,
    is_settled,
    judge,
    transitions,
)

COALESCED_MS = 1_000
STARTING_MS = 8_000
"""How long a monitor may be on its way before that is written: most need no word about it."""
MESSAGE_MS = 60_000
OUTAGE_S = 30.0
"""How long Redis may be away before statuses say so: a restart is no news to every monitor."""


class Events(Protocol):
    """The reading calls of ReaderStore that are used here."""

    def read_open_incidents(self) -> list[OpenIncident]: ...
    def last_entry(self) -> str: ...
    def follow_events(
        self, after: str, *, wait_s: float
    ) -> tuple[Sequence[RecordedEvent], str]: ...


@dataclass(frozen=True, slots=True)
class Update:
    """A status that is to be written, and what is to be told about it."""

    monitor: MonitorKey
    status: Status
    transitions: tuple[Transition, ...]


@dataclass(slots=True)
class Reporter:
    """Follows incidents and makes statuses."""

    state: State
    events: Events
    redis_problem: str | None = None
    _outage_from: float | None = None
    _after: str | None = None
    _told: dict[MonitorKey, tuple[Status, int]] = field(default_factory=dict)
    """What was last written of each monitor, and when (ms)."""

    def restart(self) -> None:
        """Read all open incidents again: at the start, and after Redis was away."""
        self._after = None

    def read_incidents(self, now_ms: int) -> None:
        """Follow the events since the last call."""
        if self._after is None:
            after = self.events.last_entry()
            self._replace(self.events.read_open_incidents(), now_ms)
            self._after = after
            return
        while True:
            recorded, self._after = self.events.follow_events(self._after, wait_s=0.0)
            for one in recorded:
                self._apply(one, now_ms)
            if not recorded:
                return

    def report(self, now_ms: int, now: float) -> list[Update]:
        """Judge the monitors that may have changed; what is to be written now."""
        updates = []
        for monitor, since_ms in list(self.state.dirty.items()):
            if now_ms - since_ms < COALESCED_MS:
                continue
            update = self._judge(monitor, now_ms - since_ms, now_ms, now)
            if update is not None:
                updates.append(update)
        return updates

    def forget(self, monitor: MonitorKey) -> None:
        """A monitor was deleted: another one of its name has no status yet."""
        self._told.pop(monitor, None)

    def report_outage(self, problem: str, now_ms: int, now: float) -> list[Update]:
        """Redis cannot be used: say so in each status once that has lasted.

        `now_ms` is when Redis was last read; it goes on from there by this machine's clock.
        """
        if self._outage_from is None:
            self._outage_from = now
        lasted_s = max(0.0, now - self._outage_from)
        now_ms += int(lasted_s * 1000)
        if lasted_s >= OUTAGE_S and self.redis_problem is None:
            self.redis_problem = problem
            self.soil_all(now_ms)
        return self.report(now_ms, now)

    def end_outage(self, now_ms: int) -> None:
        """Redis can be used again."""
        self._outage_from = None
        if self.redis_problem is not None:
            self.redis_problem = None
            self.soil_all(now_ms)

    def soil_all(self, now_ms: int) -> None:
        """Look at every monitor: something that concerns all has changed."""
        for monitor in self.state.inventory.monitors:
            self.state.soil(monitor, now_ms)

    def count(self) -> dict[str, int]:
        """How many monitors have which reason for being ready, or not."""
        counts: dict[str, int] = {}
        for status, _ in self._told.values():
            reason = status["Ready"].verdict.reason
            counts[reason] = counts.get(reason, 0) + 1
        return counts

    def told(self) -> Mapping[MonitorKey, Status]:
        """The latest status of each monitor."""
        return {monitor: status for monitor, (status, _) in self._told.items()}

    def _judge(self, key: MonitorKey, waited_ms: int, now_ms: int, now: float) -> Update | None:
        monitor = self.state.inventory.monitors.get(key)
        if monitor is None:
            del self.state.dirty[key]
            self._told.pop(key, None)
            return None
        before, told_ms = self._told.get(key, (monitor.last_status, 0))
        status = judge(self._facts(key), before, now)
        if not is_settled(status) and waited_ms < STARTING_MS:
            return None
        if before is not None and status.says_the_same(before):
            if now_ms - told_ms < MESSAGE_MS and status != before:
                return None  # stays dirty: the message is written later
            if status == before:
                del self.state.dirty[key]
                self._told.setdefault(key, (before, now_ms))
                return None
        del self.state.dirty[key]
        self._told[key] = status, now_ms
        return Update(key, status, tuple(transitions(before, status)))

    def _facts(self, key: MonitorKey) -> MonitorFacts:
        monitor = self.state.inventory.monitors[key]
        specs = monitor.wanted
        incidents = self.state.incidents
        return MonitorFacts(
            monitor.generation,
            tuple(self._stream_facts(spec.stream) for spec in specs),
            tuple(
                one.event.incident
                for spec in specs
                for one in incidents.get(spec.stream, {}).values()
            ),
            monitor.suspended,
            monitor.fault,
            bool(self.state.roster.alive()),
            self.redis_problem,
        )

    def _stream_facts(self, stream: StreamKey) -> StreamFacts:
        name = stream_parts(stream).stream
        wanted, ownership = self.state.wanted.get(stream), self.state.ledger.get(stream)
        if wanted is None or ownership is None:
            return StreamFacts(name, is_owned=False)
        row = self.state.row(stream)
        return StreamFacts(
            name,
            self.state.roster.is_alive(ownership.owner),
            None if row is None else row.state,
            wanted.spec.mode,
            None if row is None else row.fidelity,
            None if row is None else row.error,
        )

    def _replace(self, incidents: list[OpenIncident], now_ms: int) -> None:
        before = set(self.state.incidents)
        self.state.incidents.clear()
        for one in incidents:
            self.state.incidents.setdefault(one.stream, {})[one.id] = one
        for stream in before | set(self.state.incidents):
            self.state.soil(monitor_of(stream), now_ms)

    def _apply(self, recorded: RecordedEvent, now_ms: int) -> None:
        told = recorded.told
        incident = OpenIncident(
            stream=told.stream,
            epoch=told.epoch,
            worker=recorded.worker,
            revision=told.revision,
            onset_ms=told.event.incident.onset.wall_ms,
            notify=told.notify,
            event=told.event,
        )
        open_ones = self.state.incidents.setdefault(told.stream, {})
        if told.event.kind == "closed":
            open_ones.pop(incident.id, None)
            self.state.remember_closed(told, now_ms)
            if not open_ones:
                del self.state.incidents[told.stream]
        else:
            open_ones[incident.id] = incident
        self.state.soil(monitor_of(told.stream), now_ms)
