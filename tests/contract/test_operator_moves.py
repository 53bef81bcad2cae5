"""Planned moves: without a gap, called off where they fail, finished by who is left."""

from __future__ import annotations

import pytest

from tests.support.fleet_rig import FleetRig, ToyWorker, a_monitor


def midway(rig: FleetRig) -> tuple[ToyWorker, ToyWorker]:
    """Two of four streams are on their way from the first worker to the second."""
    (a,) = rig.start("a")
    rig.apply(a_monitor(streams=4, overlap_s=20))
    rig.until(rig.all_watched)
    (b,) = rig.start("b")
    rig.until(lambda: len(b.has) == 2)
    return a, b


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
    a, b = midway(rig)
    rig.run(1)

    a.kill()
    rig.until(rig.all_watched)

    assert b.opens == 4
    assert set(rig.owners().values()) == {"b"}


def test_streams_of_both_dead_workers_are_placed(rig: FleetRig) -> None:
    a, b = midway(rig)

    a.kill()
    b.kill()
    rig.run(5)
    rig.start("c")

    rig.until(rig.all_watched)
    assert set(rig.owners().values()) == {"c"}


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
