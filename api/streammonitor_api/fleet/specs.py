"""What is to be watched and by whom: the records that only the operator writes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Literal

from pydantic import PlainSerializer

from streammonitor_api.events import Event
from streammonitor_api.fidelity import Fidelity
from streammonitor_api.fleet.record import Record, adapter_of
from streammonitor_api.incident import SEVERITIES, Severity
from streammonitor_api.names import (
    Epoch,
    Revision,
    StreamKey,
    stream_parts,
)
from streammonitor_api.plan import DetectorPlan

LONGEST_OVERLAP_S = 30.0
Renditions = Literal["highest", "lowest", "all"]
TargetKind = Literal["webhook", "alertmanager"]
_PLAN_FIELDS = tuple(one.name for one in fields(DetectorPlan))


def _write_plan(plan: DetectorPlan) -> dict[str, object]:
    """Its fields, settings as a plain dictionary; by name, as `asdict` copies all that it meets."""
    written = {name: getattr(plan, name) for name in _PLAN_FIELDS}
    return {**written, "settings": dict(plan.settings)}


PlanField = Annotated[DetectorPlan, PlainSerializer(_write_plan)]


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
    text = adapter_of(StreamSpec).dump_json(spec, exclude=leave_out)
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
