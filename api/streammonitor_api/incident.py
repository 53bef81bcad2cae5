"""What an incident is: a defect that lasted at least its alarm duration.

Plain data. When a measure becomes an incident is decided by the worker's tracker; how incidents
travel is said in `events.py`. `Incident.as_json` is the one place that knows the written form.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, Protocol, runtime_checkable

Severity = Literal["warning", "critical"]

SEVERITIES: tuple[Severity, ...] = ("warning", "critical")

_VALUE_DIGITS = 6
"""Decimals of measures: finer than any of them is exact, and short enough to read."""


def wall_time(epoch_s: float) -> str:
    """Write seconds since 1970 as RFC 3339 in UTC with milliseconds: `2026-11-22T04:30:00.250Z`."""
    moment = datetime.fromtimestamp(round(epoch_s, 3), UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant of a stream: media time, and the wall-clock time (RFC 3339) that belongs to it."""

    media_s: float
    wall: str

    def as_json(self) -> dict[str, object]:
        return {"media_s": round(self.media_s, 3), "wall": self.wall}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Moment:
        return cls(float(data["media_s"]), str(data["wall"]))

    @property
    def wall_ms(self) -> int:
        """The wall clock as milliseconds since 1970."""
        return round(datetime.fromisoformat(self.wall).timestamp() * 1000)


@dataclass(frozen=True, slots=True)
class Incident:
    """A defect of one track of a stream, from its onset to its recovery.

    `recovery` and `duration_s` are None while it is open, and stay None when the stream ended
    first. `value` is the measure that characterises it, `threshold` the value from which it
    counts as a defect, both in `unit`. `evidence` holds what a person can check: plain values,
    or lists and mappings of them.
    """

    id: str
    stream: str
    detector: str
    severity: Severity
    track: str
    onset: Moment
    recovery: Moment | None
    duration_s: float | None
    value: float
    threshold: float
    unit: str
    evidence: Mapping[str, object] = field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        """Return the written form: plain values only, times in seconds rounded to 1 ms.

        Numbers that are not finite become None, as JSON has none. Raises TypeError for evidence
        that is not plain.
        """
        return {
            "id": self.id,
            "stream": self.stream,
            "detector": self.detector,
            "severity": self.severity,
            "track": self.track,
            "onset": self.onset.as_json(),
            "recovery": None if self.recovery is None else self.recovery.as_json(),
            "duration_s": None if self.duration_s is None else round(self.duration_s, 3),
            "measure": {
                "value": _number(self.value),
                "threshold": _number(self.threshold),
                "unit": self.unit,
            },
            "evidence": {str(key): _plain(value) for key, value in self.evidence.items()},
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Incident:
        """Read the written form. A measure that was not finite comes back as NaN.

        Raises KeyError, TypeError or ValueError for what is no incident.
        """
        recovery, duration_s, measure = data["recovery"], data["duration_s"], data["measure"]
        return cls(
            id=str(data["id"]),
            stream=str(data["stream"]),
            detector=str(data["detector"]),
            severity=data["severity"],
            track=str(data["track"]),
            onset=Moment.from_json(data["onset"]),
            recovery=None if recovery is None else Moment.from_json(recovery),
            duration_s=None if duration_s is None else float(duration_s),
            value=_read_number(measure["value"]),
            threshold=_read_number(measure["threshold"]),
            unit=str(measure["unit"]),
            evidence=dict(data["evidence"]),
        )


def incident_id(stream: str, detector: str, track: str, onset_s: float, session: str = "") -> str:
    """Name an incident by what it is: 16 hexadecimal digits, the same for the same defect.

    `session` keeps two watches of one live source apart, whose media times both begin at 0; it
    is empty for files, so that a file watched twice gives the same ids. 64 bits: among a million
    incidents two share an id with a chance of one in 40 million.
    """
    text = "\0".join((session, stream, detector, track, str(round(onset_s * 1000))))
    return hashlib.blake2s(text.encode(errors="backslashreplace"), digest_size=8).hexdigest()


@runtime_checkable
class _Scalar(Protocol):
    """A number of another library, numpy for one, that knows its plain equal."""

    def item(self) -> object: ...


def _number(value: float) -> float | None:
    number = float(value)
    return round(number, _VALUE_DIGITS) if math.isfinite(number) else None


def _read_number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _plain(value: object) -> object:
    if value is None or isinstance(value, str | bool):
        return value
    if type(value) is int:
        return value
    if type(value) is float:
        return _number(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(member) for member in value]
    if isinstance(value, _Scalar):
        return _plain(value.item())
    raise TypeError(f"evidence: {type(value).__name__} cannot be written as JSON")
