"""How records lie in Redis' values where that is not plain JSON: parsed and written here only."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from streammonitor_api.errors import VersionError
from streammonitor_api.events import Event
from streammonitor_api.fleet.records import (
    DEAD_AFTER_S,
    Assignment,
    Assignments,
    Claim,
    FleetEvent,
    FleetSeen,
    Gap,
    Heartbeat,
    NotifyTarget,
    OpenIncident,
    OperatorSeen,
    Record,
    RecordedEvent,
    StreamTable,
    WorkerSeen,
)
from streammonitor_api.incident import Moment
from streammonitor_api.names import (
    Epoch,
    Incarnation,
    IncidentId,
    Revision,
    StreamKey,
    Term,
    WorkerId,
)

KEPT_EVENTS = 100_000
"""Events in the history, give or take a hundred: about 100 MB of Redis."""
KEPT_GAPS = 100_000
"""Coverage gaps in the history: about 20 MB."""
logger = logging.getLogger(__name__)

RecordT = TypeVar("RecordT", bound=Record)

DEAD_AFTER_MS = round(DEAD_AFTER_S * 1000)


def read_assignments(revision: str | None, stored: Mapping[str, str]) -> Assignments:
    return Assignments(
        Revision(int(revision or 0)),
        {StreamKey(stream): _assignment(stream, text) for stream, text in stored.items()},
    )


def _assignment(stream: str, text: str) -> Assignment:
    epoch, overlap_ms, spec_revision = text.split(" ")
    return Assignment(StreamKey(stream), Epoch(int(epoch)), int(overlap_ms) / 1000, spec_revision)


def read_claim(stream: str, text: str) -> Claim:
    epoch, worker, incarnation, claimed_ms = text.split(" ")[:4]
    released = worker == "-"
    return Claim(
        StreamKey(stream),
        Epoch(int(epoch)),
        None if released else WorkerId(worker),
        None if released else Incarnation(incarnation),
        int(claimed_ms),
    )


def read_operator(stored: Mapping[str, str]) -> OperatorSeen | None:
    if "term" not in stored:
        return None
    return OperatorSeen(
        Term(int(stored["term"])),
        stored.get("identity", ""),
        stored.get("name", ""),
        int(stored.get("seen_ms", 0)),
    )


def read_beats(redis_ms: int, flat: Sequence[str]) -> FleetSeen:
    """Take the answer of `read_fleet` apart; without tables."""
    workers: dict[WorkerId, WorkerSeen] = {}
    broken: dict[WorkerId, str] = {}
    for name, text in zip(flat[::2], flat[1::2], strict=True):
        seen_ms, _, _, beat = text.split(" ", 3)
        try:
            workers[WorkerId(name)] = WorkerSeen(Heartbeat.from_json(beat), int(seen_ms))
        except VersionError as error:
            broken[WorkerId(name)] = str(error)
    return FleetSeen(redis_ms, workers, {}, broken)


def readable(kind: type[RecordT], texts: Iterable[str]) -> list[RecordT]:
    """The records that can be read: one of another version may not hide the others."""
    found = []
    for text in texts:
        try:
            found.append(kind.from_json(text))
        except VersionError as error:
            logger.warning("left out: %s", error)
    return found


def with_tables(seen: FleetSeen, names: Sequence[WorkerId], texts: Iterable[Any]) -> FleetSeen:
    """The fleet with the tables of these workers; one that cannot be read counts as broken."""
    tables, broken = dict(seen.tables), dict(seen.broken)
    for name, text in zip(names, texts, strict=True):
        try:
            if text is not None:
                tables[name] = StreamTable.from_json(text)
        except VersionError as error:
            broken[name] = str(error)
    return replace(seen, tables=tables, broken=broken)


def read_event(entry: str, fields: Mapping[str, str]) -> RecordedEvent:
    """Read an entry of the history. Raises VersionError for what is none."""
    try:
        told = FleetEvent(
            stream=StreamKey(fields["stream"]),
            epoch=Epoch(int(fields["epoch"])),
            revision=int(fields["revision"]),
            event=Event.from_json(json.loads(fields["event"])),
            notify=read_targets(fields.get("notify", "")),
        )
        merged = fields.get("merged")
        return RecordedEvent(
            entry=entry,
            worker=WorkerId(fields["worker"]),
            told=told,
            merged_into=None if merged is None else IncidentId(merged),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise VersionError(
            f"event {entry}: cannot be read, {type(error).__name__} {error}; it was written by "
            "another version of StreamMonitor"
        ) from None


def write_targets(targets: Sequence[NotifyTarget]) -> str:
    return f"[{','.join(target.as_json() for target in targets)}]" if targets else ""


def read_targets(text: str) -> tuple[NotifyTarget, ...]:
    if not text:
        return ()
    return tuple(NotifyTarget.from_json(json.dumps(one)) for one in json.loads(text))


def write_event(event: Event) -> str:
    return json.dumps(event.as_json(), ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def track_of(event: Event) -> str:
    """What tells apart incidents that may be open at a time: detector, track, rendition."""
    incident = event.incident
    return f"{incident.detector} {incident.track} {incident.stream}"


def event_arguments(
    told: FleetEvent, worker: WorkerId, incarnation: Incarnation, over_ms: int | None, kept: int
) -> list[str | int]:
    """What `publish` and `merge` are told of an event."""
    incident = told.event.incident
    return [
        told.stream,
        told.epoch,
        worker,
        incarnation,
        incident.id,
        told.revision,
        told.event.kind,
        incident.onset.wall_ms,
        -1 if over_ms is None else over_ms,
        track_of(told.event),
        write_event(told.event),
        write_targets(told.notify),
        kept,
    ]


def restored_open(one: OpenIncident) -> list[str | int]:
    """What `restore_stream` is told of an incident that is open."""
    told = FleetEvent(
        stream=one.stream,
        epoch=one.epoch,
        revision=one.revision,
        event=one.event,
        notify=one.notify,
    )
    return [*_restored(told, one.onset_ms, -1), one.as_json()]


def restored_closed(told: FleetEvent) -> list[str | int]:
    """What `restore_stream` is told of one that was closed."""
    incident = told.event.incident
    over = incident.recovery or Moment(0.0, told.event.time)
    return [*_restored(told, incident.onset.wall_ms, over.wall_ms), ""]


def _restored(told: FleetEvent, onset_ms: int, over_ms: int) -> list[str | int]:
    return [
        told.event.incident.id,
        told.revision,
        told.epoch,
        onset_ms,
        over_ms,
        track_of(told.event),
        write_event(told.event),
        write_targets(told.notify),
    ]


def read_ended_gap(text: str, to_ms: str) -> Gap:
    gap = Gap.from_json(text)
    return Gap(gap.stream, gap.from_ms, int(to_ms), gap.reason)


def read_flat(reply: Any) -> dict[str, str]:
    """A hash as a mapping; pipelines of a cluster give it as it comes."""
    if isinstance(reply, list):
        return dict(zip(reply[::2], reply[1::2], strict=True))
    return {str(key): str(value) for key, value in dict(reply or {}).items()}
