"""Conditions of a StreamMonitor after KEP-1623: types, reasons and messages, each defined once.

    Ready     every stream has a worker that watches it, or says why it cannot
    Degraded  something is less than was asked for: a source, fidelity, a part of the specification
    Alerting  there are open incidents

A message says what is so, where, and what to do if there is something to do. Every reason has its
section in docs/operations.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

READY = "Ready"
DEGRADED = "Degraded"
ALERTING = "Alerting"
CONDITION_TYPES = (READY, DEGRADED, ALERTING)

# Ready
ALL_WATCHED = "AllStreamsWatched"
SUSPENDED = "Suspended"
STARTING = "Starting"
NO_WORKERS = "NoWorkers"
REDIS_UNAVAILABLE = "RedisUnavailable"
# Ready and Degraded
INVALID = "Invalid"
CREDENTIALS_MISSING = "CredentialsMissing"
# Degraded
AS_ASKED = "AsAsked"
SOURCE_UNAVAILABLE = "SourceUnavailable"
QUARANTINED = "StreamQuarantined"
FIDELITY_REDUCED = "FidelityReduced"
# Alerting
NO_INCIDENTS = "NoOpenIncidents"
INCIDENTS = "OpenIncidents"

REASONS = (
    ALL_WATCHED,
    SUSPENDED,
    STARTING,
    NO_WORKERS,
    REDIS_UNAVAILABLE,
    INVALID,
    CREDENTIALS_MISSING,
    AS_ASKED,
    SOURCE_UNAVAILABLE,
    QUARANTINED,
    FIDELITY_REDUCED,
    NO_INCIDENTS,
    INCIDENTS,
)

_NAMED = 5
"""How many streams a message names; the rest is a number."""

ConditionStatus = Literal["True", "False", "Unknown"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """A condition without its times."""

    type: str
    status: ConditionStatus
    reason: str
    message: str


def all_watched(total: int, watched: int) -> Verdict:
    if watched == total:
        return Verdict(READY, "True", ALL_WATCHED, f"{_streams(total)} watched")
    return Verdict(
        READY,
        "True",
        ALL_WATCHED,
        f"each of {_streams(total)} has a worker; {watched} are watched now, see Degraded",
    )


def suspended() -> tuple[Verdict, Verdict]:
    ready = "nothing is watched: spec.suspend is true; set it to false to go on"
    return (
        Verdict(READY, "False", SUSPENDED, ready),
        Verdict(DEGRADED, "False", SUSPENDED, "nothing is watched: spec.suspend is true"),
    )


def starting(total: int, missing: Iterable[str]) -> Verdict:
    names = list(missing)
    message = f"{len(names)} of {_streams(total)} not opened yet: {_named(names)}"
    return Verdict(READY, "False", STARTING, message)


def no_workers(total: int) -> Verdict:
    return Verdict(
        READY,
        "False",
        NO_WORKERS,
        f"{_streams(total)} without a worker: no worker is alive; start one, or look at the worker "
        "Deployment (kubectl get pods -l app.kubernetes.io/component=worker)",
    )


def redis_unavailable(problem: str) -> Verdict:
    return Verdict(
        READY,
        "Unknown",
        REDIS_UNAVAILABLE,
        f"how the streams are is not known; workers go on watching: {problem}",
    )


def invalid(problem: str) -> tuple[Verdict, Verdict]:
    message = f"the specification cannot be followed: {problem}"
    return Verdict(READY, "False", INVALID, message), Verdict(DEGRADED, "True", INVALID, message)


def faulty(reason: str, message: str) -> Verdict:
    """A part of the specification cannot be followed; the rest is."""
    return Verdict(DEGRADED, "True", reason, message)


def as_asked() -> Verdict:
    return Verdict(DEGRADED, "False", AS_ASKED, "every stream is watched as closely as asked")


def source_unavailable(problems: Iterable[tuple[str, str | None]]) -> Verdict:
    """Streams that cannot be read, with what their worker says about it."""
    return Verdict(
        DEGRADED,
        "True",
        SOURCE_UNAVAILABLE,
        f"cannot be read: {_explained(problems)}; they are tried again until they can",
    )


def quarantined(problems: Iterable[tuple[str, str | None]]) -> Verdict:
    return Verdict(
        DEGRADED,
        "True",
        QUARANTINED,
        f"set aside, as they kept ending the process that decoded them: {_explained(problems)}; "
        "change the stream's url or renditions to try again",
    )


def fidelity_reduced(reduced: Iterable[tuple[str, str | None]]) -> Verdict:
    """Streams that are watched less closely than asked, with the fidelity in effect."""
    return Verdict(
        DEGRADED,
        "True",
        FIDELITY_REDUCED,
        f"watched less closely than asked, for want of capacity: {_explained(reduced)}; add "
        "workers, or lower analysis.mode",
    )


def no_incidents() -> Verdict:
    return Verdict(ALERTING, "False", NO_INCIDENTS, "no incident is open")


def incidents(count: int, streams: Iterable[str]) -> Verdict:
    names = sorted(set(streams))
    what = "1 incident is open" if count == 1 else f"{count} incidents are open"
    return Verdict(ALERTING, "True", INCIDENTS, f"{what} on {_named(names)}")


def _streams(count: int) -> str:
    return "1 stream" if count == 1 else f"{count} streams"


def _named(names: list[str]) -> str:
    shown = ", ".join(names[:_NAMED])
    return shown if len(names) <= _NAMED else f"{shown} and {len(names) - _NAMED} more"


def _explained(problems: Iterable[tuple[str, str | None]]) -> str:
    return _named([name if not why else f"{name} ({why})" for name, why in problems])
