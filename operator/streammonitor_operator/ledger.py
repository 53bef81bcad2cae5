"""The owners of all streams, and what is to be written for them: plain data and its rules.

Applies the cues of `handover` to the streams, keeps the `Placement` in step (a stream that moves
counts where it goes), and collects the orders a worker. Orders stay until they are written: what a
Redis that is away did not take is written later, and a newer order for the same stream replaces it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from streammonitor_api.fleet.records import (
    Assign,
    AssignmentChange,
    AssignmentsWritten,
    Keep,
    Withdraw,
)
from streammonitor_api.names import Epoch, StreamKey, WorkerId
from streammonitor_operator.handover import NO_EPOCH, Cue, Ownership, Phase, advance
from streammonitor_operator.inventory import Wanted
from streammonitor_operator.placement import Placement


@dataclass(slots=True)
class Tally:
    """How often what happened, since this operator started."""

    placed: int = 0
    moves_ordered: int = 0
    moves_done: int = 0
    moves_called_off: int = 0
    failovers: int = 0


@dataclass(slots=True)
class Ledger:
    """Who owns what, and what remains to be written."""

    placement: Placement
    wanted: Mapping[StreamKey, Wanted]
    tally: Tally = field(default_factory=Tally)
    touched: dict[StreamKey, None] = field(default_factory=dict)
    """Streams whose owner changed: for status and coverage, which clear it."""
    _ownerships: dict[StreamKey, Ownership] = field(default_factory=dict)
    _moving: dict[StreamKey, None] = field(default_factory=dict)
    _incoming: dict[WorkerId, int] = field(default_factory=dict)
    _orders: dict[WorkerId, dict[StreamKey, AssignmentChange]] = field(default_factory=dict)

    def __getitem__(self, stream: StreamKey) -> Ownership:
        return self._ownerships[stream]

    def __contains__(self, stream: StreamKey) -> bool:
        return stream in self._ownerships

    def __iter__(self) -> Iterator[StreamKey]:
        return iter(self._ownerships)

    def __len__(self) -> int:
        return len(self._ownerships)

    def get(self, stream: StreamKey) -> Ownership | None:
        return self._ownerships.get(stream)

    @property
    def moving(self) -> tuple[StreamKey, ...]:
        """Streams that are on their way to another worker."""
        return tuple(self._moving)

    @property
    def orders(self) -> Mapping[WorkerId, Mapping[StreamKey, AssignmentChange]]:
        """What is to be written."""
        return MappingProxyType(self._orders)

    def incoming(self, worker: WorkerId) -> int:
        """How many streams are on their way to a worker."""
        return self._incoming.get(worker, 0)

    def add(self, stream: StreamKey, weight_cores: float, priority: int) -> None:
        """A stream that is wanted and has no owner."""
        self._ownerships[stream] = Ownership(stream)
        self.placement.put_stream(stream, weight_cores, priority)
        self.touched[stream] = None

    def remove(self, stream: StreamKey, now_ms: int) -> None:
        """A stream that is not wanted any more."""
        self.cue(stream, Cue.UNWANTED, now_ms)
        del self._ownerships[stream]
        self.placement.drop_stream(stream)
        self.touched[stream] = None

    def restore(self, ownership: Ownership) -> None:
        """Take over what is known from Redis or a heartbeat: it is so, nothing is to be written."""
        stream = ownership.stream
        self._set(self._ownerships[stream], ownership)
        place = ownership.target if ownership.phase is Phase.MOVING else ownership.owner
        if place is None:
            self.placement.lift(stream)
        else:
            self.placement.sit(stream, place)

    def cue(
        self,
        stream: StreamKey,
        cue: Cue,
        now_ms: int,
        *,
        chosen: WorkerId | None = None,
        overlap_s: float = 0.0,
    ) -> bool:
        """Tell a stream's state machine what happened; False where it means nothing there."""
        before = self._ownerships[stream]
        wanted = self.wanted.get(stream)
        revision = "" if wanted is None else wanted.revision
        after, orders = advance(
            before, cue, now_ms, revision=revision, chosen=chosen, overlap_s=overlap_s
        )
        if after is before:
            return False
        for order in orders:
            self.order(order.worker, order.change)
        self._count(cue, before)
        self.restore_as(before, after)
        return True

    def restore_as(self, before: Ownership, after: Ownership) -> None:
        """Replace an ownership by another one, and seat the stream accordingly."""
        if (before.owner, before.target, before.phase) == (after.owner, after.target, after.phase):
            self._ownerships[after.stream] = after
            return
        self.restore(after)

    def learn(self, stream: StreamKey, worker: WorkerId | None, epoch: Epoch) -> None:
        """Note the epoch that a worker holds; Redis may have handed out another one than was
        told, where its answer was lost."""
        ownership = self._ownerships[stream]
        known = ownership.owner_epoch if worker == ownership.owner else ownership.target_epoch
        if worker is not None and epoch != known:
            self._ownerships[stream] = ownership.told_epoch(worker, epoch)

    def order(self, worker: WorkerId, change: AssignmentChange) -> None:
        """Have a worker's assignments changed; replaces what was ordered for the same stream."""
        self._orders.setdefault(worker, {})[change.stream] = change

    def renew(self, stream: StreamKey) -> None:
        """Write the assignments of a stream again: its spec changed, or Redis lost them."""
        ownership = self._ownerships[stream]
        revision = self.wanted[stream].revision
        given = [(ownership.owner, ownership.owner_epoch, 0.0)]
        if ownership.phase is Phase.MOVING:
            given.append((ownership.target, ownership.target_epoch, ownership.overlap_s))
        elif ownership.target is not None:
            self.order(ownership.target, Withdraw(stream, unless_claimed=True))
        for worker, epoch, overlap_s in given:
            if worker is None:
                continue
            if epoch:
                self.order(worker, Keep(stream, revision, epoch, overlap_s))
            else:
                above = ownership.highest_epoch
                self.order(worker, Assign(stream, revision, overlap_s, above))

    def reassign(self, stream: StreamKey, now_ms: int, above: int = 0) -> None:
        """Give its owner a stream anew, at a higher epoch: it does not have it, or was fenced."""
        before = self._ownerships[stream]
        if before.owner is None:
            return
        revision, highest = self.wanted[stream].revision, Epoch(max(before.highest_epoch, above))
        self.order(before.owner, Assign(stream, revision, 0.0, highest))
        phase = Phase.OPENING if before.phase is Phase.WATCHED else before.phase
        self._ownerships[stream] = replace(
            before, phase=phase, owner_epoch=NO_EPOCH, highest_epoch=highest, since_ms=now_ms
        )

    def adopt(self, stream: StreamKey, worker: WorkerId, epoch: Epoch, now_ms: int) -> None:
        """Accept the worker that holds the newest claim as the owner, whatever was planned."""
        before = self._ownerships[stream]
        for other in {before.owner, before.target} - {worker, None}:
            assert other is not None  # noqa: S101  narrows the type
            self.order(other, Withdraw(stream))
        highest = max(before.highest_epoch, epoch)
        after = Ownership(
            stream, Phase.WATCHED, worker, epoch, highest_epoch=highest, since_ms=now_ms
        )
        self.restore_as(before, after)
        self.touched[stream] = None

    def take_orders(self, workers: Iterable[WorkerId]) -> dict[WorkerId, list[AssignmentChange]]:
        """The orders of some workers, as they are to be written."""
        return {worker: list(self._orders[worker].values()) for worker in workers}

    def written(
        self,
        worker: WorkerId,
        changes: Iterable[AssignmentChange],
        answer: AssignmentsWritten,
        now_ms: int,
    ) -> None:
        """Redis took these changes: note the epochs, and what came of calling moves off."""
        remaining = self._orders.get(worker, {})
        for change in changes:
            if remaining.get(change.stream) is change:
                del remaining[change.stream]
            ownership = self._ownerships.get(change.stream)
            if ownership is None:
                continue
            if change.stream in answer.epochs and not isinstance(change, Withdraw):
                epoch = answer.epochs[change.stream]
                self._ownerships[change.stream] = ownership.told_epoch(worker, epoch)
            elif ownership.phase is Phase.CALLING_OFF and worker == ownership.target:
                late = change.stream in answer.claimed
                self.cue(change.stream, Cue.TAKEN_OVER if late else Cue.WITHDRAWN, now_ms)
        if not remaining:
            self._orders.pop(worker, None)

    def drop_orders(self, worker: WorkerId) -> None:
        """Forget what was to be written for a worker that is forgotten itself."""
        self._orders.pop(worker, None)

    def _set(self, before: Ownership, after: Ownership) -> None:
        stream = after.stream
        self._ownerships[stream] = after
        self.touched[stream] = None
        if before.target is not None:
            self._incoming[before.target] -= 1
            if not self._incoming[before.target]:
                del self._incoming[before.target]
        if after.target is not None:
            self._incoming[after.target] = self._incoming.get(after.target, 0) + 1
        if after.is_moving:
            self._moving[stream] = None
        else:
            self._moving.pop(stream, None)

    def _count(self, cue: Cue, before: Ownership) -> None:
        match cue:
            case Cue.PLACED:
                self.tally.placed += 1
            case Cue.ORDERED:
                self.tally.moves_ordered += 1
            case Cue.TAKEN_OVER:
                self.tally.moves_done += 1
            case Cue.WITHDRAWN | Cue.TARGET_DIED:
                self.tally.moves_called_off += 1
            case Cue.OWNER_DIED | Cue.BOTH_DIED:
                self.tally.failovers += 1
