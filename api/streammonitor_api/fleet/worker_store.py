"""A worker's side of the contract. See `store.py`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import redis

from streammonitor_api.errors import FencedError, LostError
from streammonitor_api.fleet.keys import Keys
from streammonitor_api.fleet.records import (
    CONTRACT_VERSION,
    LONGEST_OVERLAP_S,
    OLDEST_VERSION,
    Assignments,
    BeatAnswer,
    Claim,
    Claimed,
    FleetEvent,
    Gap,
    Heartbeat,
    OpenIncident,
    Publication,
    StreamSpec,
    StreamTable,
)
from streammonitor_api.fleet.scripts import Scripts, version_error
from streammonitor_api.fleet.stored import (
    KEPT_EVENTS,
    event_arguments,
    read_assignments,
    read_claim,
    read_flat,
    readable,
)
from streammonitor_api.incident import Moment
from streammonitor_api.names import (
    Epoch,
    FleetName,
    Incarnation,
    IncidentId,
    Revision,
    StreamKey,
    Term,
    WorkerId,
)

SAME_DEFECT_MS = round(LONGEST_OVERLAP_S * 1000)
"""After a failover the new owner needs to open the stream: what it finds defective within this
time of its claim is what its predecessor had seen begin."""
LATEST_MS = 2**53
"""Later than any time."""


class WorkerStore:
    """What one start of a worker writes and reads.

    After `BeatAnswer.lost`: claim again what is held (`claim`, same epochs), send again the
    events of the last minutes (`publish`: those that are known are only `seen`), and write the
    table again. Assignments of revision 0 are no order to stop.
    """

    def __init__(
        self, scripts: Scripts, fleet: FleetName, worker: WorkerId, incarnation: Incarnation
    ) -> None:
        self._scripts = scripts
        self.keys = Keys(fleet)
        self.worker = worker
        self.incarnation = incarnation

    def as_start(self, incarnation: Incarnation) -> WorkerStore:
        """The same worker's calls as another start of it: to send what an earlier one left."""
        return WorkerStore(self._scripts, self.keys.fleet, self.worker, incarnation)

    def beat(self, heartbeat: Heartbeat, table: StreamTable | None, *, serial: int) -> BeatAnswer:
        """Send a heartbeat, with the table when it changed. Each 0.5 s.

        `serial` counts the beats of this incarnation that were answered, from 0; a beat that got
        no answer is sent again under the same number. The first one takes over from an earlier
        start of this worker, whatever the machine's clock says of both. Raises FencedError when
        a later one has taken over: two processes have the same worker id, or this one slept.
        Raises VersionError.
        """
        keys = self.keys
        reply = self._scripts.run(
            "beat",
            [keys.beats, keys.tables, keys.revisions, keys.term, keys.version, keys.starts],
            (
                self.worker,
                self.incarnation,
                serial,
                CONTRACT_VERSION,
                OLDEST_VERSION,
                heartbeat.as_json(),
                "" if table is None else table.as_json(),
            ),
        )
        match reply[0]:
            case "superseded":
                raise FencedError(
                    f"worker {self.worker}: a later start of it (incarnation {reply[1]}) has taken "
                    "over; stopping. Give each worker a name of its own"
                )
            case "version":
                raise version_error(f"worker {self.worker}", reply[1])
        _, redis_ms, revision, term, before = reply
        lost = serial > 0 and before < serial - 1
        return BeatAnswer(redis_ms, Revision(revision), Term(term), lost)

    def say_goodbye(self) -> None:
        """Remove the heartbeat: this worker has stopped on purpose and holds nothing."""
        keys = [self.keys.beats, self.keys.tables]
        self._scripts.run("goodbye", keys, [self.worker, self.incarnation])

    def read_assignments(self) -> Assignments:
        keys = self.keys

        def read(client: redis.Redis) -> list[Any]:
            # Together: a revision must not be older than the assignments that it stands for.
            pipeline = client.pipeline(transaction=True)
            pipeline.hget(keys.revisions, self.worker)
            pipeline.hgetall(keys.assignments(self.worker))
            return list(pipeline.execute())

        revision, stored = self._scripts.command(read)
        return read_assignments(revision, read_flat(stored))

    def read_specs(self, streams: Iterable[StreamKey]) -> dict[StreamKey, StreamSpec]:
        """The specs of these streams; those that have none are left out."""
        named = list(streams)
        if not named:
            return {}
        texts = self._scripts.command(lambda client: client.hmget(self.keys.specs, named))
        found = zip(named, texts, strict=True)
        return {stream: StreamSpec.from_json(text) for stream, text in found if text is not None}

    def read_open_gaps(self, streams: Iterable[StreamKey]) -> list[Gap]:
        """The gaps that these streams are in: nobody watches them."""
        named = list(streams)
        if not named:
            return []
        texts = self._scripts.command(lambda client: client.hmget(self.keys.open_gaps, named))
        return readable(Gap, [str(text) for text in texts if text is not None])

    def claim(
        self, stream: StreamKey, epoch: Epoch, *, again: bool = False, since_ms: int = LATEST_MS
    ) -> Claimed:
        """Become the owner; again by the same owner, it changes nothing.

        `again` says that this claim was held before, `since_ms` since when, by Redis' clock: a
        Redis that lost its data takes it from that. Returns the open incidents to adopt. Raises
        FencedError when a higher epoch is claimed, another worker holds this one, or the assignment
        was withdrawn; LostError when Redis does not know of the assignment: try again, the operator
        writes it anew.
        """
        keys = self.keys
        own = [keys.assignments(self.worker), keys.forgotten, keys.open, keys.open_of(stream)]
        own.append(keys.term)
        reply = self._scripts.run(
            "claim",
            [keys.claims, keys.epochs, keys.beats, keys.revisions, *own],
            [stream, epoch, self.worker, self.incarnation, since_ms if again else 0],
        )
        match reply[0]:
            case "unassigned":
                raise LostError(
                    f"{stream}: Redis lost the assignment of epoch {epoch} to {self.worker}; "
                    "waiting for the operator to write it again"
                )
            case "fenced":
                raise self._fenced(stream, epoch, "claim", reply)
            case "withdrawn":
                raise FencedError(
                    f"{stream}: claim refused, epoch {epoch} is not assigned to {self.worker} "
                    "any more; stopping"
                )
        claim = Claim(stream, epoch, self.worker, self.incarnation, int(reply[1]))
        return Claimed(claim, tuple(OpenIncident.from_json(text) for text in reply[2]))

    def release(self, stream: StreamKey, epoch: Epoch) -> bool:
        """Give up a claim; False where it was not held. Its open incidents wait for an owner."""
        arguments = (stream, epoch, self.worker, self.incarnation)
        return bool(self._scripts.run("release", [self.keys.claims], arguments))

    def read_claim(self, stream: StreamKey) -> Claim | None:
        text = self._scripts.command(lambda client: client.hget(self.keys.claims, stream))
        return None if text is None else read_claim(stream, str(text))

    def publish(self, told: FleetEvent, *, over_ms: int | None = None) -> Publication:
        """Record an event of a stream that this worker owns at that epoch.

        `over_ms` is as of `merge`: what is told again late is not taken for what is open now.
        Outcomes are told in `Publication`; `merged` where the owner before told of the same after
        this one had claimed. Raises FencedError when somebody else owns the stream: what was
        noticed before that belongs to `merge`. Raises LostError when Redis knows of no claim: claim
        it again, then publish again.
        """
        reply = self._publish("publish", told, _over_ms(told, over_ms), [])
        match reply[0]:
            case "fenced":
                raise self._fenced(told.stream, told.epoch, "event", reply)
            case "unclaimed":
                raise LostError(
                    f"{told.stream}: Redis knows of no claim at epoch {told.epoch}; claiming again"
                )
        return _publication(reply)

    def merge(self, told: FleetEvent, *, over_ms: int | None = None) -> Publication:
        """Record an event that was noticed under an older epoch, while Redis was away.

        `over_ms` tells of an opened or updated event when its incident was over (wall clock), if
        that is known by now: what is over cannot be what the newer owner saw later.

        Recorded if its incident began before the newer owner's claim, and nobody has told of the
        defect. `merged` if an incident of the same detector and track overlaps it, or the newer
        owner was there from its beginning; `seen` if it is known. Without a newer claim it is as
        `publish`, but needs no claim. Raises LostError when Redis knows of no operator.
        """
        reply = self._publish("merge", told, _over_ms(told, over_ms), [SAME_DEFECT_MS])
        return _publication(reply)

    def _publish(
        self, script: str, told: FleetEvent, over_ms: int | None, more: list[str | int]
    ) -> Any:
        keys = self.keys
        own = [keys.open, keys.open_of(told.stream), keys.incidents_of(told.stream), keys.events]
        own.append(keys.term)
        arguments = event_arguments(told, self.worker, self.incarnation, over_ms, KEPT_EVENTS)
        reply = self._scripts.run(script, [keys.claims, *own], arguments + more)
        if reply[0] == "blank":
            raise LostError(
                f"{told.stream}: Redis lost what it knew of this fleet; waiting for the operator "
                "to write it back"
            )
        return reply

    def _fenced(self, stream: StreamKey, epoch: Epoch, what: str, reply: Any) -> FencedError:
        age = "older than" if int(reply[1]) > epoch else "the same as"
        return FencedError(
            f"{stream}: {what} refused, epoch {epoch} is {age} {reply[1]} held by {reply[2]}; "
            "stopping"
        )


def _over_ms(told: FleetEvent, known_ms: int | None) -> int | None:
    """When the incident of an event was over, where the event tells or it is known anyway."""
    if told.event.kind != "closed" or known_ms is not None:
        return known_ms
    recovery = told.event.incident.recovery
    return Moment(0.0, told.event.time).wall_ms if recovery is None else recovery.wall_ms


def _publication(reply: Any) -> Publication:
    match reply[0]:
        case "adopt":
            incident = OpenIncident.from_json(reply[4]) if reply[4] else None
            into, revision, onset_ms = IncidentId(reply[1]), int(reply[2]), int(reply[3])
            return Publication("adopt", incident, onset_ms, into, revision)
        case "earlier":
            return Publication("earlier", onset_ms=int(reply[1]))
        case "merged":
            return Publication("merged", into=IncidentId(reply[1]) if reply[1] else None)
    return Publication(reply[0])
