"""Terms, assignments, heartbeats and claims on a real Redis."""

from __future__ import annotations

import pytest

from streammonitor_api.errors import FencedError, LostError, VersionError
from streammonitor_api.fleet.records import Assign, Keep, StreamRow, StreamTable, Withdraw
from streammonitor_api.names import Epoch, Incarnation, StreamKey, WorkerId
from tests.support.fleet_contract import STREAM, Fleet, a_heartbeat, a_spec, a_told, take_ownership

OTHER = StreamKey("prod/sports/ch5")


def test_newer_operator_fences_older(fleet: Fleet) -> None:
    old = fleet.operator.start_term("home", "a")
    new = fleet.operator.start_term("home", "b")

    with pytest.raises(FencedError, match="b, has taken over with term 2"):
        fleet.operator.put_specs(old, [a_spec()])

    fleet.operator.put_specs(new, [a_spec()])
    assert fleet.operator.read_specs() == {STREAM: a_spec()}


def test_operator_of_another_home_is_refused_while_first_lives(fleet: Fleet) -> None:
    fleet.operator.start_term("cluster-1/video", "a")

    with pytest.raises(FencedError, match="belongs to cluster-1/video"):
        fleet.operator.start_term("cluster-2/video", "b")


def test_operator_notices_that_redis_lost_its_data(fleet: Fleet) -> None:
    term = fleet.operator.start_term("home", "a")
    fleet.scripts.client.delete(fleet.operator.keys.term)

    with pytest.raises(LostError):
        fleet.operator.put_specs(term, [a_spec()])

    assert fleet.operator.start_term("home", "a", above=term) == term + 1


def test_older_operator_refuses_fleet_of_newer_contract(fleet: Fleet) -> None:
    fleet.scripts.client.set(fleet.operator.keys.version, 99)

    with pytest.raises(VersionError, match="upgrade operator"):
        fleet.operator.start_term("home", "a")


def test_each_assignment_gets_a_higher_epoch(fleet: Fleet) -> None:
    term = fleet.operator.start_term("home", "a")

    first = fleet.operator.assign(term, WorkerId("w1"), [Assign(STREAM, "r")])
    second = fleet.operator.assign(term, WorkerId("w2"), [Assign(STREAM, "r", overlap_s=30)])

    assert (first.epochs[STREAM], second.epochs[STREAM]) == (1, 2)
    assert fleet.worker("w2").read_assignments().by_stream[STREAM].overlap_s == 30


def test_epochs_go_on_above_what_the_operator_knows(fleet: Fleet) -> None:
    term = fleet.operator.start_term("home", "a")

    written = fleet.operator.assign(term, WorkerId("w1"), [Assign(STREAM, "r", epoch_above=7)])

    assert written.epochs[STREAM] == 8


def test_revision_changes_with_the_assignments_only(fleet: Fleet) -> None:
    term = fleet.operator.start_term("home", "a")
    first = fleet.operator.assign(term, WorkerId("w1"), [Assign(STREAM, "r")])

    same = fleet.operator.assign(term, WorkerId("w1"), [Keep(STREAM, "r", Epoch(1))])
    other = fleet.operator.assign(term, WorkerId("w1"), [Keep(STREAM, "s", Epoch(1))])

    assert same.revision == first.revision
    assert other.revision > first.revision


def test_withdrawn_assignment_can_no_longer_be_claimed(fleet: Fleet) -> None:
    term = fleet.operator.start_term("home", "a")
    worker = fleet.worker("w1")
    written = fleet.operator.assign(term, worker.worker, [Assign(STREAM, "r")])

    fleet.operator.assign(term, worker.worker, [Withdraw(STREAM, unless_claimed=True)])

    with pytest.raises(FencedError, match="not assigned to w1 any more"):
        worker.claim(STREAM, written.epochs[STREAM])


def test_claim_that_redis_forgot_by_going_back_in_time_is_granted_again(fleet: Fleet) -> None:
    term = fleet.operator.start_term("home", "a")
    old, new = fleet.worker("w1"), fleet.worker("w2")
    fleet.operator.assign(term, new.worker, [Assign(OTHER, "r")])
    first = take_ownership(fleet, term, old)
    kept = {key: fleet.scripts.client.dump(key) for key in fleet.scripts.client.scan_iter()}
    second = take_ownership(fleet, term, new)

    for key, value in kept.items():
        fleet.scripts.client.restore(key, 0, value, replace=True)  # type: ignore[arg-type]
    new.claim(STREAM, second, again=True)

    with pytest.raises(FencedError, match="event refused"):
        old.publish(a_told(epoch=first))


def test_claim_of_an_assignment_that_redis_lost_waits_for_the_operator(fleet: Fleet) -> None:
    term = fleet.operator.start_term("home", "a")
    old, new = fleet.worker("w1"), fleet.worker("w2")
    fleet.operator.assign(term, new.worker, [Assign(OTHER, "r")])
    first = take_ownership(fleet, term, old)
    kept = {key: fleet.scripts.client.dump(key) for key in fleet.scripts.client.scan_iter()}
    written = fleet.operator.assign(term, new.worker, [Assign(STREAM, "r", overlap_s=5.0)])
    second = written.epochs[STREAM]

    for key, value in kept.items():
        fleet.scripts.client.restore(key, 0, value, replace=True)  # type: ignore[arg-type]
    with pytest.raises(LostError, match="waiting for the operator"):
        new.claim(STREAM, second)
    assert old.publish(a_told(epoch=first)).outcome == "recorded"

    fleet.operator.assign(term, new.worker, [Keep(STREAM, "r", second, 5.0)])
    assert [one.id for one in new.claim(STREAM, second).open_incidents] == ["a1"]


def test_move_that_succeeded_is_not_called_off(fleet: Fleet) -> None:
    term = fleet.operator.start_term("home", "a")
    worker = fleet.worker("w1")
    epoch = take_ownership(fleet, term, worker)

    written = fleet.operator.assign(term, worker.worker, [Withdraw(STREAM, unless_claimed=True)])

    assert written.claimed == {STREAM}
    assert worker.read_assignments().by_stream[STREAM].epoch == epoch


def test_higher_epoch_replaces_claim(fleet: Fleet) -> None:
    term = fleet.operator.start_term("home", "a")
    old, new = fleet.worker("w1"), fleet.worker("w2")
    first = take_ownership(fleet, term, old)
    take_ownership(fleet, term, new)

    with pytest.raises(FencedError, match="epoch 1 is older than 2 held by w2; stopping"):
        old.claim(STREAM, first)
    with pytest.raises(FencedError, match="event refused"):
        old.publish(a_told(epoch=first))


def test_claim_repeated_changes_nothing(fleet: Fleet) -> None:
    worker = fleet.worker("w1")
    epoch = take_ownership(fleet, fleet.operator.start_term("home", "a"), worker)

    assert worker.claim(STREAM, epoch) == worker.claim(STREAM, epoch)


def test_epoch_stays_after_release(fleet: Fleet) -> None:
    term = fleet.operator.start_term("home", "a")
    worker = fleet.worker("w1")
    epoch = take_ownership(fleet, term, worker)

    assert worker.release(STREAM, epoch)

    claim = worker.read_claim(STREAM)
    assert claim is not None
    assert (claim.epoch, claim.worker) == (epoch, None)
    assert take_ownership(fleet, term, fleet.worker("w2")) == epoch + 1


def test_next_start_of_a_worker_takes_over_its_claim(fleet: Fleet) -> None:
    term = fleet.operator.start_term("home", "a")
    before = fleet.worker("w1")
    before.beat(a_heartbeat(before), None, serial=0)
    epoch = take_ownership(fleet, term, before)
    after = fleet.worker("w1")
    after.beat(a_heartbeat(after), None, serial=0)

    after.claim(STREAM, epoch)

    with pytest.raises(FencedError):
        before.publish(a_told(epoch=epoch))
    with pytest.raises(FencedError):
        before.claim(STREAM, epoch)


def test_earlier_start_of_a_worker_is_told_to_stop(fleet: Fleet) -> None:
    before, after = fleet.worker("w1"), fleet.worker("w1")
    before.beat(a_heartbeat(before), None, serial=0)
    after.beat(a_heartbeat(after), None, serial=0)

    with pytest.raises(FencedError, match="a later start of it"):
        before.beat(a_heartbeat(before), None, serial=1)
    after.beat(a_heartbeat(after), None, serial=1)


def test_beat_tells_what_a_worker_has_to_know(fleet: Fleet) -> None:
    term = fleet.operator.start_term("home", "a")
    worker = fleet.worker("w1")
    first = worker.beat(a_heartbeat(worker), None, serial=0)
    written = fleet.operator.assign(term, worker.worker, [Assign(STREAM, "r")])

    second = worker.beat(a_heartbeat(worker), None, serial=1)

    assert (first.revision, first.term, first.lost) == (0, term, False)
    assert (second.revision, second.lost) == (written.revision, False)
    assert worker.read_assignments().revision == written.revision


def test_worker_notices_that_redis_lost_its_beats(fleet: Fleet) -> None:
    worker = fleet.worker("w1")
    for serial in range(3):
        assert not worker.beat(a_heartbeat(worker), None, serial=serial).lost
    assert not worker.beat(a_heartbeat(worker), None, serial=2).lost  # sent again
    fleet.scripts.client.delete(worker.keys.beats)

    assert worker.beat(a_heartbeat(worker), None, serial=3).lost
    assert not worker.beat(a_heartbeat(worker), None, serial=4).lost


def test_worker_notices_that_redis_went_back(fleet: Fleet) -> None:
    worker = fleet.worker("w1")
    worker.beat(a_heartbeat(worker), None, serial=0)
    earlier = fleet.scripts.client.hget(worker.keys.beats, "w1")
    worker.beat(a_heartbeat(worker), None, serial=1)
    fleet.scripts.client.hset(worker.keys.beats, "w1", earlier)

    assert worker.beat(a_heartbeat(worker), None, serial=2).lost


def test_claim_is_granted_again_after_loss_of_all_data(fleet: Fleet) -> None:
    worker = fleet.worker("w1")
    epoch = take_ownership(fleet, fleet.operator.start_term("home", "a"), worker)
    for key in fleet.scripts.client.scan_iter(f"{worker.keys.prefix}*"):
        fleet.scripts.client.delete(key)

    with pytest.raises(LostError):
        worker.publish(a_told(epoch=epoch))
    with pytest.raises(LostError):
        worker.claim(STREAM, epoch, again=True)
    fleet.operator.start_term("home", "a")
    with pytest.raises(LostError):
        worker.claim(STREAM, epoch)
    worker.claim(STREAM, epoch, again=True)

    assert worker.publish(a_told(epoch=epoch)).outcome == "recorded"
    assert fleet.operator.read_epochs() == {STREAM: epoch}


def test_worker_of_another_contract_is_refused(fleet: Fleet) -> None:
    fleet.scripts.client.set(fleet.operator.keys.version, 2)
    worker = fleet.worker("w1")

    with pytest.raises(VersionError, match="upgrade worker w1 to the release of the operator"):
        worker.beat(a_heartbeat(worker), None, serial=0)


def test_only_changed_tables_are_read(fleet: Fleet) -> None:
    worker = fleet.worker("w1")
    table = StreamTable(4, (StreamRow(stream=STREAM, epoch=Epoch(1), state="watching"),))
    worker.beat(a_heartbeat(worker, table_serial=4), table, serial=0)

    seen = fleet.operator.read_fleet({})
    again = fleet.operator.read_fleet({worker.worker: 4})

    assert seen.tables == {worker.worker: table}
    assert again.tables == {}
    assert not again.workers[worker.worker].is_dead(again.redis_ms)


def test_records_of_another_version_hide_no_others(fleet: Fleet) -> None:
    """Unreadable heartbeats and tables are told of; unreadable specs are written anew."""
    term = fleet.operator.start_term("home", "a")
    good, bad, worse = (fleet.worker(name) for name in ("good", "bad", "worse"))
    table = StreamTable(1, (StreamRow(stream=STREAM, epoch=Epoch(1), state="watching"),))
    for worker in (good, bad, worse):
        worker.beat(a_heartbeat(worker, table_serial=1), table, serial=0)
    fleet.operator.put_specs(term, [a_spec(), a_spec(OTHER)])
    client, keys = fleet.scripts.client, fleet.operator.keys
    client.hset(keys.tables, "bad", "{}")
    client.hset(keys.beats, "worse", '1 2 3 {"worker": 1}')
    client.hset(keys.specs, OTHER, "{}")

    seen = fleet.operator.read_fleet({})

    assert set(seen.tables) == {"good"}
    assert set(seen.broken) == {"bad", "worse"}
    assert "run operator and workers of the same release" in seen.broken[bad.worker]
    assert set(fleet.operator.read_specs()) == {STREAM}


def test_worker_that_said_goodbye_is_gone(fleet: Fleet) -> None:
    worker = fleet.worker("w1")
    worker.beat(a_heartbeat(worker), None, serial=0)

    fleet.worker("w1").say_goodbye()  # another start of it: not its own heartbeat
    assert fleet.operator.read_fleet({}).workers

    worker.say_goodbye()
    assert not fleet.operator.read_fleet({}).workers


def test_living_worker_is_not_forgotten(fleet: Fleet) -> None:
    term = fleet.operator.start_term("home", "a")
    worker = fleet.worker("w1")
    worker.beat(a_heartbeat(worker), None, serial=0)
    fleet.operator.assign(term, WorkerId("w2"), [Assign(STREAM, "r")])

    gone = fleet.operator.forget_workers(term, [worker.worker, WorkerId("w2")])

    assert gone == {"w2"}
    assert fleet.operator.read_assignments() == {}


def test_forgotten_stream_keeps_its_epoch(fleet: Fleet) -> None:
    term = fleet.operator.start_term("home", "a")
    fleet.operator.put_specs(term, [a_spec(), a_spec(OTHER)])
    worker = fleet.worker("w1")
    epoch = take_ownership(fleet, term, worker)
    worker.publish(a_told(epoch=epoch))

    fleet.operator.forget_streams(term, {STREAM: [a_told("closed", 2)]})

    assert set(fleet.operator.read_specs()) == {OTHER}
    assert fleet.operator.read_claims() == {}
    assert fleet.operator.read_open_incidents() == []
    assert [one.told.event.kind for one in fleet.reader.read_events()] == ["opened", "closed"]
    with pytest.raises(FencedError):
        worker.claim(STREAM, epoch)
    fleet.operator.put_specs(term, [a_spec()])
    assert take_ownership(fleet, term, fleet.worker("w2")) == epoch + 1


def test_start_whose_clock_stepped_back_is_not_superseded_by_the_one_before(fleet: Fleet) -> None:
    """A beat of the start that died arrives late."""
    before = fleet.worker("w1", Incarnation("00000000000000ff"))
    after = fleet.worker("w1", Incarnation("0000000000000011"))
    before.beat(a_heartbeat(before), None, serial=0)
    after.beat(a_heartbeat(after), None, serial=0)

    for serial in (0, 1):
        with pytest.raises(FencedError, match="a later start of it"):
            before.beat(a_heartbeat(before), None, serial=serial)

    assert not after.beat(a_heartbeat(after), None, serial=1).lost
    assert fleet.reader.read_fleet().workers[after.worker].beat.incarnation == after.incarnation
