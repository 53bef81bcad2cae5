"""The operator starts again, is replaced, or finds a Redis that lost its data: nothing moves."""

from __future__ import annotations

from dataclasses import replace
from unittest.mock import patch

import pytest

from streammonitor_api.errors import FencedError, UnavailableError
from streammonitor_operator.inventory import Inventory
from streammonitor_operator.reconcile import Mode
from tests.support.fleet_rig import FleetRig, a_monitor


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
