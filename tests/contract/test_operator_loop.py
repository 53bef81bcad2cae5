"""The operator's loop against a real Redis and workers that keep the contract."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from unittest.mock import patch

import pytest

from streammonitor_api.errors import FencedError, UnavailableError
from streammonitor_api.names import StreamKey
from streammonitor_operator.inventory import Inventory, MonitorKey
from streammonitor_operator.reconcile import Mode
from tests.support.fleet_rig import FleetRig, a_monitor
from tests.support.redis_server import RedisServer

SPORTS = MonitorKey("prod/sports")
CH0 = StreamKey("prod/sports/ch0")


@pytest.fixture
def rig(redis_server: RedisServer) -> Iterator[FleetRig]:
    rig = FleetRig(redis_server)
    yield rig
    rig.scripts.client.close()


def test_streams_are_spread_and_watched(rig: FleetRig) -> None:
    rig.start("a", "b")
    rig.apply(a_monitor(streams=6))

    took_s = rig.until(rig.all_watched)

    assert took_s <= 4
    assert sorted(len(worker.has) for worker in rig.workers.values()) == [3, 3]
    assert all(len(rig.watchers(one)) == 1 for one in rig.inventory.streams)


def test_streams_wait_for_the_first_worker(rig: FleetRig) -> None:
    rig.apply(a_monitor(streams=4))
    rig.run(5)
    assert set(rig.owners().values()) == {None}

    rig.start("a")

    assert rig.until(rig.all_watched) <= 2


def test_dead_worker_is_replaced_and_survivors_keep_theirs(rig: FleetRig) -> None:
    a, b, c = rig.start("a", "b", "c")
    rig.apply(a_monitor(streams=9))
    rig.until(rig.all_watched)
    before = rig.owners()

    rig.run(1)
    a.kill()
    took_s = rig.until(rig.all_watched)

    assert took_s <= 4.5
    after = rig.owners()
    assert all(after[one] == owner for one, owner in before.items() if owner != "a")
    assert (b.opens, c.opens) in {(4, 5), (5, 4)}


def test_new_worker_takes_over_without_a_gap(rig: FleetRig) -> None:
    rig.start("a")
    rig.apply(a_monitor(streams=8))
    rig.until(rig.all_watched)
    rig.run(10)

    rig.start("b")
    for _ in range(100):
        rig.run(0.25)
        assert rig.all_watched()
        assert all(len(rig.watchers(one)) == 1 for one in rig.inventory.streams)

    assert {len(worker.has) for worker in rig.workers.values()} == {4}
    assert [gap.reason for gap in rig.reader.read_gaps()] == ["starting"] * 8


def test_draining_worker_is_emptied_without_a_gap(rig: FleetRig) -> None:
    a, b = rig.start("a", "b")
    rig.apply(a_monitor(streams=8))
    rig.until(rig.all_watched)

    a.draining = True
    while a.has:
        rig.run(0.25)
        assert rig.all_watched()

    assert len(b.has) == 8
    assert len(rig.reader.read_gaps()) == 8


def test_move_to_a_worker_that_dies_is_called_off(rig: FleetRig) -> None:
    rig.start("a")
    rig.apply(a_monitor(streams=4, overlap_s=10))
    rig.until(rig.all_watched)

    (b,) = rig.start("b")
    rig.until(lambda: len(b.has) == 2)
    b.kill()
    for _ in range(40):
        rig.run(0.25)
        assert rig.all_watched()

    assert set(rig.owners().values()) == {"a"}
    assert rig.operator.state.ledger.tally.moves_called_off == 2


def test_move_to_a_worker_that_cannot_decode_is_called_off(rig: FleetRig) -> None:
    rig.start("a")
    rig.apply(a_monitor(streams=4, overlap_s=1))
    rig.until(rig.all_watched)

    (b,) = rig.start("b")
    b.broken = lambda _: "reconnecting"
    rig.until(lambda: bool(b.has))
    rig.until(lambda: not b.has)

    assert rig.all_watched()
    assert set(rig.owners().values()) == {"a"}


def test_target_goes_on_when_the_owner_dies(rig: FleetRig) -> None:
    (a,) = rig.start("a")
    rig.apply(a_monitor(streams=4, overlap_s=20))
    rig.until(rig.all_watched)
    (b,) = rig.start("b")
    rig.until(lambda: len(b.has) == 2)
    rig.run(1)

    a.kill()
    rig.until(rig.all_watched)

    assert b.opens == 4
    assert set(rig.owners().values()) == {"b"}


def test_streams_of_both_dead_workers_are_placed(rig: FleetRig) -> None:
    (a,) = rig.start("a")
    rig.apply(a_monitor(streams=4, overlap_s=20))
    rig.until(rig.all_watched)
    (b,) = rig.start("b")
    rig.until(lambda: len(b.has) == 2)

    a.kill()
    b.kill()
    rig.run(5)
    rig.start("c")

    rig.until(rig.all_watched)
    assert set(rig.owners().values()) == {"c"}


def test_paused_worker_comes_back_without_its_streams(rig: FleetRig) -> None:
    a, b = rig.start("a", "b")
    rig.apply(a_monitor(streams=4))
    rig.until(rig.all_watched)

    a.paused = True
    rig.until(lambda: len(b.watched) == 4)
    a.paused = False
    rig.run(2)

    assert all(
        rig.watchers(one) == ["b"] or len(rig.watchers(one)) == 1 for one in rig.inventory.streams
    )
    assert all(rig.workers[owner].watched for owner in set(rig.owners().values()) if owner)
    rig.run(30)
    assert all(len(rig.watchers(one)) == 1 for one in rig.inventory.streams)


def test_paused_fleet_goes_on_where_it_was(rig: FleetRig) -> None:
    a, b = rig.start("a", "b")
    rig.apply(a_monitor(streams=4))
    rig.until(rig.all_watched)
    before = rig.owners()

    a.paused = b.paused = True
    rig.run(10)
    a.paused = b.paused = False
    rig.run(2)

    assert rig.owners() == before
    assert a.opens + b.opens == 4
    assert rig.all_watched()


def test_restarted_worker_gets_its_streams_back(rig: FleetRig) -> None:
    a, b = rig.start("a", "b")
    rig.apply(a_monitor(streams=8))
    rig.until(rig.all_watched)
    before = rig.owners()

    a.restart()
    rig.until(rig.all_watched)

    assert rig.owners() == before
    assert b.opens == 4


def test_lost_pod_is_replaced_before_its_heartbeat_times_out(rig: FleetRig) -> None:
    a, b = rig.start("a", "b")
    rig.apply(a_monitor(streams=4))
    rig.until(rig.all_watched)

    a.kill()
    rig.inventory.lose_worker(a.store.worker, a.store.incarnation)

    assert rig.until(lambda: len(b.watched) == 4) <= 1.5


def test_operator_restart_moves_nothing_and_writes_no_status(rig: FleetRig) -> None:
    rig.start("a", "b", "c")
    rig.apply(a_monitor(streams=9))
    rig.until(rig.all_watched)
    rig.run(20)
    before, opens = rig.owners(), [one.opens for one in rig.workers.values()]
    status = rig.updates[-1].status

    inventory = Inventory()
    rig.updates.clear()
    rig.restart_operator(inventory)
    rig.run(5)
    again = a_monitor(streams=9)
    rig.apply(replace(again, last_status=status))
    rig.run(20)

    assert rig.owners() == before
    assert [one.opens for one in rig.workers.values()] == opens
    assert rig.updates == []


def test_operator_restart_forgets_what_is_not_wanted_any_more(rig: FleetRig) -> None:
    (a,) = rig.start("a")
    rig.apply(a_monitor("sports", 2), a_monitor("news", 2))
    rig.until(rig.all_watched)

    rig.restart_operator(Inventory())
    rig.apply(a_monitor("news", 2))
    rig.run(5)

    assert set(a.has) == {"prod/news/ch0", "prod/news/ch1"}
    assert set(rig.store.read_specs()) == {"prod/news/ch0", "prod/news/ch1"}


def test_second_operator_stops_the_first(rig: FleetRig) -> None:
    rig.start("a")
    rig.apply(a_monitor())
    rig.until(rig.all_watched)
    first = rig.operator

    rig.operator = rig.new_operator("operator-1")
    rig.run(2)

    rig.inventory.put_monitor(a_monitor(streams=5))
    with pytest.raises(FencedError, match="operator-1"):
        first.step(rig.now)


def test_flushed_redis_is_rebuilt_and_nothing_moves(rig: FleetRig) -> None:
    a, b = rig.start("a", "b")
    rig.apply(a_monitor(streams=6))
    rig.until(rig.all_watched)
    rig.run(5)
    before, epochs = rig.owners(), dict(a.claims) | dict(b.claims)

    rig.flush()
    rig.run(10)

    assert rig.owners() == before
    assert rig.all_watched()
    assert a.opens + b.opens == 6
    assert rig.operator.mode is Mode.RUNNING
    assert set(rig.store.read_specs()) == set(rig.inventory.streams)
    claims = rig.store.read_claims()
    assert {one: claims[one].epoch for one in rig.inventory.streams} == epochs
    assert rig.store.read_epochs() == epochs


def test_operator_that_starts_on_a_flushed_redis_moves_nothing(rig: FleetRig) -> None:
    a, b = rig.start("a", "b")
    rig.apply(a_monitor(streams=6))
    rig.until(rig.all_watched)
    before = rig.owners()

    rig.flush()
    rig.restart_operator()
    rig.inventory = Inventory()
    rig.restart_operator(rig.inventory)
    rig.apply(a_monitor(streams=6))
    rig.run(10)

    assert rig.owners() == before
    assert rig.all_watched()
    assert a.opens + b.opens == 6


def test_removed_monitor_is_forgotten(rig: FleetRig) -> None:
    (a,) = rig.start("a")
    rig.apply(a_monitor("sports", 2), a_monitor("news", 1))
    rig.until(rig.all_watched)

    rig.inventory.drop_monitor(SPORTS)
    rig.run(3)

    assert set(a.has) == {"prod/news/ch0"}
    assert set(rig.store.read_specs()) == {"prod/news/ch0"}
    assert rig.operator.state.placement.demand_cores == pytest.approx(0.2)


def test_suspended_monitor_stops_and_goes_on(rig: FleetRig) -> None:
    (a,) = rig.start("a")
    rig.apply(a_monitor())
    rig.until(rig.all_watched)

    rig.inventory.put_monitor(a_monitor(suspended=True, generation=2))
    rig.run(3)
    assert not a.has
    assert rig.updates[-1].status["Ready"].verdict.reason == "Suspended"

    rig.inventory.put_monitor(a_monitor(generation=3))
    assert rig.until(rig.all_watched) <= 2


def test_changed_threshold_keeps_the_owner_and_its_epoch(rig: FleetRig) -> None:
    (a,) = rig.start("a")
    rig.apply(a_monitor())
    rig.until(rig.all_watched)
    epochs = dict(a.claims)

    rig.inventory.put_monitor(a_monitor(generation=2, priority=7))
    rig.run(3)

    assert a.claims == epochs
    assert a.opens == 3
    wanted = rig.inventory.streams[CH0]
    assert a.has[CH0].spec_revision == wanted.revision
    assert rig.store.read_specs()[CH0].priority == 7


def test_statuses_are_written_on_transitions_only(rig: FleetRig) -> None:
    (a,) = rig.start("a")
    rig.apply(a_monitor())
    rig.until(rig.all_watched)
    rig.run(30)

    assert [update.status["Ready"].verdict.status for update in rig.updates] == ["True"]

    a.broken = lambda stream: "reconnecting" if stream == CH0 else None
    rig.run(30)
    assert [update.status["Degraded"].verdict.status for update in rig.updates] == [
        "False",
        "True",
    ]
    assert rig.updates[-1].status.watched == 2
    assert rig.updates[-1].transitions[0].reason == "SourceUnavailable"


@pytest.mark.parametrize("way", ["deleted and applied", "replaced"])
def test_monitor_that_is_made_anew_gets_a_status(rig: FleetRig, way: str) -> None:
    rig.start("a")
    rig.apply(a_monitor())
    rig.until(rig.all_watched)
    rig.run(5)
    assert len(rig.updates) == 1

    if way != "replaced":
        rig.inventory.drop_monitor(SPORTS)
    rig.apply(replace(a_monitor(), uid="another"))
    rig.run(10)

    assert len(rig.updates) == 2


def test_gaps_tell_what_a_death_cost(rig: FleetRig) -> None:
    a, _ = rig.start("a", "b")
    rig.apply(a_monitor(streams=2))
    rig.until(rig.all_watched)
    rig.run(20)

    a.kill()
    rig.run(90)

    lost = [gap for gap in rig.reader.read_gaps() if gap.reason == "worker-lost"]
    assert len(lost) == 1
    assert lost[0].to_ms is not None
    assert 3000 <= lost[0].to_ms - lost[0].from_ms <= 5000
    coverage = rig.reader.read_coverage()[lost[0].stream]
    assert coverage.wanted_s - coverage.watched_s == pytest.approx(
        sum(gap.to_ms - gap.from_ms for gap in rig.reader.read_gaps()
            if gap.stream == lost[0].stream and gap.to_ms) / 1000, abs=0.1,
    )  # fmt: skip


def test_stream_without_new_pictures_is_a_gap(rig: FleetRig) -> None:
    (a,) = rig.start("a")
    rig.apply(a_monitor(streams=1))
    rig.until(rig.all_watched)
    rig.run(20)

    a.frozen = True
    rig.run(20)
    assert [gap.reason for gap in rig.reader.read_gaps() if gap.to_ms is None] == ["stalled"]
    a.frozen = False
    rig.run(10)

    (gap,) = [gap for gap in rig.reader.read_gaps() if gap.reason == "stalled"]
    assert gap.to_ms is not None
    assert 15_000 <= gap.to_ms - gap.from_ms <= 26_000


def test_target_that_claims_as_it_starts_again_leaves_no_fenced_owner(rig: FleetRig) -> None:
    (a,) = rig.start("a")
    rig.apply(a_monitor(streams=2, overlap_s=20))
    rig.until(rig.all_watched)
    (b,) = rig.start("b")
    rig.until(lambda: len(b.has) == 1)
    (stream,) = b.has
    b.store.claim(stream, b.has[stream].epoch)

    b.restart()
    rig.run(2)

    assert rig.watchers(stream) == ["a"]
    assert a.opens == 2


@pytest.mark.parametrize(
    ("down_s", "overlap_s"), [(2, 5.0), (30, 0.0)], ids=["just lost", "long away"]
)
def test_drain_waits_for_a_source_that_was_just_lost(
    rig: FleetRig, down_s: float, overlap_s: float
) -> None:
    a, b = rig.start("a", "b")
    rig.apply(a_monitor(streams=2, overlap_s=5))
    rig.until(rig.all_watched)
    (stream,) = a.has
    rig.run(10)

    a.broken = b.broken = lambda one: "reconnecting" if one == stream else None
    rig.run(down_s)
    a.draining = True
    rig.until(lambda: stream in b.has)

    assert b.has[stream].overlap_s == overlap_s
    a.broken = b.broken = lambda _: None
    assert rig.until(lambda: not a.has) <= 10
    assert rig.all_watched()


def test_coverage_of_a_few_streams_is_known_soon(rig: FleetRig) -> None:
    rig.start("a")
    rig.apply(a_monitor(streams=2))
    rig.until(rig.all_watched)

    rig.run(11)

    totals = rig.reader.read_coverage()
    assert len(totals) == 2
    assert all(one.watched_s > 4 for one in totals.values())


def test_assignments_are_repeated_after_an_outage(rig: FleetRig) -> None:
    (a,) = rig.start("a")
    rig.apply(a_monitor())
    rig.until(rig.all_watched)
    rig.run(20)
    epochs = dict(a.claims)

    rig.scripts.client.delete(rig.store.keys.assignments(a.store.worker))
    with patch.object(rig.store, "read_fleet", side_effect=UnavailableError("away")):
        rig.step()
    rig.run(1)

    written = rig.store.read_assignments()[a.store.worker].by_stream
    assert {stream: one.epoch for stream, one in written.items()} == epochs
    assert (a.claims, a.opens) == (epochs, 3)
