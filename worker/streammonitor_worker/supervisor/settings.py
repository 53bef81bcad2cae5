"""What a worker is told at its start."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from streammonitor_api.names import FleetName, WorkerId
from streammonitor_api.sealing import FleetKey

DRAIN_S = 90.0
"""How long a draining worker waits for others to take over: each stream takes its overlap, 30 s at
most, and a planner hands over a few at a time. Below the pod's grace period (120 s)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """Everything that a user may choose about a worker."""

    worker: WorkerId
    fleet: FleetName
    capacity_cores: float
    """What its streams may use together, > 0."""
    engines: int
    """Processes that watch, >= 1; started as they are needed."""
    drain_s: float = DRAIN_S
    key: FleetKey | None = field(default=None, repr=False)
    """Opens credentials; None where no stream has any."""
    spool: Path | None = None
    """Folder that keeps events while Redis is away; None: in memory only."""
    host: str = ""
    pod: str = ""
    node: str = ""
