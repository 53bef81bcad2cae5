"""What the operator writes back to a Redis that lost its data or came back older."""

from __future__ import annotations

import pytest

from streammonitor_api.errors import FencedError, LostError
from streammonitor_api.fleet.records import Assign, Withdraw
from streammonitor_api.names import Epoch, StreamKey
from tests.support.fleet_contract import (
    STREAM,
    Fleet,
    a_heartbeat,
    a_told,
    seconds_since_noon,
    take_ownership,
)


def lose_data(fleet: Fleet) -> None:
    for key in fleet.scripts.client.scan_iter(f"{fleet.operator.keys.prefix}*"):
        fleet.scripts.client.delete(key)


def test_open_incident_of_a_dead_owner_is_adopted_after_a_loss(fleet: Fleet) -> None:
    term = fleet.operator.start_term("home", "a")
    dead = fleet.worker("w1")
    epoch = take_ownership(fleet, term, dead)
    dead.publish(a_told(epoch=epoch))
    dead.publish(a_told("updated", 2, epoch=epoch))
    known = fleet.operator.read_open_incidents()
    lose_data(fleet)

    term = fleet.operator.start_term("home", "a", above=term, restoring=True)
    assert fleet.operator.restore_incidents(term, known, []) == 1
    fleet.operator.hold_term(term)
    written = fleet.operator.assign(
        term, fleet.worker("w2").worker, [Assign(STREAM, "r", 0, epoch)]
    )
    heir = fleet.worker("w2")
    claimed = heir.claim(STREAM, written.epochs[STREAM])

    assert [(one.id, one.revision) for one in claimed.open_incidents] == [("a1", 2)]
    end = a_told("closed", 3, epoch=written.epochs[STREAM], recovery_s=9)
    assert heir.publish(end).outcome == "recorded"
    assert fleet.operator.read_open_incidents() == []
    assert [one.told.event.kind for one in fleet.reader.read_events()] == ["updated", "closed"]


def test_what_is_written_back_is_known_when_workers_tell_it_again(fleet: Fleet) -> None:
    term = fleet.operator.start_term("home", "a")
    worker = fleet.worker("w1")
    epoch = take_ownership(fleet, term, worker)
    told = [a_told(epoch=epoch), a_told("closed", 2, epoch=epoch, recovery_s=9)]
    for one in told:
        worker.publish(one)
    lose_data(fleet)

    term = fleet.operator.start_term("home", "a", above=term, restoring=True)
    fleet.operator.restore_incidents(term, [], [told[1]])
    fleet.operator.hold_term(term)
    worker.claim(STREAM, epoch, again=True)

    assert [worker.publish(one).outcome for one in told] == ["seen", "seen"]
    assert [one.told.event.kind for one in fleet.reader.read_events()] == ["closed"]


def test_nothing_is_taken_from_workers_before_all_is_written_back(fleet: Fleet) -> None:
    term = fleet.operator.start_term("home", "a")
    worker = fleet.worker("w1")
    epoch = take_ownership(fleet, term, worker)
    lose_data(fleet)

    def is_refused() -> bool:
        refusals = 0
        for call in (
            lambda: worker.claim(STREAM, epoch, again=True),
            lambda: worker.publish(a_told(epoch=epoch)),
            lambda: worker.merge(a_told(epoch=epoch)),
        ):
            try:
                call()
            except LostError:
                refusals += 1
        return refusals == 3

    assert is_refused()
    term = fleet.operator.start_term("home", "a", above=term, restoring=True)
    assert is_refused()
    fleet.operator.hold_term(term)
    worker.claim(STREAM, epoch, again=True)
    assert worker.publish(a_told(epoch=epoch)).outcome == "recorded"


def test_incident_that_redis_reopened_by_going_back_in_time_is_closed_again(fleet: Fleet) -> None:
    term = fleet.operator.start_term("home", "a")
    worker = fleet.worker("w1")
    epoch = take_ownership(fleet, term, worker)
    worker.publish(a_told(epoch=epoch))
    kept = {key: fleet.scripts.client.dump(key) for key in fleet.scripts.client.scan_iter()}
    end = a_told("closed", 2, epoch=epoch, recovery_s=9)
    worker.publish(end)
    for key, value in kept.items():
        fleet.scripts.client.restore(key, 0, value, replace=True)  # type: ignore[arg-type]
    assert fleet.operator.read_open_incidents()

    assert fleet.operator.restore_incidents(term, [], [end]) == 1
    assert fleet.operator.restore_incidents(term, [], [end]) == 0

    assert fleet.operator.read_open_incidents() == []


def test_operator_sees_that_redis_came_back_older(fleet: Fleet) -> None:
    term = fleet.operator.start_term("home", "a")
    worker = fleet.worker("w1")
    epoch = take_ownership(fleet, term, worker)
    kept = {key: fleet.scripts.client.dump(key) for key in fleet.scripts.client.scan_iter()}
    before = fleet.operator.read_fleet({}).written
    worker.publish(a_told(epoch=epoch))
    told = fleet.operator.read_fleet({}).written
    fleet.operator.hold_term(term)
    held = fleet.operator.read_fleet({}).written

    for key, value in kept.items():
        fleet.scripts.client.restore(key, 0, value, replace=True)  # type: ignore[arg-type]
    fleet.scripts.client.delete(fleet.operator.keys.events)
    after = fleet.operator.read_fleet({}).written

    assert before.is_before(told)
    assert told.is_before(held)
    assert not held.is_before(held)
    assert after.is_before(told)
    assert after.is_before(held)


def test_epoch_of_a_stream_that_nobody_wants_is_written_back(fleet: Fleet) -> None:
    term = fleet.operator.start_term("home", "a")
    sleeper, stream = fleet.worker("w1"), StreamKey(STREAM)

    fleet.operator.restore_epochs(term, {stream: Epoch(7)}, {})
    fleet.operator.restore_epochs(term, {stream: Epoch(3)}, {})

    with pytest.raises(FencedError):
        sleeper.claim(stream, Epoch(7), again=True)
    assert fleet.operator.read_epochs() == {stream: 7}


def test_worker_that_was_replaced_stays_fenced_while_assignments_are_not_written_yet(
    fleet: Fleet,
) -> None:
    """Its claim is older than one that the operator knows of, whose owner is away just now."""
    term = fleet.operator.start_term("home", "a")
    replaced, owner, stream = fleet.worker("w1"), fleet.worker("w2"), StreamKey(STREAM)

    fleet.operator.restore_epochs(term, {}, {stream: Epoch(2)})

    with pytest.raises(LostError):
        replaced.claim(stream, Epoch(2), again=True)
    owner.claim(stream, Epoch(3), again=True)
    assert fleet.operator.read_claims()[stream].epoch == 3


def test_incident_that_was_over_is_not_taken_for_what_is_open_now(fleet: Fleet) -> None:
    """The operator wrote back what is open, and then the worker tells all again."""
    term = fleet.operator.start_term("home", "a")
    worker = fleet.worker("w1")
    epoch = take_ownership(fleet, term, worker)
    worker.publish(a_told(epoch=epoch, incident="now", onset_s=100))
    over_ms = a_told(onset_s=9).event.incident.onset.wall_ms

    opened = worker.publish(a_told(epoch=epoch, incident="then", onset_s=5), over_ms=over_ms)
    heir = fleet.worker("w2")
    second = take_ownership(fleet, term, heir)
    adopted = [one.id for one in heir.claim(STREAM, second).open_incidents]
    end = a_told("closed", 2, epoch=epoch, incident="then", onset_s=5, recovery_s=9)
    closed = worker.merge(end)

    assert [opened.outcome, closed.outcome] == ["recorded", "recorded"]
    assert adopted == ["now"]
    assert [one.id for one in fleet.operator.read_open_incidents()] == ["now"]


def test_open_incident_is_not_taken_for_one_that_redis_reopened(fleet: Fleet) -> None:
    """Redis came back from before the one was closed and the other opened."""
    term = fleet.operator.start_term("home", "a")
    worker = fleet.worker("w1")
    epoch = take_ownership(fleet, term, worker)
    worker.publish(a_told(epoch=epoch, incident="then"))
    kept = {key: fleet.scripts.client.dump(key) for key in fleet.scripts.client.scan_iter()}
    end = a_told("closed", 2, epoch=epoch, incident="then", recovery_s=9)
    worker.publish(end)
    worker.publish(a_told(epoch=epoch, incident="now", onset_s=20))
    still_open = fleet.operator.read_open_incidents()
    for key, value in kept.items():
        fleet.scripts.client.restore(key, 0, value, replace=True)  # type: ignore[arg-type]
    for key in (fleet.operator.keys.incidents_of(STREAM), fleet.operator.keys.open):
        assert fleet.scripts.client.hlen(key) == 1

    fleet.operator.restore_incidents(term, still_open, [end])

    assert [one.id for one in fleet.operator.read_open_incidents()] == ["now"]
    last = a_told("closed", 2, epoch=epoch, incident="now", onset_s=20, recovery_s=30)
    assert worker.publish(last).outcome == "recorded"
    assert fleet.operator.read_open_incidents() == []


def test_claim_that_redis_lost_counts_from_when_it_was_made(fleet: Fleet) -> None:
    """What the owner before it noticed meanwhile is not taken for older than the claim."""
    term = fleet.operator.start_term("home", "a")
    before, owner = fleet.worker("w1"), fleet.worker("w2")
    old = take_ownership(fleet, term, before)
    kept = {key: fleet.scripts.client.dump(key) for key in fleet.scripts.client.scan_iter()}
    epoch = take_ownership(fleet, term, owner)
    claimed_ms = owner.claim(STREAM, epoch).claim.claimed_ms
    for key, value in kept.items():
        fleet.scripts.client.restore(key, 0, value, replace=True)  # type: ignore[arg-type]
    onset_s = seconds_since_noon()

    again = owner.claim(STREAM, epoch, again=True, since_ms=claimed_ms)
    answer = before.merge(a_told(epoch=old, onset_s=onset_s))

    assert again.claim.claimed_ms == claimed_ms
    assert (answer.outcome, answer.into) == ("merged", None)


def test_claim_at_an_epoch_that_is_over_is_taken_back(fleet: Fleet) -> None:
    """Redis came back from before the stream was given to another, and still names its owner."""
    term = fleet.operator.start_term("home", "a")
    before = fleet.worker("w1")
    old = take_ownership(fleet, term, before)

    fleet.operator.restore_epochs(term, {}, {STREAM: old})

    with pytest.raises(LostError):
        before.publish(a_told(epoch=old))
    fleet.operator.assign(term, before.worker, [Withdraw(STREAM)])
    with pytest.raises(FencedError):
        before.claim(STREAM, old, again=True)


def test_assignments_of_a_redis_that_was_away_are_not_followed_before_the_operator(
    fleet: Fleet,
) -> None:
    term = fleet.operator.start_term("home", "a")
    worker = fleet.worker("w1")
    take_ownership(fleet, term, worker)
    told = worker.beat(a_heartbeat(worker), None, serial=0).revision
    key = fleet.operator.keys.term
    away_ms = fleet.operator.hold_term(term) - 10_000
    fleet.scripts.client.hset(key, mapping={"seen_ms": away_ms, "beat_ms": away_ms})

    first = worker.beat(a_heartbeat(worker), None, serial=1)
    fleet.operator.hold_term(term)
    second = worker.beat(a_heartbeat(worker), None, serial=2)

    assert told
    assert (first.revision, second.revision) == (0, told)
