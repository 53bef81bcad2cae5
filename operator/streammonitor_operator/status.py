"""From what is known of a monitor to its status: pure; conditions, counts, newest incidents.

A status is a value that is compared with the one before: equal ones are not written, and what
differs is told once, as transitions that become Kubernetes Events. So that a steady state writes
nothing, no message holds what changes by itself (lag, seconds, coverage).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from streammonitor_api import conditions
from streammonitor_api.conditions import ConditionStatus, Verdict
from streammonitor_api.fidelity import Fidelity
from streammonitor_api.incident import Incident, wall_time
from streammonitor_api.resource.status import MOST_INCIDENTS

_FIDELITIES = list(Fidelity)


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a monitor, or a part of it, cannot be followed."""

    reason: str
    """`conditions.INVALID`: nothing of it can. CREDENTIALS_MISSING: a part of it."""
    message: str
    """What is wrong, where, and what to do; without credentials."""


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """How one stream is doing."""

    name: str
    """In its monitor."""
    is_owned: bool
    """A live worker holds it."""
    state: str | None = None
    """What its worker says: opening, watching …; None before it said anything."""
    asked: Fidelity = Fidelity.FULL
    fidelity: Fidelity | None = None
    error: str | None = None

    @property
    def is_watched(self) -> bool:
        return self.is_owned and self.state == "watching"

    @property
    def is_reduced(self) -> bool:
        if self.fidelity is None or not self.is_watched:
            return False
        return _FIDELITIES.index(self.fidelity) > _FIDELITIES.index(self.asked)


@dataclass(frozen=True, slots=True)
class MonitorFacts:
    """All that a status is made from."""

    generation: int
    streams: tuple[StreamFacts, ...] = ()
    incidents: tuple[Incident, ...] = ()
    """Those that are open."""
    suspended: bool = False
    fault: Fault | None = None
    any_worker: bool = True
    redis_problem: str | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """A verdict with its times."""

    verdict: Verdict
    since: str
    """When its status (True, False, Unknown) changed last: RFC 3339."""

    def as_json(self, generation: int) -> dict[str, object]:
        return {
            "type": self.verdict.type,
            "status": self.verdict.status,
            "observedGeneration": generation,
            "lastTransitionTime": self.since,
            "reason": self.verdict.reason,
            "message": self.verdict.message,
        }


@dataclass(frozen=True, slots=True)
class Status:
    """A monitor's status, as it is written."""

    generation: int
    conditions: tuple[Condition, ...]
    total: int = 0
    watched: int = 0
    degraded: int = 0
    open_incidents: int = 0
    newest: tuple[tuple[str, str, str, str, str, str], ...] = ()
    """Of the newest incidents: id, stream, detector, severity, track, onset."""

    def __getitem__(self, kind: str) -> Condition:
        return next(one for one in self.conditions if one.verdict.type == kind)

    def says_the_same(self, other: Status) -> bool:
        """Whether the two differ in nothing but the texts of messages."""
        return self._without_messages() == other._without_messages()

    def _without_messages(self) -> Status:
        bare = (replace(one, verdict=replace(one.verdict, message="")) for one in self.conditions)
        return replace(self, conditions=tuple(bare))

    def as_json(self) -> dict[str, object]:
        """The resource's `status`."""
        fields = ("id", "stream", "detector", "severity", "track", "onset")
        return {
            "observedGeneration": self.generation,
            "conditions": [one.as_json(self.generation) for one in self.conditions],
            "streams": {
                "total": self.total, "watched": self.watched, "degraded": self.degraded,
            },
            "incidents": {
                "open": self.open_incidents,
                "newest": [dict(zip(fields, one, strict=True)) for one in self.newest],
            },
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Transition:
    """Something that people are told once: a Kubernetes Event, or a log line."""

    kind: Literal["Normal", "Warning"]
    reason: str
    message: str


def judge(facts: MonitorFacts, before: Status | None, now: float) -> Status:
    """Make the status; conditions whose status did not change keep their time.

    `now` is wall clock, seconds since 1970. The result equals `before` when nothing changed.
    """
    verdicts = (_ready_and_degraded(facts), _alerting(facts))
    flat = (*verdicts[0], verdicts[1])
    newest = sorted(facts.incidents, key=lambda one: (one.onset.wall, one.id), reverse=True)
    return Status(
        facts.generation,
        tuple(_dated(verdict, before, now) for verdict in flat),
        len(facts.streams),
        sum(one.is_watched for one in facts.streams),
        sum(one.is_reduced for one in facts.streams),
        len(facts.incidents),
        tuple(
            (one.id, one.stream.rsplit("/", 1)[-1], one.detector, one.severity, one.track,
             one.onset.wall)
            for one in newest[:MOST_INCIDENTS]
        ),
    )  # fmt: skip


def transitions(before: Status | None, after: Status) -> list[Transition]:
    """What there is to tell: conditions that changed their status or reason."""
    told = []
    for condition in after.conditions:
        verdict = condition.verdict
        earlier = _find(before, verdict.type)
        if earlier is None and verdict.status == "False" and verdict.type != conditions.READY:
            continue  # nothing is wrong, and never was
        if earlier is not None and (earlier.verdict.status, earlier.verdict.reason) == (
            verdict.status,
            verdict.reason,
        ):
            continue
        good: ConditionStatus = "True" if verdict.type == conditions.READY else "False"
        usual = verdict.status == good or verdict.reason in _USUAL
        told.append(Transition("Normal" if usual else "Warning", verdict.reason, verdict.message))
    return told


def is_settled(status: Status) -> bool:
    """Whether this is worth writing at once, or only on the way to something."""
    return status[conditions.READY].verdict.reason != conditions.STARTING


def read_status(data: Mapping[str, Any] | None) -> Status | None:
    """Read what `as_json` wrote, as the resource has it; None for what is not of that form."""
    if not data:
        return None
    fields = ("id", "stream", "detector", "severity", "track", "onset")
    try:
        streams, incidents = data.get("streams") or {}, data.get("incidents") or {}
        return Status(
            int(data["observedGeneration"]),
            tuple(
                Condition(
                    Verdict(one["type"], one["status"], one["reason"], one["message"]),
                    one["lastTransitionTime"],
                )
                for one in data["conditions"]
            ),
            int(streams.get("total", 0)),
            int(streams.get("watched", 0)),
            int(streams.get("degraded", 0)),
            int(incidents.get("open", 0)),
            tuple(
                (one[fields[0]], *(str(one[name]) for name in fields[1:]))
                for one in incidents.get("newest") or ()
            ),
        )
    except (KeyError, TypeError, ValueError):
        return None


_USUAL = {conditions.STARTING, conditions.SUSPENDED}


def _ready_and_degraded(facts: MonitorFacts) -> tuple[Verdict, Verdict]:
    if facts.fault is not None and facts.fault.reason == conditions.INVALID:
        return conditions.invalid(facts.fault.message)
    if facts.suspended:
        return conditions.suspended()
    return _ready(facts), _degraded(facts)


def _ready(facts: MonitorFacts) -> Verdict:
    if facts.redis_problem is not None:
        return conditions.redis_unavailable(facts.redis_problem)
    missing = [one.name for one in facts.streams if not _is_served(one)]
    if not missing:
        total = len(facts.streams)
        return conditions.all_watched(total, sum(one.is_watched for one in facts.streams))
    if not facts.any_worker:
        return conditions.no_workers(len(facts.streams))
    return conditions.starting(len(facts.streams), missing)


def _is_served(stream: StreamFacts) -> bool:
    """It is watched, or its worker has said why it cannot be."""
    return stream.is_owned and stream.state in ("watching", "reconnecting", "quarantined")


def _degraded(facts: MonitorFacts) -> Verdict:
    """The gravest of what is less than was asked for."""
    if facts.fault is not None:
        return conditions.faulty(facts.fault.reason, facts.fault.message)
    if killers := _explained(facts.streams, "quarantined"):
        return conditions.quarantined(killers)
    if away := _explained(facts.streams, "reconnecting"):
        return conditions.source_unavailable(away)
    reduced = [(one.name, str(one.fidelity)) for one in facts.streams if one.is_reduced]
    return conditions.fidelity_reduced(reduced) if reduced else conditions.as_asked()


def _explained(streams: Iterable[StreamFacts], state: str) -> list[tuple[str, str | None]]:
    return [(one.name, one.error) for one in streams if one.is_owned and one.state == state]


def _alerting(facts: MonitorFacts) -> Verdict:
    if not facts.incidents:
        return conditions.no_incidents()
    names = (one.stream.rsplit("/", 1)[-1] for one in facts.incidents)
    return conditions.incidents(len(facts.incidents), names)


def _dated(verdict: Verdict, before: Status | None, now: float) -> Condition:
    earlier = _find(before, verdict.type)
    if earlier is not None and earlier.verdict.status == verdict.status:
        return Condition(verdict, earlier.since)
    return Condition(verdict, wall_time(float(int(now))))


def _find(status: Status | None, kind: str) -> Condition | None:
    if status is None:
        return None
    return next((one for one in status.conditions if one.verdict.type == kind), None)
