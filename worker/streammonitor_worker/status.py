"""How a stream is doing right now: what a host tells, the table shows and telemetry counts.

A snapshot in plain data, taken when somebody asks; making one costs the stream nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from streammonitor_api.incident import Incident

if TYPE_CHECKING:  # whoever only tells how streams are has no use for numpy
    from streammonitor_worker.media import Format

StreamState = Literal["opening", "watching", "reconnecting", "ended", "failed"]

STREAM_STATES: tuple[StreamState, ...] = (
    "opening",
    "watching",
    "reconnecting",
    "ended",
    "failed",
)

STAGES = ("demux", "decode", "detect")
"""Where the processor time of a stream goes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerStatus:
    """A worker of a fleet at one moment."""

    capacity_cores: float = 0.0
    load_cores: float = 0.0
    ready: bool = False
    draining: bool = False
    redis_up: bool = False
    """Whether Redis answered the last heartbeat."""
    waiting_events: int = 0
    """Events that Redis does not have yet."""
    dropped_events: int = 0
    """Events that Redis never got: the spool was full, or there was no disk for it."""
    spool_bytes: int = 0
    """What the spool has on disk, events that were sent lately included."""
    notifications: int = 0
    """Events that a target took."""
    notification_failures: int = 0
    """Attempts that failed."""
    notifications_given_up: int = 0
    """Events that a target never got."""
    engines: int = 0
    engine_deaths: int = 0
    """Engines that died since the start."""
    claimed_streams: int = 0
    quarantined_streams: int = 0
    lowered_streams: int = 0
    """Streams that are watched less closely than is wanted, as capacity is short."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamStatus:
    """One stream at one moment. Counters only grow, over all reconnections."""

    stream: str
    """Its name: the source with credentials removed."""
    state: StreamState = "opening"
    video: Format | None = None
    """What the first picture track is encoded as; None before it is known, or without one."""
    audio: Format | None = None
    media_s: float = 0.0
    """Seconds of media watched."""
    duration_s: float | None = None
    """Seconds of media that there are in all; None for live streams and where nobody says."""
    progress: float | None = None
    """Share of a file that has been watched, 0 to 1; None for live streams."""
    lag_s: float = 0.0
    """How far a live stream is behind the moment at which its media arrives."""
    fidelity: str = "full"
    """How much of it is decoded: full, adaptive or keyframes."""
    levels_dbfs: tuple[float, ...] = ()
    """Level of each channel of the first sound track, lately; -inf for digital silence."""
    pictures: int = 0
    cpu_s: Mapping[str, float] = field(default_factory=dict)
    """Processor time by stage, see `STAGES`."""
    reconnects: int = 0
    open_incidents: tuple[Incident, ...] = ()
    incidents: int = 0
    """Incidents opened since the start."""
    error: str | None = None
    """Why it failed or is being reconnected; one line, without credentials."""
