"""What is heard of workers and of the operator: heartbeats, tables of streams, claims."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from streammonitor_api.fidelity import Fidelity
from streammonitor_api.fleet.record import CONTRACT_VERSION, Record
from streammonitor_api.names import (
    Epoch,
    Incarnation,
    Revision,
    StreamKey,
    Term,
    WorkerId,
)

BEAT_S = 0.5
"""Seconds between heartbeats."""
DEAD_AFTER_S = 3.0
"""Seconds without a heartbeat, by Redis' clock, after which a worker counts as dead."""
TABLE_EVERY_S = 5.0
"""A worker's table is written again after this long even if nothing material changed."""
StreamState = Literal["opening", "warming", "watching", "reconnecting", "quarantined"]
STREAM_STATES: tuple[StreamState, ...] = (
    "opening",
    "warming",
    "watching",
    "reconnecting",
    "quarantined",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat(Record):
    """What a worker says of itself, twice a second."""

    worker: WorkerId
    incarnation: Incarnation
    contract_version: int = CONTRACT_VERSION
    capacity_cores: float
    load_cores: float = 0.0
    """What its streams use, smoothed."""
    streams: int = 0
    ready: bool = True
    """False: give it nothing. It is starting, draining, or unable to decode."""
    draining: bool = False
    pid: int = 0
    host: str = ""
    pod: str = ""
    node: str = ""
    http_port: int = 0
    """Where it serves /healthz, /metrics and /streams; 0: nowhere."""
    table_serial: int = 0
    """Changes with the worker's table; see StreamTable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamRow(Record):
    """How a stream is doing on a worker."""

    stream: StreamKey
    epoch: Epoch
    state: StreamState
    claimed: bool = False
    weight_cores: float | None = None
    """Measured, smoothed, at the fidelity that is wanted as soon as it was watched at that; None
    before there is a measurement."""
    pixel_rate: float | None = None
    """Width × height × pictures a second of all that is opened, 0 for sound alone; None before
    that is known. It tells what a stream will cost before that can be measured."""
    lag_s: float = 0.0
    fidelity: Fidelity = Fidelity.FULL
    last_picture_wall: str | None = None
    """RFC 3339, when the last picture (sound, where there is none) was decoded."""
    spec_revision: str = ""
    """The spec that it is watched by."""
    error: str | None = None
    """Why it is not being watched; one line without credentials."""


@dataclass(frozen=True, slots=True)
class StreamTable(Record):
    """All streams of a worker. Written when something material changed, or every 5 s."""

    serial: int
    rows: tuple[StreamRow, ...]


@dataclass(frozen=True, slots=True)
class BeatAnswer:
    """What a worker learns from its own heartbeat."""

    redis_ms: int
    """Redis' clock."""
    revision: Revision
    """Of its assignments; read them when it differs from the one known. 0: see Assignments."""
    term: Term
    """0 while no operator has started."""
    lost: bool
    """Redis does not know of the beat before: it lost data. Claim again, send events again."""


@dataclass(frozen=True, slots=True)
class WorkerSeen:
    """A worker as Redis knows it."""

    beat: Heartbeat
    seen_ms: int
    """When its last heartbeat came, by Redis' clock."""

    def age_s(self, redis_ms: int) -> float:
        return (redis_ms - self.seen_ms) / 1000

    def is_dead(self, redis_ms: int) -> bool:
        return self.age_s(redis_ms) > DEAD_AFTER_S


@dataclass(frozen=True, slots=True)
class Written:
    """How far what is written to Redis has got; it goes back only where Redis lost data."""

    by_operators: int = 0
    """How many of their calls it took."""
    newest_event: tuple[int, int] = (0, 0)
    """Its entry."""

    def is_before(self, other: Written) -> bool:
        """Whether something of the other is missing here."""
        return self.by_operators < other.by_operators or self.newest_event < other.newest_event


@dataclass(frozen=True, slots=True)
class FleetSeen:
    """All workers at one instant; tables only of those whose table changed."""

    redis_ms: int
    workers: Mapping[WorkerId, WorkerSeen]
    tables: Mapping[WorkerId, StreamTable]
    broken: Mapping[WorkerId, str] = field(default_factory=dict)
    """Workers whose records cannot be read, with what to do about it: another version."""
    written: Written = Written()


@dataclass(frozen=True, slots=True)
class OperatorSeen:
    """The operator that holds the term."""

    term: Term
    identity: str
    """Of the fleet's home, such as cluster and namespace; another one is another fleet."""
    name: str
    """Of the process: a pod, or host and pid."""
    seen_ms: int


@dataclass(frozen=True, slots=True)
class Claim:
    """Who owns a stream."""

    stream: StreamKey
    epoch: Epoch
    worker: WorkerId | None
    """None: released, nobody owns it."""
    incarnation: Incarnation | None
    claimed_ms: int
    """When, by Redis' clock."""
