"""What a worker does about each fact, on a clock that the test moves."""

from __future__ import annotations

import pytest

from streammonitor_api.events import OpenIncident
from streammonitor_worker.supervisor.actions import Cancel, Claim, Close, Own, Release, Watch
from streammonitor_worker.supervisor.duties import (
    CLAIM_AGAIN_S,
    LONGEST_JOIN_S,
    REMEMBERED_S,
    RESTART_S,
    Assigned,
    Duties,
    State,
)
from tests.support.builders import an_event, an_incident

ONE = "prod/sports/one"


def assigned(epoch: int = 1, overlap_s: float = 0.0, spec: str = "spec") -> dict[str, Assigned]:
    return {ONE: Assigned(epoch, overlap_s, spec)}


def owner(epoch: int = 1) -> Duties:
    duties = Duties()
    duties.assign(0.0, assigned(epoch))
    duties.granted(0.0, ONE, epoch)
    return duties


def left(detector: str = "video-black", revision: int = 1) -> OpenIncident:
    return OpenIncident(an_incident(detector, stream=ONE), revision)


def test_failover_claims_at_once_and_owns_what_was_left() -> None:
    duties = Duties()

    assert duties.assign(0.0, assigned(7)) == [Watch(ONE, "spec"), Claim(ONE, 7)]
    assert duties.granted(0.2, ONE, 7, [left()]) == [Own(ONE, 7, (left(),), ())]
    assert duties.held() == {ONE: 7}


def test_claim_that_came_too_late_waits_for_the_overlap_of_the_next() -> None:
    duties = Duties()
    duties.assign(0.0, assigned(6))

    assert duties.assign(5.0, assigned(8, overlap_s=5.0)) == []
    assert duties.pass_time(20.0) == []
    assert duties.watched(21.0, ONE) == []
    assert duties.pass_time(26.0) == [Claim(ONE, 8)]


@pytest.mark.parametrize(
    ("unwatched_s", "alarm_s", "join_s"),
    [(0.0, 5.0, 0.0), (6.0, 5.0, 11.0), (6.0, 0.0, 6.0), (600.0, 5.0, LONGEST_JOIN_S)],
    ids=["never-watched", "failover", "no-alarm-duration", "long-unwatched"],
)
def test_failover_begins_before_what_nobody_watched(
    unwatched_s: float, alarm_s: float, join_s: float
) -> None:
    wanted = Assigned(7, 0.0, "spec", unwatched_s=unwatched_s, alarm_s=alarm_s)

    watch, _ = Duties().assign(0.0, {ONE: wanted})

    assert watch == Watch(ONE, "spec", join_s)


def test_owner_that_was_succeeded_unaware_waits_for_the_overlap_of_the_next() -> None:
    duties = owner(epoch=3)

    assert duties.assign(5.0, assigned(5, overlap_s=5.0)) == []
    assert duties.watched(6.0, ONE) == []
    assert duties.pass_time(11.0) == [Claim(ONE, 5)]


def test_move_claims_when_the_overlap_was_watched() -> None:
    duties = Duties()
    assert duties.assign(0.0, assigned(2, overlap_s=5.0)) == [Watch(ONE, "spec")]

    assert duties.pass_time(60.0) == []
    assert duties.watched(61.0, ONE) == []
    assert duties.pass_time(65.9) == []
    assert duties.pass_time(66.0) == [Claim(ONE, 2)]


def test_warming_claims_at_once_when_the_old_owner_dies() -> None:
    duties = Duties()
    duties.assign(0.0, assigned(2, overlap_s=5.0))

    assert duties.assign(1.0, assigned(2, overlap_s=0.0)) == [Claim(ONE, 2)]


def test_unanswered_claim_is_asked_for_again() -> None:
    duties = Duties()
    duties.assign(0.0, assigned())

    assert duties.pass_time(CLAIM_AGAIN_S - 0.1) == []
    assert duties.pass_time(CLAIM_AGAIN_S) == [Claim(ONE, 1)]


def test_moved_stream_is_released_and_forgotten() -> None:
    duties = owner()

    assert duties.assign(1.0, {}) == [Release(ONE)]
    assert duties.held() == {}
    assert len(duties) == 1
    assert duties.ended(1.1, ONE) == []
    assert len(duties) == 0


def test_unwanted_stream_is_cancelled_by_its_owner_only() -> None:
    warming = Duties()
    warming.assign(0.0, assigned(2, overlap_s=5.0))

    assert owner().assign(1.0, {}, unwanted=[ONE]) == [Cancel(ONE)]
    assert warming.assign(1.0, {}, unwanted=[ONE]) == [Release(ONE)]


def test_events_are_published_until_the_cancelled_stream_has_ended() -> None:
    duties = owner(epoch=3)
    duties.assign(1.0, {}, unwanted=[ONE])

    assert duties.note(1.1, ONE, an_event("closed", an_incident())) == 3
    duties.ended(1.2, ONE)
    assert duties.note(1.3, ONE, an_event("opened", an_incident())) == 0


def test_engine_that_dies_while_cancelling_leaves_the_closing_to_us() -> None:
    duties = owner()
    event = an_event("opened", an_incident("video-black", stream=ONE))
    duties.note(0.5, ONE, event)
    duties.assign(1.0, {}, unwanted=[ONE])

    assert duties.lost(1.1, ONE) == [Close(ONE, 1, (OpenIncident(event.incident, 1),))]


def test_claim_granted_for_what_nobody_wants_closes_what_was_left() -> None:
    duties = Duties()
    duties.assign(0.0, assigned(4))
    assert duties.assign(0.1, {}, unwanted=[ONE]) == [Release(ONE)]

    assert duties.granted(0.2, ONE, 4, [left()]) == [Close(ONE, 4, (left(),))]


@pytest.mark.parametrize("state", [State.CLAIMING, State.OWNING])
def test_fenced_worker_stops_and_does_not_begin_again(state: State) -> None:
    duties = Duties()
    duties.assign(0.0, assigned(4))
    if state is State.OWNING:
        duties.granted(0.0, ONE, 4)
    assert duties[ONE].state is state

    assert duties.refused(1.0, ONE, 4) == [Release(ONE)]
    assert duties.ended(1.1, ONE) == []
    assert duties.assign(1.2, assigned(4)) == []
    assert duties.assign(1.3, assigned(5)) == [Watch(ONE, "spec"), Claim(ONE, 5)]


def test_refusal_of_an_older_claim_is_ignored() -> None:
    duties = owner(4)
    duties.assign(0.5, assigned(6))

    assert duties.refused(1.0, ONE, 5) == []
    assert duties[ONE].state is State.CLAIMING


def test_newer_epoch_is_claimed_without_reopening() -> None:
    duties = owner(4)

    assert duties.assign(1.0, assigned(5)) == [Claim(ONE, 5)]
    assert duties.note(1.1, ONE, an_event("opened", an_incident())) == 4
    assert duties.granted(1.2, ONE, 4) == []
    assert [type(action) for action in duties.granted(1.3, ONE, 5)] == [Own]
    assert duties.held() == {ONE: 5}


def test_changed_spec_is_passed_on() -> None:
    assert owner().assign(1.0, assigned(spec="other")) == [Watch(ONE, "other")]
    assert owner().assign(1.0, assigned()) == []


def test_dead_engine_is_replaced_and_its_incidents_go_on() -> None:
    duties = owner()
    closed = an_incident("video-freeze", stream=ONE, recovery_s=9.0)
    opened = an_event("opened", an_incident("video-black", stream=ONE))
    duties.note(10.0, ONE, an_event("closed", closed))
    duties.note(20.0, ONE, opened)

    actions = duties.lost(30.0, ONE)

    left_open = (OpenIncident(opened.incident, 1),)
    assert actions == [Watch(ONE, "spec", RESTART_S), Own(ONE, 1, left_open, (closed,))]
    again = duties.lost(10.0 + REMEMBERED_S, ONE)
    assert again == [Watch(ONE, "spec", RESTART_S), Own(ONE, 1, left_open, ())]


def test_dead_engine_begins_the_overlap_anew() -> None:
    duties = Duties()
    duties.assign(0.0, assigned(2, overlap_s=5.0))
    duties.watched(1.0, ONE)

    assert duties.lost(4.0, ONE) == [Watch(ONE, "spec")]
    assert duties.pass_time(7.0) == []
    duties.watched(8.0, ONE)
    assert duties.pass_time(13.0) == [Claim(ONE, 2)]


def test_stream_that_comes_back_while_it_is_ended_is_begun_when_it_has() -> None:
    duties = owner(4)
    duties.assign(1.0, {})

    assert duties.assign(1.1, assigned(6)) == []
    assert duties.ended(1.2, ONE) == [Watch(ONE, "spec"), Claim(ONE, 6)]


def test_draining_worker_that_may_wait_no_longer_releases_everything() -> None:
    assert owner().give_up(9.0) == [Release(ONE)]
