"""The operator's side of the contract. See `store.py`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import redis

from streammonitor_api.errors import FencedError
from streammonitor_api.fleet.keys import Keys
from streammonitor_api.fleet.reader_store import read_fleet, read_hash
from streammonitor_api.fleet.records import (
    CONTRACT_VERSION,
    Assign,
    AssignmentChange,
    Assignments,
    AssignmentsWritten,
    Claim,
    CoverageTotal,
    FleetEvent,
    FleetSeen,
    Gap,
    Keep,
    OpenIncident,
    OperatorSeen,
    StreamSpec,
    Withdraw,
)
from streammonitor_api.fleet.scripts import Call, Scripts, check_term, version_error
from streammonitor_api.fleet.stored import (
    DEAD_AFTER_MS,
    KEPT_EVENTS,
    KEPT_GAPS,
    read_assignments,
    read_claim,
    read_ended_gap,
    read_flat,
    read_operator,
    readable,
    restored_closed,
    restored_open,
    write_event,
    write_targets,
)
from streammonitor_api.names import Epoch, FleetName, Revision, StreamKey, Term, WorkerId

_T = TypeVar("_T")

FOREIGN_SILENT_MS = 30_000
"""An operator of another identity that was silent for so long has gone: a fleet that moved."""
RESTORING_MS = 10_000
"""So long workers wait at most for an operator that writes back what Redis lost: it may die."""
FORGOTTEN_KEPT_MS = 24 * 3600 * 1000
"""No worker sleeps longer than a day and wakes up with its stream's old epoch."""
BATCH = 500
"""Fields that one script writes: about 1 ms of Redis."""


class OperatorStore:
    """What the operator writes and reads.

    Every write raises FencedError when another operator has a higher term, and LostError when
    Redis does not know the term any more: take a new one with `start_term(above=term)`, wait for
    a heartbeat of each worker, then write specs and assignments anew (`Keep` with the epochs that
    the workers hold).
    """

    def __init__(self, scripts: Scripts, fleet: FleetName) -> None:
        self._scripts = scripts
        self.keys = Keys(fleet)

    # Term

    def start_term(
        self, identity: str, name: str, *, above: int = 0, restoring: bool = False
    ) -> Term:
        """Begin a term, higher than any before and than `above`; ends that of any other operator.

        `identity` names the fleet's home (cluster and namespace, or state folder). Raises
        FencedError while an operator of another identity was seen in the last 30 s: two fleets
        of one name in one Redis. With `restoring` workers wait until `hold_term` is called, for at
        most 10 s: what Redis lost is to be written back first. Raises VersionError when the fleet
        is of a newer contract.
        """
        arguments = (
            identity,
            name,
            above,
            CONTRACT_VERSION,
            FOREIGN_SILENT_MS,
            RESTORING_MS if restoring else 0,
        )
        reply = self._scripts.run("start_term", [self.keys.term, self.keys.version], arguments)
        match reply[0]:
            case "foreign":
                raise FencedError(
                    f"operator: fleet {self.keys.fleet!r} in this Redis belongs to {reply[1]} "
                    f"({reply[2]}, seen {reply[3] / 1000:.1f} s ago), this operator to {identity}; "
                    "give one of the fleets another name, or another Redis"
                )
            case "version":
                raise version_error("operator", reply[1])
        return Term(reply[1])

    def read_operator(self) -> OperatorSeen | None:
        """Who holds the term, and when it last wrote; None where none ever started."""
        return read_operator(self._hash(self.keys.term))

    def hold_term(self, term: Term, *, restored: bool = True) -> int:
        """Say that this operator is alive; returns Redis' clock in ms. Call it every second or
        two when nothing else is written. `restored`: what Redis lost is written back."""
        reply = self._scripts.run("hold_term", [self.keys.term], [term, int(restored)])
        return int(check_term(reply)[1])

    # Specs and assignments

    def put_specs(self, term: Term, specs: Iterable[StreamSpec]) -> None:
        """Write specs. Assignments that name them are written after them."""
        pairs = [(spec.stream, spec.as_json()) for spec in specs]
        self._put("put_specs", [self.keys.specs, self.keys.forgotten], term, pairs)

    def read_specs(self) -> dict[StreamKey, StreamSpec]:
        specs = readable(StreamSpec, self._hash(self.keys.specs).values())
        return {spec.stream: spec for spec in specs}

    def assign(
        self, term: Term, worker: WorkerId, changes: Sequence[AssignmentChange]
    ) -> AssignmentsWritten:
        """Change a worker's assignments, all or none; epochs of `Assign` are handed out here."""
        return self.assign_many(term, {worker: changes})[worker]

    def assign_many(
        self, term: Term, changes: Mapping[WorkerId, Sequence[AssignmentChange]]
    ) -> dict[WorkerId, AssignmentsWritten]:
        """Change several workers' assignments in few round trips; each worker's are atomic."""
        calls = [self._assign_call(term, worker, some) for worker, some in changes.items()]
        replies = self._scripts.run_many(calls)
        return {
            worker: _written(changes[worker], check_term(reply))
            for worker, reply in zip(changes, replies, strict=True)
        }

    def read_assignments(self) -> dict[WorkerId, Assignments]:
        """All assignments, of living and dead workers: what a starting operator continues from."""
        revisions = self._hash(self.keys.revisions)
        stored = self._scripts.command(lambda client: self._read_all(client, revisions))
        return {
            WorkerId(worker): read_assignments(revision, assigned)
            for (worker, revision), assigned in zip(revisions.items(), stored, strict=True)
        }

    def read_epochs(self) -> dict[StreamKey, Epoch]:
        """The highest epoch known of each stream."""
        stored = self._hash(self.keys.epochs)
        return {StreamKey(stream): Epoch(int(epoch)) for stream, epoch in stored.items()}

    def forget_streams(self, term: Term, streams: Mapping[StreamKey, Sequence[FleetEvent]]) -> None:
        """Remove what is not wanted any more: spec, claim, gap, coverage.

        The events close incidents that are still open on them, recovery unknown; each is recorded
        once, under the next revision whatever it says. Withdraw their assignments first. Epochs
        are kept for a day, so that a worker which slept through it stays fenced when the stream
        comes back.
        """
        calls = [self._forget_call(term, stream, events) for stream, events in streams.items()]
        for reply in self._scripts.run_many(calls):
            check_term(reply)

    def forget_workers(self, term: Term, workers: Iterable[WorkerId]) -> set[WorkerId]:
        """Remove heartbeat, table and assignments of workers that will not come back.

        Returns those that were removed; one that lives is left alone.
        """
        keys = self.keys
        shared = [keys.term, keys.beats, keys.tables, keys.revisions]
        named = list(workers)
        calls = [
            Call(
                "forget_worker",
                [*shared, keys.assignments(one), keys.starts],
                [term, one, DEAD_AFTER_MS],
            )
            for one in named
        ]
        replies = [check_term(reply) for reply in self._scripts.run_many(calls)]
        return {one for one, reply in zip(named, replies, strict=True) if reply[1]}

    # What is there

    def read_fleet(self, tables: Mapping[WorkerId, int]) -> FleetSeen:
        """All heartbeats, and the tables whose serial differs from the one given."""
        return read_fleet(self._scripts, self.keys, tables)

    def read_claims(self) -> dict[StreamKey, Claim]:
        stored = self._hash(self.keys.claims)
        return {StreamKey(stream): read_claim(stream, text) for stream, text in stored.items()}

    def read_open_incidents(self) -> list[OpenIncident]:
        return readable(OpenIncident, self._hash(self.keys.open).values())

    # After a loss

    def restore_incidents(
        self, term: Term, still_open: Iterable[OpenIncident], closed: Iterable[FleetEvent]
    ) -> int:
        """Write back what Redis lost of these incidents; what it knows of them stays as it is.

        Returns how many it had lost. The next owners of their streams adopt those that are open.
        """
        entries: dict[StreamKey, list[str | int]] = {}
        # What is over first: what is open is not to be taken for it, where Redis has it open yet.
        for told in closed:
            entries.setdefault(told.stream, []).extend(restored_closed(told))
        for one in still_open:
            entries.setdefault(one.stream, []).extend(restored_open(one))
        keys = self.keys
        calls = []
        for stream, some in entries.items():
            own = [keys.open, keys.open_of(stream), keys.incidents_of(stream), keys.events]
            arguments = [term, stream, KEPT_EVENTS, *some]
            calls.append(Call("restore_stream", [keys.term, *own], arguments))
        return sum(int(check_term(reply)[1]) for reply in self._scripts.run_many(calls))

    def restore_epochs(
        self, term: Term, unwanted: Mapping[StreamKey, Epoch], over: Mapping[StreamKey, Epoch]
    ) -> None:
        """Write back the epochs of streams that nobody wants, and those of the others that are
        over, where Redis knows none or older ones; claims at these epochs are taken back."""
        some = [(stream, str(epoch), "1") for stream, epoch in unwanted.items()]
        some += [(stream, str(epoch), "0") for stream, epoch in over.items()]
        keys = [self.keys.epochs, self.keys.forgotten, self.keys.claims]
        self._put("restore_epochs", keys, term, some)

    # Coverage

    def open_gaps(self, term: Term, gaps: Iterable[Gap]) -> None:
        """Note that streams are not watched (`to_ms` None). One that is noted already stays."""
        pairs = [(gap.stream, gap.as_json()) for gap in gaps]
        self._put("open_gaps", [self.keys.open_gaps], term, pairs)

    def close_gaps(self, term: Term, ends: Mapping[StreamKey, int]) -> list[Gap]:
        """End gaps at the given times (Redis' clock, ms); returns those that were open."""
        ended: list[Gap] = []
        for some in _batches(list(ends.items())):
            arguments = [term, KEPT_GAPS, *(part for end in some for part in end)]
            keys = [self.keys.term, self.keys.open_gaps, self.keys.gaps]
            flat = check_term(self._scripts.run("close_gaps", keys, arguments))[1]
            pairs = zip(flat[::2], flat[1::2], strict=True)
            ended += [read_ended_gap(text, to_ms) for text, to_ms in pairs]
        return ended

    def read_open_gaps(self) -> dict[StreamKey, Gap]:
        gaps = readable(Gap, self._hash(self.keys.open_gaps).values())
        return {gap.stream: gap for gap in gaps}

    def put_coverage(self, term: Term, totals: Mapping[StreamKey, CoverageTotal]) -> None:
        """Write totals, not additions: repeating a call changes nothing."""
        pairs = [(stream, total.as_json()) for stream, total in totals.items()]
        self._put("put_coverage", [self.keys.coverage], term, pairs)

    def read_coverage(self) -> dict[StreamKey, CoverageTotal]:
        stored = self._hash(self.keys.coverage)
        return {StreamKey(key): CoverageTotal.from_json(text) for key, text in stored.items()}

    def _hash(self, key: str) -> dict[str, str]:
        return read_hash(self._scripts, key)

    def _put(
        self, script: str, keys: list[str], term: Term, pairs: Sequence[tuple[str, ...]]
    ) -> None:
        """Write many fields; in pieces, so that no worker's beat waits long for its turn."""
        calls = [
            Call(script, [self.keys.term, *keys], [term, *(part for pair in some for part in pair)])
            for some in _batches(pairs)
        ]
        for reply in self._scripts.run_many(calls):
            check_term(reply)

    def _assign_call(
        self, term: Term, worker: WorkerId, changes: Sequence[AssignmentChange]
    ) -> Call:
        keys = self.keys
        return Call(
            "assign",
            [keys.term, keys.assignments(worker), keys.revisions, keys.epochs, keys.claims],
            [term, worker, *(part for change in changes for part in _change(change))],
        )

    def _read_all(self, client: redis.Redis, workers: Iterable[str]) -> list[dict[str, str]]:
        pipeline = client.pipeline(transaction=False)
        for worker in workers:
            pipeline.hgetall(self.keys.assignments(WorkerId(worker)))
        return [read_flat(reply) for reply in pipeline.execute()]

    def _forget_call(self, term: Term, stream: StreamKey, closings: Sequence[FleetEvent]) -> Call:
        keys = self.keys
        arguments: list[str | int] = [term, stream, FORGOTTEN_KEPT_MS, KEPT_EVENTS]
        for told in closings:
            arguments += [
                told.event.incident.id,
                write_event(told.event),
                write_targets(told.notify),
            ]
        shared = [keys.term, keys.specs, keys.claims, keys.epochs, keys.forgotten, keys.open_gaps]
        own = [keys.open, keys.open_of(stream), keys.incidents_of(stream), keys.events]
        return Call("forget_stream", [*shared, keys.coverage, *own], arguments)


def _batches(pairs: Sequence[_T]) -> Iterator[Sequence[_T]]:
    for start in range(0, len(pairs), BATCH):
        yield pairs[start : start + BATCH]


def _change(change: AssignmentChange) -> tuple[str | int, ...]:
    match change:
        case Assign(stream, spec_revision, overlap_s, above):
            return "assign", stream, spec_revision, round(overlap_s * 1000), above, ""
        case Keep(stream, spec_revision, epoch, overlap_s):
            return "keep", stream, spec_revision, round(overlap_s * 1000), epoch, ""
        case Withdraw(stream, unless_claimed):
            return "withdraw", stream, "-", 0, 0, "unless_claimed" if unless_claimed else ""


def _written(changes: Sequence[AssignmentChange], reply: Sequence[Any]) -> AssignmentsWritten:
    epochs = {change.stream: int(epoch) for change, epoch in zip(changes, reply[2], strict=True)}
    return AssignmentsWritten(
        Revision(reply[1]),
        {stream: Epoch(epoch) for stream, epoch in epochs.items() if epoch > 0},
        frozenset(stream for stream, epoch in epochs.items() if epoch < 0),
    )
