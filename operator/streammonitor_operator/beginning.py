"""What an operator that starts continues from: owners as Redis or, failing that, workers know them.

Pure. Redis tells what was assigned and who claimed; where it lost that, the workers' tables tell
what they hold. Either way nothing moves.
"""

from __future__ import annotations

from collections.abc import Mapping

from streammonitor_api.fleet.records import Assignment, Assignments, Claim
from streammonitor_api.names import Epoch, StreamKey, WorkerId
from streammonitor_operator.handover import Ownership, Phase
from streammonitor_operator.roster import Roster
from streammonitor_operator.state import Found


def find_owners(
    found: Found,
    assignments: Mapping[WorkerId, Assignments],
    claims: Mapping[StreamKey, Claim],
) -> None:
    """Put together who owns what from assignments and claims."""
    by_stream: dict[StreamKey, list[tuple[Assignment, WorkerId]]] = {}
    for worker, some in assignments.items():
        for stream, assignment in some.by_stream.items():
            by_stream.setdefault(stream, []).append((assignment, worker))
    for stream, given in by_stream.items():
        given.sort(key=lambda one: one[0].epoch)
        ownership = _owner(stream, given, claims.get(stream))
        found.ownerships[stream] = ownership
        found.surplus[stream] = tuple(
            worker for _, worker in given if worker not in (ownership.owner, ownership.target)
        )
        revisions = {one.spec_revision for one, _ in given}
        if len(revisions) == 1:
            found.revisions[stream] = revisions.pop()


def _owner(
    stream: StreamKey, given: list[tuple[Assignment, WorkerId]], claim: Claim | None
) -> Ownership:
    """The newest assignment owns the stream, unless it is a move that an older one is watching."""
    newest, worker = given[-1]
    highest = newest.epoch if claim is None else max(newest.epoch, claim.epoch)
    holder = None if claim is None else claim.worker
    if holder == worker:
        return Ownership(stream, Phase.WATCHED, worker, newest.epoch, highest_epoch=highest)
    for older, other in given[:-1]:
        if other == holder:
            return Ownership(
                stream,
                Phase.MOVING,
                other,
                older.epoch,
                worker,
                newest.epoch,
                highest,
                overlap_s=newest.overlap_s,
            )
    return Ownership(stream, Phase.OPENING, worker, newest.epoch, highest_epoch=highest)


def find_claimed(found: Found, roster: Roster) -> None:
    """Take what workers hold and Redis does not know of: it lost its data."""
    for worker in roster.alive():
        for stream, row in worker.rows.items():
            known = found.ownerships.get(stream)
            if not row.claimed or (known is not None and stream not in found.rebuilt):
                continue
            if known is None or row.epoch > known.owner_epoch:
                found.rebuilt.add(stream)
                found.ownerships[stream] = Ownership(
                    stream,
                    Phase.WATCHED,
                    worker.beat.worker,
                    row.epoch,
                    highest_epoch=row.epoch,
                )


def claimed_epochs(roster: Roster) -> dict[StreamKey, Epoch]:
    """The highest epoch at which any worker holds each stream."""
    epochs: dict[StreamKey, Epoch] = {}
    for worker in roster.alive():
        for stream, row in worker.rows.items():
            if row.claimed:
                epochs[stream] = Epoch(max(row.epoch, epochs.get(stream, 0)))
    return epochs
