"""What operator and workers write to each other: frozen plain data, to and from JSON.

Unknown fields are ignored when read, so that a newer peer of the same contract version may add
some. How records are stored is told in `keys.py`; who may write them, in `store.py`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Annotated, Any, Literal, Self, cast

from pydantic import PlainSerializer, PlainValidator, TypeAdapter, ValidationError

from streammonitor_api.errors import VersionError
from streammonitor_api.events import Event
from streammonitor_api.fidelity import Fidelity
from streammonitor_api.incident import SEVERITIES, Severity
from streammonitor_api.names import (
    Epoch,
    Incarnation,
    IncidentId,
    Revision,
    StreamKey,
    Term,
    WorkerId,
    stream_parts,
)
from streammonitor_api.plan import DetectorPlan

CONTRACT_VERSION = 1
"""Raised by 1 with each change that a peer of the version before would misunderstand."""
OLDEST_VERSION = 1
"""The oldest version that this code works with."""

BEAT_S = 0.5
"""Seconds between heartbeats."""
DEAD_AFTER_S = 3.0
"""Seconds without a heartbeat, by Redis' clock, after which a worker counts as dead."""
LONGEST_OVERLAP_S = 30.0
TABLE_EVERY_S = 5.0
"""A worker's table is written again after this long even if nothing material changed."""

Renditions = Literal["highest", "lowest", "all"]
StreamState = Literal["opening", "warming", "watching", "reconnecting", "quarantined"]
STREAM_STATES: tuple[StreamState, ...] = (
    "opening",
    "warming",
    "watching",
    "reconnecting",
    "quarantined",
)
TargetKind = Literal["webhook", "alertmanager"]


_adapters: dict[type, TypeAdapter[Any]] = {}


def _adapter(kind: type) -> TypeAdapter[Any]:
    """Made at first use: that takes milliseconds, and no process needs all of them."""
    if kind not in _adapters:
        _adapters[kind] = TypeAdapter(kind)
    return _adapters[kind]


_PLAN_FIELDS = tuple(one.name for one in fields(DetectorPlan))


def _write_plan(plan: DetectorPlan) -> dict[str, object]:
    """Its fields, settings as a plain dictionary; by name, as `asdict` copies all that it meets."""
    written = {name: getattr(plan, name) for name in _PLAN_FIELDS}
    return {**written, "settings": dict(plan.settings)}


PlanField = Annotated[DetectorPlan, PlainSerializer(_write_plan)]


class Record:
    """To and from JSON, for the frozen dataclasses below."""

    __slots__ = ()

    def as_json(self) -> str:
        return _adapter(type(self)).dump_json(self).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read what `as_json` wrote. Raises VersionError for what is no such record."""
        try:
            return cast(Self, _adapter(cls).validate_json(text))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(step) for step in first["loc"])
            raise VersionError(
                f"{cls.__name__}: {where}: {first['msg']}; it was written by another version of "
                "StreamMonitor: run operator and workers of the same release"
            ) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifyTarget(Record):
    """Where events of a stream are sent to. Holds no secret in clear."""

    name: str
    """Of the target within its monitor: a metric's label, and what log lines call it."""
    kind: TargetKind
    url: str
    """http or https: no more of it than scheme, host and port, the rest is sealed."""
    sealed: str | None = None
    """`sealing.TargetSecrets` as JSON, sealed with the fleet key for `sealed_for`; None where
    nothing about the target is secret, and `url` is the whole address."""
    min_severity: Severity = "warning"

    def sealed_for(self, stream: StreamKey) -> str:
        """What its secrets are bound to: the target of that stream's monitor, and no other."""
        parts = stream_parts(stream)
        return f"{parts.namespace}/{parts.monitor}#{self.name}"

    def wants(self, event: Event) -> bool:
        """Whether incidents of this severity are to be sent there."""
        return SEVERITIES.index(event.incident.severity) >= SEVERITIES.index(self.min_severity)


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSpec(Record):
    """What to watch, and how."""

    stream: StreamKey
    url: str
    """Without credentials."""
    credentials: str | None = None
    """Sealed with the fleet key; None where the source needs none."""
    credentials_revision: str = ""
    """Another one says that the credentials changed. Not secret: never made from them alone."""
    renditions: Renditions = "highest"
    reference: str | None = None
    """URL of the stream that av-sync compares with."""
    detectors: tuple[PlanField, ...]
    mode: Fidelity = Fidelity.FULL
    """The closest fidelity at which it is watched."""
    priority: int = 0
    """Higher is more important: lowered later, placed first."""
    overlap_s: float = LONGEST_OVERLAP_S
    """How long two workers watch it at a move: its longest alarm duration, at most 30 s."""
    notify: tuple[NotifyTarget, ...] = ()
    generation: int = 0
    """`metadata.generation` of the monitor that it comes from."""

    @property
    def revision(self) -> str:
        """Names the content: equal for equal specs, whoever seals and writes them.

        Sealing the same credentials twice gives two texts, so `credentials_revision` stands for
        them. The generation is left out: it changes with any field of any stream of a monitor.
        """
        return _digest(self, leave_out={"credentials", "generation"})

    @property
    def source_revision(self) -> str:
        """Names what it takes to open it: another one means that the stream has to be reopened."""
        content = (self.url, self.credentials_revision, self.renditions, self.reference)
        return hashlib.blake2s(repr(content).encode(), digest_size=6).hexdigest()


def _digest(spec: StreamSpec, leave_out: set[str]) -> str:
    text = _adapter(StreamSpec).dump_json(spec, exclude=leave_out)
    return hashlib.blake2s(text, digest_size=6).hexdigest()


@dataclass(frozen=True, slots=True)
class Assignment(Record):
    """What the operator wants of a worker: this stream, at this epoch."""

    stream: StreamKey
    epoch: Epoch
    overlap_s: float
    """How long to watch beside the old owner before claiming, 0 to 30; 0: claim at once."""
    spec_revision: str


@dataclass(frozen=True, slots=True)
class Assignments(Record):
    """All assignments of a worker."""

    revision: Revision
    """0: none were ever recorded, or Redis lost them. That is no order to stop anything."""
    by_stream: Mapping[StreamKey, Assignment]


@dataclass(frozen=True, slots=True)
class Assign:
    """Give a stream to a worker, at a new epoch."""

    stream: StreamKey
    spec_revision: str
    overlap_s: float = 0.0
    epoch_above: int = 0
    """The highest epoch that the operator knows of, for a Redis that lost its own."""


@dataclass(frozen=True, slots=True)
class Keep:
    """Let a worker keep a stream at a given epoch: after a changed spec or a loss of data."""

    stream: StreamKey
    spec_revision: str
    epoch: Epoch
    overlap_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Take a stream from a worker.

    `unless_claimed` leaves the assignment alone if the worker holds the claim: a move that is
    called off in the instant in which it succeeded.
    """

    stream: StreamKey
    unless_claimed: bool = False


AssignmentChange = Assign | Keep | Withdraw


@dataclass(frozen=True, slots=True)
class AssignmentsWritten:
    """The answer to changes of a worker's assignments."""

    revision: Revision
    epochs: Mapping[StreamKey, Epoch]
    """Of each stream that was assigned or kept."""
    claimed: frozenset[StreamKey] = frozenset()
    """Those that were not withdrawn because the worker holds their claim."""


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


def _read_event(value: object) -> Event:
    if isinstance(value, Event):
        return value
    if not isinstance(value, Mapping):
        raise ValueError("not an event")
    try:
        return Event.from_json(value)
    except (KeyError, TypeError) as error:
        raise ValueError(f"not an event, {error}") from None


EventField = Annotated[Event, PlainValidator(_read_event), PlainSerializer(Event.as_json)]


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetEvent(Record):
    """An event of an incident with what tells it apart from all others."""

    stream: StreamKey
    epoch: Epoch
    """Of the worker that noticed it."""
    revision: int
    """Counts the events of an incident: 1 opened, 2 … updated, the last closed."""
    event: EventField
    notify: tuple[NotifyTarget, ...] = ()
    """Where to send it: travels along, as the stream's spec may be gone when it is sent."""

    @property
    def id(self) -> str:
        """Stable: the same for the same event, however often and by whom it is sent."""
        return f"{self.event.incident.id}.{self.revision}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedEvent(Record):
    """An event as it is read from the history."""

    entry: str
    """Redis' id of the entry, `milliseconds-number`: orders the history, and tells its time."""
    worker: WorkerId
    told: FleetEvent
    merged_into: IncidentId | None = None
    """Set where an older owner saw the same defect as the newer one: another view of that
    incident, perhaps with an earlier onset, and no incident of its own."""

    @property
    def recorded_ms(self) -> int:
        return int(self.entry.partition("-")[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenIncident(Record):
    """An incident that is open, as its next owner adopts it."""

    stream: StreamKey
    epoch: Epoch
    worker: WorkerId
    revision: int
    """Of the last event that was recorded."""
    onset_ms: int
    """Wall clock. May be earlier than the event's: an older owner had seen it before."""
    notify: tuple[NotifyTarget, ...] = ()
    event: EventField

    @property
    def id(self) -> IncidentId:
        return IncidentId(self.event.incident.id)


@dataclass(frozen=True, slots=True)
class Publication:
    """What became of an event.

    `recorded`: it is in the history now. `seen`: it was before. `merged`: the same defect is an
    incident of a newer owner's. `adopt`: that detector has an open incident on that track already
    (or had when this incident began), go on under its id. `earlier`: the incident began earlier
    than the event says; send it again with that onset.
    """

    outcome: Literal["recorded", "seen", "merged", "adopt", "earlier"]
    incident: OpenIncident | None = None
    """With `adopt`: the one to adopt; None if it is closed by now."""
    onset_ms: int | None = None
    """With `earlier` and `adopt`: the onset that holds."""
    into: IncidentId | None = None
    """With `adopt`: the id to go on under. With `merged`: the newer owner's incident; None where
    it was there and saw no defect."""
    revision: int | None = None
    """With `adopt`: what to add to the revisions of the event's own incident."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A claim that was granted, with what the new owner has to adopt."""

    claim: Claim
    open_incidents: tuple[OpenIncident, ...]


@dataclass(frozen=True, slots=True)
class Gap(Record):
    """A time in which a stream was wanted but not watched."""

    stream: StreamKey
    from_ms: int
    to_ms: int | None
    """None: it lasts."""
    reason: str


@dataclass(frozen=True, slots=True)
class CoverageTotal(Record):
    """How long a stream was wanted, and how long of that it was watched."""

    wanted_s: float
    watched_s: float

    @property
    def coverage(self) -> float | None:
        """0 to 1; None while it has not been wanted for any time."""
        return None if self.wanted_s <= 0 else min(1.0, self.watched_s / self.wanted_s)
