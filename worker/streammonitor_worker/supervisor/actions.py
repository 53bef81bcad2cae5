"""What a duty asks for: values that `duties.py` decides on and `desk.py` carries out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from streammonitor_api.events import OpenIncident
from streammonitor_api.incident import Incident


@dataclass(frozen=True, slots=True)
class Watch:
    """Have an engine watch this, or go on by a changed spec; where it is new, tell nothing yet."""

    stream: str
    spec: Any
    join_s: float = 0.0
    """How far back to begin where it is new; 0 where nothing was missed."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Ask the store for this epoch of the stream."""

    stream: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Own:
    """Tell the engine that what it finds is to be told, after what others left and told."""

    stream: str
    epoch: int
    left_open: tuple[OpenIncident, ...]
    closed: tuple[Incident, ...]


@dataclass(frozen=True, slots=True)
class Release:
    """Have the engine end the stream and leave open what is open."""

    stream: str


@dataclass(frozen=True, slots=True)
class Cancel:
    """Have the engine end the stream and close what is open as no longer wanted."""

    stream: str


@dataclass(frozen=True, slots=True)
class Close:
    """Close these incidents of a stream that no engine has, as no longer wanted."""

    stream: str
    epoch: int
    left_open: tuple[OpenIncident, ...]


Action = Watch | Claim | Own | Release | Cancel | Close
