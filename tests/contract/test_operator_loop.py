"""The operator on a real Redis: streams are placed on workers, watched, and failed over."""

from __future__ import annotations

from tests.support.fleet_rig import FleetRig, a_monitor


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


def test_paused_worker_comes_back_without_its_streams(rig: FleetRig) -> None:
    a, b = rig.start("a", "b")
    rig.apply(a_monitor(streams=4))
    rig.until(rig.all_watched)

    a.paused = True
    rig.until(lambda: len(b.watched) == 4)
    a.paused = False
    rig.run(2)

    assert all(len(rig.watchers(one)) == 1 for one in rig.inventory.streams)
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
