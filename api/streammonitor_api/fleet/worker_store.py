"""A worker's side of the contract. See `store.py`."""

from __future__ import annotations

from collections.abc import Iterable

from streammonitor_api.fleet.keys import Keys
from streammonitor_api.fleet.records import (
    Assignments,
    BeatAnswer,
    Claim,
    Claimed,
    FleetEvent,
    Heartbeat,
    Publication,
    StreamSpec,
    StreamTable,
)
from streammonitor_api.fleet.scripts import Scripts
from streammonitor_api.names import Epoch, FleetName, Incarnation, StreamKey, WorkerId


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

    def beat(self, heartbeat: Heartbeat, table: StreamTable | None, *, serial: int) -> BeatAnswer:
        """Send a heartbeat, with the table when it changed. Each 0.5 s.

        `serial` counts the beats of this incarnation that were answered, from 0; a beat that got
        no answer is sent again under the same number. The first one takes over from an earlier
        incarnation of this worker. Raises FencedError when a later incarnation has taken over:
        two processes have the same worker id, or this one slept. Raises VersionError.
        """
        raise NotImplementedError

    def say_goodbye(self) -> None:
        """Remove the heartbeat: this worker has stopped on purpose and holds nothing."""
        raise NotImplementedError

    def read_assignments(self) -> Assignments:
        raise NotImplementedError

    def read_specs(self, streams: Iterable[StreamKey]) -> dict[StreamKey, StreamSpec]:
        """The specs of these streams; those that have none are left out."""
        raise NotImplementedError

    def claim(self, stream: StreamKey, epoch: Epoch) -> Claimed:
        """Become the owner; again by the same owner, it changes nothing.

        Returns the open incidents to adopt. Raises FencedError when a higher epoch is claimed,
        another worker holds this one, or the assignment was withdrawn.
        """
        raise NotImplementedError

    def release(self, stream: StreamKey, epoch: Epoch) -> bool:
        """Give up a claim; False where it was not held. Its open incidents wait for an owner."""
        raise NotImplementedError

    def read_claim(self, stream: StreamKey) -> Claim | None:
        raise NotImplementedError

    def publish(self, told: FleetEvent) -> Publication:
        """Record an event of a stream that this worker owns at that epoch.

        Outcomes are told in `Publication`, all but `merged`. Raises FencedError when somebody
        else owns the stream: what was noticed before that belongs to `merge`. Raises LostError
        when Redis knows of no claim: claim it again, then publish again.
        """
        raise NotImplementedError

    def merge(self, told: FleetEvent) -> Publication:
        """Record an event that was noticed under an older epoch, while Redis was away.

        Recorded if its incident began before the newer owner's claim, and nobody has told of the
        defect. `merged` if an incident of the same detector and track overlaps it, or the newer
        owner was there from its beginning; `seen` if it is known. Without a newer claim it is as
        `publish`, but needs no claim.
        """
        raise NotImplementedError
