"""Names and numbers that identify things in a fleet: parsed, checked and printed here only.

They are distinct types, so that an epoch cannot be passed for a term, nor a worker for a stream.
The patterns are Kubernetes' own, so that every name also works as a label, a file name and a part
of a Redis key; none has a space or a brace in it.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import NewType

from streammonitor_api.errors import InputError

StreamKey = NewType("StreamKey", str)
"""`namespace/monitor/stream`."""
WorkerId = NewType("WorkerId", str)
"""A pod's name or a local worker's; the same over restarts of its container."""
Incarnation = NewType("Incarnation", str)
"""One start of a worker: 16 hexadecimal digits, in the order of the starts."""
FleetName = NewType("FleetName", str)
IncidentId = NewType("IncidentId", str)
Epoch = NewType("Epoch", int)
"""Counts the owners of a stream, from 1. The newest wins."""
Term = NewType("Term", int)
"""Counts the starts of operators, from 1. The newest wins."""
Revision = NewType("Revision", int)
"""Of a worker's assignments: another number says that they changed. 0: none were ever recorded."""

_LABEL = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_NAME = rf"{_LABEL}(?:\.{_LABEL})*"
_LONGEST = 253
"""Characters of a Kubernetes name."""


@dataclass(frozen=True, slots=True)
class StreamParts:
    """What a stream key is made of."""

    namespace: str
    monitor: str
    stream: str


def stream_key(namespace: str, monitor: str, stream: str) -> StreamKey:
    """Join the three parts. Raises InputError for a part that is no Kubernetes name."""
    for what, part in (("namespace", namespace), ("monitor", monitor), ("stream", stream)):
        _check(f"{what} {part!r}", part)
    return StreamKey(f"{namespace}/{monitor}/{stream}")


def stream_parts(stream: StreamKey) -> StreamParts:
    """Take a stream key apart."""
    return StreamParts(*stream.split("/"))


def worker_id(text: str) -> WorkerId:
    """Check a worker's name. Raises InputError."""
    _check(f"worker {text!r}", text)
    return WorkerId(text)


def fleet_name(text: str) -> FleetName:
    """Check a fleet's name. Raises InputError."""
    _check(f"fleet {text!r}", text)
    return FleetName(text)


def new_incarnation() -> Incarnation:
    """Name this start of a worker, by its time in ns: of two, the later one is known."""
    return Incarnation(f"{time.time_ns():016x}")


def _check(where: str, name: str) -> None:
    if len(name) > _LONGEST or not re.fullmatch(_NAME, name):
        raise InputError(
            f"{where}: not a name; use at most {_LONGEST} small letters, digits, '-' and '.', "
            "beginning and ending with a letter or digit"
        )
