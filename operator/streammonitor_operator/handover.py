"""The state machine of a stream's owner: everything that changes who watches a stream is here.

Two rules. What may happen, and what is done then, is the table below and nothing else: a cue that
it does not name in a phase changes nothing. And this file does not know why: `planner` chooses
workers, `reconcile` sees what happens and writes what is ordered here.

    WAITING      no worker has it: there was none, or the one that had it died
    OPENING      assigned to its owner, which has not claimed it yet
    WATCHED      its owner holds the claim
    MOVING       its owner holds the claim; the target watches too, and will claim a higher epoch
    CALLING_OFF  the target did not manage; its assignment is being withdrawn, unless it claims
                 in that instant

A planned move is made before it is broken: the owner keeps its assignment until the target has
claimed, so a move that is called off leaves the owner as it was. In a failover nobody watches: the
new owner, or the target that was warming up, claims at once. Epochs are handed out by Redis, each
higher than all before, so whoever was declared dead and comes back is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum, auto
from types import MappingProxyType

from streammonitor_api.fleet.records import (
    Assign,
    AssignmentChange,
    Keep,
    Withdraw,
)
from streammonitor_api.names import Epoch, StreamKey, WorkerId

NO_EPOCH = Epoch(0)


class Phase(StrEnum):
    WAITING = "waiting"
    OPENING = "opening"
    WATCHED = "watched"
    MOVING = "moving"
    CALLING_OFF = "calling-off"


class Cue(StrEnum):
    """What can happen to a stream."""

    PLACED = auto()
    """The planner chose a worker for it: where it waits, or before its owner has claimed it."""
    CLAIMED = auto()
    """Its owner holds the claim."""
    ORDERED = auto()
    """The planner wants it on another worker, without haste."""
    TAKEN_OVER = auto()
    """The target holds the claim."""
    TARGET_LATE = auto()
    """The target cannot decode it, or has not claimed within the bound, or is not wanted."""
    WITHDRAWN = auto()
    """The target's assignment is gone, and it had not claimed."""
    TARGET_DIED = auto()
    OWNER_DIED = auto()
    BOTH_DIED = auto()
    UNWANTED = auto()
    """Nobody wants it watched any longer."""


class Deed(StrEnum):
    """What is to be written. `owner` and `target` are those from before the cue."""

    ASSIGN_OWNER = auto()
    """To the chosen worker, to be claimed at once."""
    ASSIGN_TARGET = auto()
    """To the chosen worker, to be claimed after the overlap."""
    RAISE_OWNER = auto()
    """Give the owner the stream again at a higher epoch, to claim at once while it goes on."""
    HURRY_TARGET = auto()
    """Let the target claim at once: nobody watches."""
    WITHDRAW_OWNER = auto()
    WITHDRAW_TARGET = auto()
    CALL_OFF_TARGET = auto()
    """Withdraw from the target unless it has claimed."""


class Heir(StrEnum):
    """Who owns the stream after a transition."""

    SAME = auto()
    CHOSEN = auto()
    TARGET = auto()
    NOBODY = auto()


@dataclass(frozen=True, slots=True)
class Transition:
    """What a cue leads to in a phase."""

    phase: Phase
    deeds: tuple[Deed, ...] = ()
    owner: Heir = Heir.SAME
    target: Heir = Heir.NOBODY
    """SAME, CHOSEN or NOBODY."""


_GIVEN_UP = Transition(
    Phase.WAITING, (Deed.WITHDRAW_OWNER, Deed.WITHDRAW_TARGET), owner=Heir.NOBODY
)
_TAKEN_OVER = Transition(Phase.WATCHED, (Deed.WITHDRAW_OWNER,), owner=Heir.TARGET)

_TARGET_DIED = Transition(
    # It may have claimed before it died, or as it started again; its word cannot be waited for.
    Phase.WATCHED,
    (Deed.WITHDRAW_TARGET, Deed.RAISE_OWNER),
)

TABLE = MappingProxyType(
    {
        Phase.WAITING: {
            Cue.PLACED: Transition(Phase.OPENING, (Deed.ASSIGN_OWNER,), owner=Heir.CHOSEN),
            Cue.UNWANTED: Transition(Phase.WAITING),
        },
        Phase.OPENING: {
            Cue.CLAIMED: Transition(Phase.WATCHED),
            Cue.PLACED: Transition(
                Phase.OPENING, (Deed.ASSIGN_OWNER, Deed.WITHDRAW_OWNER), owner=Heir.CHOSEN
            ),
            Cue.OWNER_DIED: _GIVEN_UP,
            Cue.UNWANTED: _GIVEN_UP,
        },
        Phase.WATCHED: {
            Cue.ORDERED: Transition(Phase.MOVING, (Deed.ASSIGN_TARGET,), target=Heir.CHOSEN),
            Cue.OWNER_DIED: _GIVEN_UP,
            Cue.UNWANTED: _GIVEN_UP,
        },
        Phase.MOVING: {
            Cue.TAKEN_OVER: _TAKEN_OVER,
            Cue.TARGET_LATE: Transition(
                Phase.CALLING_OFF, (Deed.CALL_OFF_TARGET,), target=Heir.SAME
            ),
            Cue.TARGET_DIED: _TARGET_DIED,
            Cue.OWNER_DIED: Transition(
                Phase.OPENING, (Deed.HURRY_TARGET, Deed.WITHDRAW_OWNER), owner=Heir.TARGET
            ),
            Cue.BOTH_DIED: _GIVEN_UP,
            Cue.UNWANTED: _GIVEN_UP,
        },
        Phase.CALLING_OFF: {
            Cue.TAKEN_OVER: _TAKEN_OVER,
            Cue.WITHDRAWN: Transition(Phase.WATCHED),
            Cue.TARGET_DIED: _TARGET_DIED,
            # The target may have lost its assignment by now; whoever is chosen next gets a new one.
            Cue.OWNER_DIED: _GIVEN_UP,
            Cue.BOTH_DIED: _GIVEN_UP,
            Cue.UNWANTED: _GIVEN_UP,
        },
    }
)


@dataclass(frozen=True, slots=True)
class Ownership:
    """Who watches a stream, and who will."""

    stream: StreamKey
    phase: Phase = Phase.WAITING
    owner: WorkerId | None = None
    owner_epoch: Epoch = NO_EPOCH
    """0 until Redis has told which one was handed out."""
    target: WorkerId | None = None
    target_epoch: Epoch = NO_EPOCH
    highest_epoch: Epoch = NO_EPOCH
    """Of all that were ever seen of this stream, for a Redis that lost its own count."""
    since_ms: int = 0
    """When the phase began, by Redis' clock."""
    overlap_s: float = 0.0
    """Of the move that is under way."""

    @property
    def highest(self) -> Epoch:
        """The highest epoch that is known of this stream."""
        return max(self.highest_epoch, self.owner_epoch, self.target_epoch)

    @property
    def over(self) -> Epoch:
        """The highest epoch at which nobody may own the stream any more."""
        return Epoch(max((self.owner_epoch or self.highest) - 1, NO_EPOCH))

    @property
    def is_moving(self) -> bool:
        return self.phase in (Phase.MOVING, Phase.CALLING_OFF)

    def told_epoch(self, worker: WorkerId, epoch: Epoch) -> Ownership:
        """Note an epoch that Redis handed out, or a worker holds, of the owner or the target."""
        highest = max(self.highest_epoch, epoch)
        if worker == self.owner:
            return replace(self, owner_epoch=epoch, highest_epoch=highest)
        if worker == self.target:
            return replace(self, target_epoch=epoch, highest_epoch=highest)
        return replace(self, highest_epoch=highest)


@dataclass(frozen=True, slots=True)
class Order:
    """A change of one worker's assignments."""

    worker: WorkerId
    change: AssignmentChange


def advance(
    before: Ownership,
    cue: Cue,
    now_ms: int,
    *,
    revision: str = "",
    chosen: WorkerId | None = None,
    overlap_s: float = 0.0,
) -> tuple[Ownership, tuple[Order, ...]]:
    """Apply a cue: who owns the stream now, and what is to be written for it.

    `chosen` is the planner's worker, with PLACED and ORDERED; `revision` names the spec to watch
    by, for those and for a target that has to hurry. `overlap_s` is how long the target watches
    before it claims. Returns `before` itself, and no orders, for a cue that means nothing then.
    """
    transition = TABLE[before.phase].get(cue)
    if transition is None or (chosen is not None and chosen == before.owner):
        return before, ()
    if transition.owner is Heir.TARGET:
        owner, owner_epoch = before.target, before.target_epoch
    elif transition.owner is Heir.SAME:
        raised = Deed.RAISE_OWNER in transition.deeds
        owner, owner_epoch = before.owner, NO_EPOCH if raised else before.owner_epoch
    else:
        owner, owner_epoch = chosen if transition.owner is Heir.CHOSEN else None, NO_EPOCH
    stays = transition.target is Heir.SAME
    after = Ownership(
        before.stream,
        transition.phase,
        owner,
        owner_epoch,
        before.target if stays else chosen if transition.target is Heir.CHOSEN else None,
        before.target_epoch if stays else NO_EPOCH,
        before.highest_epoch,
        now_ms,
        before.overlap_s if stays else overlap_s if cue is Cue.ORDERED else 0.0,
    )
    orders = (_order(deed, before, chosen, revision, overlap_s) for deed in transition.deeds)
    return after, tuple(order for order in orders if order is not None)


def _order(
    deed: Deed,
    before: Ownership,
    chosen: WorkerId | None,
    revision: str,
    overlap_s: float,
) -> Order | None:
    """What a deed is in the words of the contract; None where it names nobody."""
    stream = before.stream
    above = before.highest_epoch
    match deed:
        case Deed.ASSIGN_OWNER:
            return _to(chosen, Assign(stream, revision, 0.0, above))
        case Deed.ASSIGN_TARGET:
            return _to(chosen, Assign(stream, revision, overlap_s, above))
        case Deed.RAISE_OWNER:
            return _to(before.owner, Assign(stream, revision, 0.0, above))
        case Deed.HURRY_TARGET if before.target_epoch:
            return _to(before.target, Keep(stream, revision, before.target_epoch, 0.0))
        case Deed.HURRY_TARGET:
            return _to(before.target, Assign(stream, revision, 0.0, above))
        case Deed.WITHDRAW_OWNER:
            return _to(before.owner, Withdraw(stream))
        case Deed.WITHDRAW_TARGET:
            return _to(before.target, Withdraw(stream))
        case Deed.CALL_OFF_TARGET:
            return _to(before.target, Withdraw(stream, unless_claimed=True))


def _to(worker: WorkerId | None, change: AssignmentChange) -> Order | None:
    return None if worker is None else Order(worker, change)
