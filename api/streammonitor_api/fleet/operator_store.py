"""The operator's side of the contract. See `store.py`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from streammonitor_api.events import Event
from streammonitor_api.fleet.keys import Keys
from streammonitor_api.fleet.records import (
    AssignmentChange,
    Assignments,
    AssignmentsWritten,
    Claim,
    CoverageTotal,
    FleetSeen,
    Gap,
    OpenIncident,
    OperatorSeen,
    StreamSpec,
)
from streammonitor_api.fleet.scripts import Scripts
from streammonitor_api.names import Epoch, FleetName, StreamKey, Term, WorkerId


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

    def start_term(self, identity: str, name: str, *, above: int = 0) -> Term:
        """Begin a term, higher than any before and than `above`; ends that of any other operator.

        `identity` names the fleet's home (cluster and namespace, or state folder). Raises
        FencedError while an operator of another identity was seen in the last 30 s: two fleets
        of one name in one Redis. Raises VersionError when the fleet is of a newer contract.
        """
        raise NotImplementedError

    def read_operator(self) -> OperatorSeen | None:
        """Who holds the term, and when it last wrote; None where none ever started."""
        raise NotImplementedError

    def hold_term(self, term: Term) -> int:
        """Say that this operator is alive; returns Redis' clock in ms. Call it every few seconds
        when nothing else is written."""
        raise NotImplementedError

    # Specs and assignments

    def put_specs(self, term: Term, specs: Iterable[StreamSpec]) -> None:
        """Write specs. Assignments that name them are written after them."""
        raise NotImplementedError

    def read_specs(self) -> dict[StreamKey, StreamSpec]:
        raise NotImplementedError

    def assign(
        self, term: Term, worker: WorkerId, changes: Sequence[AssignmentChange]
    ) -> AssignmentsWritten:
        """Change a worker's assignments, all or none; epochs of `Assign` are handed out here."""
        raise NotImplementedError

    def assign_many(
        self, term: Term, changes: Mapping[WorkerId, Sequence[AssignmentChange]]
    ) -> dict[WorkerId, AssignmentsWritten]:
        """Change several workers' assignments in few round trips; each worker's are atomic."""
        raise NotImplementedError

    def read_assignments(self) -> dict[WorkerId, Assignments]:
        """All assignments, of living and dead workers: what a starting operator continues from."""
        raise NotImplementedError

    def read_epochs(self) -> dict[StreamKey, Epoch]:
        """The highest epoch known of each stream."""
        raise NotImplementedError

    def forget_streams(self, term: Term, streams: Mapping[StreamKey, Sequence[Event]]) -> None:
        """Remove what is not wanted any more: spec, claim, gap, coverage.

        The events close incidents that are still open on them, recovery unknown; each is recorded
        once. Withdraw their assignments first. Epochs are kept for a day, so that a worker which
        slept through it stays fenced when the stream comes back.
        """
        raise NotImplementedError

    def forget_workers(self, term: Term, workers: Iterable[WorkerId]) -> None:
        """Remove heartbeat, table and assignments of workers that will not come back."""
        raise NotImplementedError

    # What is there

    def read_fleet(self, tables: Mapping[WorkerId, int]) -> FleetSeen:
        """All heartbeats, and the tables whose serial differs from the one given."""
        raise NotImplementedError

    def read_claims(self) -> dict[StreamKey, Claim]:
        raise NotImplementedError

    def read_open_incidents(self) -> list[OpenIncident]:
        raise NotImplementedError

    # Coverage

    def open_gaps(self, term: Term, gaps: Iterable[Gap]) -> None:
        """Note that streams are not watched (`to_ms` None). One that is noted already stays."""
        raise NotImplementedError

    def close_gaps(self, term: Term, ends: Mapping[StreamKey, int]) -> list[Gap]:
        """End gaps at the given times (Redis' clock, ms); returns those that were open."""
        raise NotImplementedError

    def read_open_gaps(self) -> dict[StreamKey, Gap]:
        raise NotImplementedError

    def put_coverage(self, term: Term, totals: Mapping[StreamKey, CoverageTotal]) -> None:
        """Write totals, not additions: repeating a call changes nothing."""
        raise NotImplementedError

    def read_coverage(self) -> dict[StreamKey, CoverageTotal]:
        raise NotImplementedError
