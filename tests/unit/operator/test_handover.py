"""The state machine of a stream's owner: each story as people tell it, and what holds in all."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streammonitor_api.fleet.records import Assign, AssignmentChange, Keep, Withdraw
from streammonitor_api.names import Epoch, StreamKey, WorkerId
from streammonitor_operator.handover import TABLE, Cue, Deed, Heir, Ownership, Phase, advance

ONE = StreamKey("prod/sports/one")
A, B, C = WorkerId("a"), WorkerId("b"), WorkerId("c")
WATCHED = Ownership(ONE, Phase.WATCHED, A, Epoch(4), highest_epoch=Epoch(4))
MOVING = Ownership(
    ONE, Phase.MOVING, A, Epoch(4), B, Epoch(5), highest_epoch=Epoch(5), overlap_s=5.0
)


def told(
    before: Ownership, cue: Cue, chosen: WorkerId | None = None, overlap_s: float = 0.0
) -> tuple[Ownership, list[tuple[WorkerId, AssignmentChange]]]:
    after, orders = advance(before, cue, 1000, revision="r", chosen=chosen, overlap_s=overlap_s)
    return after, [(order.worker, order.change) for order in orders]


def test_first_placement_is_claimed_at_once() -> None:
    after, orders = told(Ownership(ONE, highest_epoch=Epoch(3)), Cue.PLACED, A)

    assert (after.phase, after.owner) == (Phase.OPENING, A)
    assert orders == [(A, Assign(ONE, "r", 0.0, 3))]


def test_move_is_made_before_it_is_broken() -> None:
    moving, orders = told(WATCHED, Cue.ORDERED, B, 5.0)
    assert orders == [(B, Assign(ONE, "r", 5.0, 4))]
    assert (moving.owner, moving.target, moving.overlap_s) == (A, B, 5.0)

    moving = moving.told_epoch(B, Epoch(5))
    after, orders = told(moving, Cue.TAKEN_OVER)

    assert (after.phase, after.owner, after.owner_epoch) == (Phase.WATCHED, B, 5)
    assert after.target is None
    assert orders == [(A, Withdraw(ONE))]


def test_failover_leaves_nothing_with_the_dead() -> None:
    waiting, orders = told(WATCHED, Cue.OWNER_DIED)
    assert (waiting.phase, waiting.owner) == (Phase.WAITING, None)
    assert orders == [(A, Withdraw(ONE))]

    _, orders = told(waiting, Cue.PLACED, B)
    assert orders == [(B, Assign(ONE, "r", 0.0, 4))]


def test_target_that_died_leaves_the_owner_as_it_was() -> None:
    after, orders = told(MOVING, Cue.TARGET_DIED)

    assert (after.phase, after.owner, after.owner_epoch, after.target) == (
        Phase.WATCHED,
        A,
        0,
        None,
    )
    assert orders == [(B, Withdraw(ONE)), (A, Assign(ONE, "r", 0.0, 5))]


def test_target_that_is_late_is_called_off_unless_it_claims() -> None:
    calling, orders = told(MOVING, Cue.TARGET_LATE)
    assert orders == [(B, Withdraw(ONE, unless_claimed=True))]

    off, orders = told(calling, Cue.WITHDRAWN)
    assert (off.phase, off.owner, off.owner_epoch, orders) == (Phase.WATCHED, A, 4, [])

    over, orders = told(calling, Cue.TAKEN_OVER)
    assert (over.phase, over.owner, over.owner_epoch) == (Phase.WATCHED, B, 5)
    assert orders == [(A, Withdraw(ONE))]


def test_target_hurries_when_the_owner_dies() -> None:
    after, orders = told(MOVING, Cue.OWNER_DIED)

    assert (after.phase, after.owner, after.owner_epoch) == (Phase.OPENING, B, 5)
    assert orders == [(B, Keep(ONE, "r", Epoch(5), 0.0)), (A, Withdraw(ONE))]


def test_target_without_a_known_epoch_gets_another_to_hurry() -> None:
    after, orders = told(replace(MOVING, target_epoch=Epoch(0)), Cue.OWNER_DIED)

    assert (after.owner, after.owner_epoch) == (B, 0)
    assert orders == [(B, Assign(ONE, "r", 0.0, 5)), (A, Withdraw(ONE))]


@pytest.mark.parametrize("phase", [Phase.MOVING, Phase.CALLING_OFF])
def test_nothing_is_left_with_two_dead(phase: Phase) -> None:
    after, orders = told(replace(MOVING, phase=phase), Cue.BOTH_DIED)

    assert (after.phase, after.owner, after.target) == (Phase.WAITING, None, None)
    assert orders == [(A, Withdraw(ONE)), (B, Withdraw(ONE))]


def test_stream_that_nobody_watches_yet_is_placed_elsewhere() -> None:
    opening = Ownership(ONE, Phase.OPENING, A, Epoch(4), highest_epoch=Epoch(4))

    after, orders = told(opening, Cue.PLACED, B)

    assert (after.phase, after.owner, after.owner_epoch) == (Phase.OPENING, B, 0)
    assert orders == [(B, Assign(ONE, "r", 0.0, 4)), (A, Withdraw(ONE))]


def test_every_phase_can_end_and_be_left() -> None:
    for phase, transitions in TABLE.items():
        assert Cue.UNWANTED in transitions
        if phase is not Phase.WAITING:
            assert transitions.keys() & {Cue.OWNER_DIED}


def test_no_transition_withdraws_from_who_owns_afterwards() -> None:
    for transitions in TABLE.values():
        for transition in transitions.values():
            if transition.owner is Heir.SAME:
                assert Deed.WITHDRAW_OWNER not in transition.deeds
            if transition.owner is Heir.TARGET:
                assert Deed.WITHDRAW_OWNER in transition.deeds
                assert Deed.WITHDRAW_TARGET not in transition.deeds


@given(st.lists(st.tuples(st.sampled_from(Cue), st.sampled_from([A, B, C])), max_size=30))
def test_whatever_happens_assignments_match_the_ownership(
    story: list[tuple[Cue, WorkerId]],
) -> None:
    ownership, assigned = Ownership(ONE), set[WorkerId]()
    for cue, chosen in story:
        needs_choice = cue in (Cue.PLACED, Cue.ORDERED)
        ownership, orders = told(ownership, cue, chosen if needs_choice else None)
        for worker, change in orders:
            if isinstance(change, Withdraw):
                assigned -= set() if change.unless_claimed else {worker}
            else:
                assigned.add(worker)
        if cue is Cue.WITHDRAWN and ownership.phase is Phase.WATCHED:
            assigned &= {ownership.owner}

        assert (ownership.owner is None) == (ownership.phase is Phase.WAITING)
        assert (ownership.target is not None) == ownership.is_moving
        assert ownership.owner != ownership.target or ownership.owner is None
        assert assigned == {ownership.owner, ownership.target} - {None}
