"""What the fleet shows, as cues: who was born or died, who claimed, which weights changed.

Only what changed since the last look is looked at. A table tells more than what was hoped for:
a stream that a worker has without being asked is taken from it, one that it was given and does
not have is given again at a higher epoch, and a claim newer than any that is known is accepted.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from streammonitor_api.fleet.records import Claim, StreamRow, Withdraw
from streammonitor_api.names import StreamKey, WorkerId
from streammonitor_operator.handover import Cue, Ownership, Phase
from streammonitor_operator.placement import Standing
from streammonitor_operator.roster import Arrivals
from streammonitor_operator.state import State

MISSING_AFTER_MS = 5_000
"""A stream that its worker's table still does not name is given to it anew: the table is written
within a heartbeat of any change, and every 5 s."""
STALLED_AFTER_MS = 10_000
"""A stream without a new picture for so long is not watched, whatever its worker says: tables come
every 5 s, and slow streams have a picture in a segment of at most 10 s."""
STRAY_AFTER_MS = 3_000
"""A stream that a worker has without being asked is withdrawn: several heartbeats after it should
have noticed by itself."""


@dataclass(slots=True)
class Observer:
    """Reads what the roster saw into the state."""

    state: State
    preferred: dict[StreamKey, WorkerId] = field(default_factory=dict)
    """Streams of a worker that was started again: it gets them back if it is ready."""
    _topology_changed: bool = False
    _held: dict[WorkerId, int] = field(default_factory=dict)
    """Workers that died while nothing was decided, with their last heartbeat."""
    _strays: dict[tuple[WorkerId, StreamKey], int] = field(default_factory=dict)

    def take_in(self, arrivals: Arrivals, now_ms: int) -> None:
        """Apply what a look at the fleet brought."""
        for worker, last_ms in arrivals.died.items():
            self._mourn(worker, last_ms, now_ms)
        for worker in arrivals.revived:
            self._revive(worker, now_ms)
        if self.state.widowed and self.state.roster.alive():
            for worker in list(self.state.widowed):
                self._fail_over(worker, now_ms)
        for worker in (*arrivals.born, *arrivals.changed, *arrivals.revived):
            self._seat(worker)
        for worker, before in arrivals.told.items():
            self._read_table(worker, before, now_ms)

    def hold_back(self, arrivals: Arrivals) -> None:
        """Note what would be lost: nothing is decided yet."""
        self._held.update(arrivals.died)

    def reseat(self, now_ms: int) -> None:
        """Begin to decide: with all that live, what they have, and who died meanwhile."""
        for name, worker in self.state.roster.workers.items():
            if worker.is_dead:
                self._held.setdefault(name, worker.seen_ms)
            elif name not in self._held:
                self._seat(name)
        held, self._held = self._held, {}
        self.take_in(Arrivals(died=held), now_ms)
        for name, worker in self.state.roster.workers.items():
            if not worker.is_dead:
                self._seat(name)
                self._read_table(name, {}, now_ms)

    def take_topology_change(self) -> bool:
        """Whether a worker came, went or changed since the last call: the balance may be off."""
        changed, self._topology_changed = self._topology_changed, False
        return changed

    def _seat(self, worker: WorkerId) -> None:
        known = self.state.roster[worker]
        seat = self.state.placement.seats.get(worker)
        if seat is None or seat.standing is not known.standing:
            self.state.notice(
                f"{worker}: {known.state}, {known.beat.capacity_cores:g} cores, "
                f"{0 if seat is None else len(seat.streams)} streams"
            )
        capacity = max(known.beat.capacity_cores, 0.01)
        self.state.placement.put_worker(worker, capacity, known.standing)
        self._topology_changed = True

    def _mourn(self, worker: WorkerId, last_ms: int, now_ms: int) -> None:
        """A worker died: what it watched is watched by nobody since its last heartbeat."""
        self._topology_changed = True
        if worker not in self.state.placement.seats:
            return
        self.state.widowed[worker] = None
        streams = self._streams_of(worker)
        silent_s = max(0, now_ms - last_ms) / 1000
        what = "started again" if self.state.roster.is_alive(worker) else "is dead"
        self.state.notice(
            f"{worker}: {what}, last heartbeat {silent_s:.1f} s ago, had {len(streams)} streams",
            logging.WARNING if streams else logging.INFO,
        )
        for stream in streams:
            if self.state.ledger[stream].owner == worker:
                self.state.assess(stream, now_ms, min(last_ms, now_ms))

    def _revive(self, worker: WorkerId, now_ms: int) -> None:
        """A worker was paused. It keeps what nobody else has taken meanwhile."""
        self.state.widowed.pop(worker, None)
        self.state.notice(f"{worker}: beats again, it was paused or cut off")
        if worker in self.state.placement.seats:
            for stream in self._streams_of(worker):
                self.state.assess(stream, now_ms)

    def _streams_of(self, worker: WorkerId) -> list[StreamKey]:
        """Streams that a worker owns, or that are on their way to it."""
        seated = self.state.placement.seats[worker].streams
        ledger = self.state.ledger
        leaving = [one for one in ledger.moving if ledger[one].owner == worker]
        return sorted({*seated, *leaving})

    def _fail_over(self, worker: WorkerId, now_ms: int) -> None:
        """Take its streams from a dead worker; the planner finds others for them."""
        del self.state.widowed[worker]
        if worker not in self.state.placement.seats:
            return
        ledger, roster = self.state.ledger, self.state.roster
        restarted = roster.is_alive(worker)
        for stream in self._streams_of(worker):
            cue = self._loss(ledger[stream], worker)
            ledger.cue(stream, cue, now_ms)
            if restarted and cue is Cue.OWNER_DIED and ledger[stream].owner is None:
                self.preferred[stream] = worker
        self.state.placement.drop_worker(worker)
        if restarted:
            self._seat(worker)

    def _loss(self, ownership: Ownership, worker: WorkerId) -> Cue:
        """What a worker's death is to a stream that had to do with it."""

        def is_lost(other: WorkerId | None) -> bool:
            return other == worker or not self.state.roster.is_alive(other)

        if not ownership.is_moving:
            return Cue.OWNER_DIED
        if is_lost(ownership.owner):
            return Cue.BOTH_DIED if is_lost(ownership.target) else Cue.OWNER_DIED
        return Cue.TARGET_DIED

    def _read_table(
        self, worker: WorkerId, before: Mapping[StreamKey, StreamRow], now_ms: int
    ) -> None:
        rows = self.state.roster[worker].rows
        for stream, row in rows.items():
            ownership = self.state.ledger.get(stream)
            if ownership is None:
                if self.state.inventory.is_complete:
                    self._meet_stray(worker, stream, now_ms)
            elif worker == ownership.owner:
                self._read_owner(ownership, row, before.get(stream), now_ms)
            elif worker == ownership.target:
                self._read_target(ownership, row, now_ms)
            else:
                self._read_other(worker, ownership, row, now_ms)
        if worker in self.state.placement.seats:
            self._find_missing(worker, rows, now_ms)

    def _read_owner(
        self, ownership: Ownership, row: StreamRow, before: StreamRow | None, now_ms: int
    ) -> None:
        ledger, stream = self.state.ledger, row.stream
        if row.claimed and _is_current(row, ownership.owner_epoch, ownership):
            ledger.learn(stream, ownership.owner, row.epoch)
            ledger.cue(stream, Cue.CLAIMED, now_ms)
        if before is None or _signs(row) != _signs(before):
            self.state.assess(stream, now_ms)
        self.state.weigh(stream, row)
        self._note_picture(row, now_ms)

    def _note_picture(self, row: StreamRow, now_ms: int) -> None:
        """Notice a stream that is said to be watched and has no new pictures."""
        state, stream, picture = self.state, row.stream, row.last_picture_wall
        known = state.pictures.get(stream)
        if row.state != "watching" or picture is None:
            state.pictures.pop(stream, None)
            state.stalled.discard(stream)
        elif known is None or known[0] != picture:
            state.pictures[stream] = picture, now_ms
            if stream in state.stalled:
                state.stalled.discard(stream)
                state.assess(stream, now_ms)
        elif now_ms - known[1] >= STALLED_AFTER_MS and stream not in state.stalled:
            state.stalled.add(stream)
            state.assess(stream, now_ms, known[1])

    def _read_target(self, ownership: Ownership, row: StreamRow, now_ms: int) -> None:
        ledger, stream = self.state.ledger, row.stream
        if row.claimed and _is_current(row, ownership.target_epoch, ownership):
            ledger.learn(stream, ownership.target, row.epoch)
            ledger.cue(stream, Cue.TAKEN_OVER, now_ms)
        elif row.state == "quarantined":
            ledger.cue(stream, Cue.TARGET_LATE, now_ms)

    def _read_other(
        self, worker: WorkerId, ownership: Ownership, row: StreamRow, now_ms: int
    ) -> None:
        newest = max(ownership.highest_epoch, ownership.owner_epoch)
        if row.claimed and row.epoch > newest and worker in self.state.placement.seats:
            self.state.ledger.adopt(row.stream, worker, row.epoch, now_ms)
        else:
            self._meet_stray(worker, row.stream, now_ms)

    def _meet_stray(self, worker: WorkerId, stream: StreamKey, now_ms: int) -> None:
        """A worker has a stream that it was not given: for a moment, after it was taken from it."""
        first_ms = self._strays.setdefault((worker, stream), now_ms)
        if now_ms - first_ms >= STRAY_AFTER_MS:
            del self._strays[worker, stream]
            self.state.ledger.order(worker, Withdraw(stream))
        if len(self._strays) > 10_000:
            self._strays = {
                key: since for key, since in self._strays.items() if now_ms - since < 60_000
            }

    def _find_missing(
        self, worker: WorkerId, rows: Mapping[StreamKey, StreamRow], now_ms: int
    ) -> None:
        ledger = self.state.ledger
        missing: Iterable[StreamKey] = self.state.placement.seats[worker].streams - rows.keys()
        for stream in sorted(missing):
            ownership = ledger[stream]
            if ownership.owner != worker or ownership.phase not in (Phase.OPENING, Phase.WATCHED):
                continue
            if now_ms - ownership.since_ms >= MISSING_AFTER_MS:
                ledger.reassign(stream, now_ms)
                self.state.assess(stream, now_ms)

    def audit(self, claims: Mapping[StreamKey, Claim], now_ms: int) -> None:
        """Compare with all claims: an owner that lost its own without noticing gets it back.

        It is a net under all else, for a stream without incidents tells nothing that could be
        refused.
        """
        ledger = self.state.ledger
        for stream in ledger:
            ownership, claim = ledger[stream], claims.get(stream)
            if ownership.phase is not Phase.WATCHED or not ownership.owner_epoch:
                continue
            if now_ms - ownership.since_ms < MISSING_AFTER_MS:
                continue
            held = None if claim is None else (claim.worker, claim.epoch)
            believed = ownership.owner, ownership.owner_epoch
            if held != believed and self.state.roster.is_alive(ownership.owner):
                ledger.reassign(stream, now_ms, 0 if claim is None else claim.epoch)

    def take_back(self, now_ms: int) -> None:
        """Give streams of a worker that was started again back to it, if it takes any."""
        preferred, self.preferred = self.preferred, {}
        for stream, worker in preferred.items():
            ownership = self.state.ledger.get(stream)
            seat = self.state.placement.seats.get(worker)
            if ownership is None or seat is None or seat.standing is not Standing.OPEN:
                continue
            if ownership.phase is Phase.WAITING:
                self.state.ledger.cue(stream, Cue.PLACED, now_ms, chosen=worker)


def _is_current(row: StreamRow, epoch: int, ownership: Ownership) -> bool:
    """Whether a claim is of the assignment that was given, or of a repetition of it."""
    return row.epoch >= epoch if epoch else row.epoch > ownership.highest_epoch


def _signs(row: StreamRow) -> tuple[object, ...]:
    """What of a row is told to people, or changes whether a stream counts as watched."""
    return row.state, row.claimed, row.fidelity, row.error
