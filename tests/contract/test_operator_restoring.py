"""The operator remembers for a Redis that forgets: incidents of the dead, unwanted streams."""

from __future__ import annotations

from dataclasses import replace

from streammonitor_api.names import Epoch, StreamKey
from streammonitor_operator.inventory import Inventory
from tests.support.fleet_contract import a_told
from tests.support.fleet_rig import FleetRig, a_monitor

ONE = StreamKey("prod/sports/ch0")


def test_open_incident_of_a_worker_that_died_with_redis_is_adopted(rig: FleetRig) -> None:
    (dead,) = rig.start("a")
    rig.apply(a_monitor(streams=1))
    rig.until(rig.all_watched)
    dead.store.publish(a_told(epoch=dead.claims[ONE], stream=ONE))
    rig.run(1)

    dead.kill()
    rig.flush()
    rig.start("b")
    rig.run(10)

    assert rig.owners() == {ONE: "b"}
    assert [one.id for one in rig.store.read_open_incidents()] == ["a1"]
    told = a_told("closed", 2, epoch=rig.workers["b"].claims[ONE], stream=ONE, recovery_s=9)
    assert rig.workers["b"].store.publish(told).outcome == "recorded"
    assert rig.store.read_open_incidents() == []


def test_incident_that_was_closed_before_a_loss_stays_closed(rig: FleetRig) -> None:
    (worker,) = rig.start("a")
    rig.apply(a_monitor(streams=1))
    rig.until(rig.all_watched)
    opened = a_told(epoch=worker.claims[ONE], stream=ONE)
    worker.store.publish(opened)
    worker.store.publish(a_told("closed", 2, epoch=worker.claims[ONE], stream=ONE, recovery_s=9))
    rig.run(1)

    rig.flush()
    rig.run(10)

    assert worker.store.publish(opened).outcome == "seen"
    assert rig.store.read_open_incidents() == []


def test_epochs_of_a_stream_that_was_unwanted_at_a_loss_go_on(rig: FleetRig) -> None:
    (worker,) = rig.start("a")
    rig.apply(a_monitor(streams=2))
    rig.until(rig.all_watched)
    before = worker.claims[ONE]
    rig.apply(a_monitor(streams=0, generation=2))
    rig.run(5)

    rig.flush()
    rig.run(10)
    assert rig.store.read_epochs()[ONE] == before
    rig.apply(a_monitor(streams=2, generation=3))
    rig.until(rig.all_watched)

    assert worker.claims[ONE] > before


def test_operator_that_begins_on_an_empty_redis_hands_out_epochs_above_all_others(
    rig: FleetRig,
) -> None:
    awake, asleep = rig.start("a", "b")
    rig.apply(a_monitor(streams=6))
    rig.until(rig.all_watched)
    rig.run(5)
    held = dict(asleep.claims)
    assert held
    assert awake.claims

    asleep.paused = True
    rig.flush()
    rig.restart_operator(Inventory())
    rig.apply(a_monitor(streams=6))
    rig.until(lambda: set(rig.owners().values()) == {"a"})
    rig.until(rig.all_watched)

    assert all(awake.claims[stream] > epoch + 1000 for stream, epoch in held.items())


def test_first_claim_on_an_empty_redis_is_not_of_an_owner_that_was_succeeded(
    rig: FleetRig,
) -> None:
    """The operator died before it had withdrawn the stream, and Redis lost its data then."""
    before, after = rig.start("a", "b")
    rig.apply(a_monitor(streams=1))
    rig.until(rig.all_watched)
    first, second = (before, after) if before.claims else (after, before)
    epoch = first.claims[ONE]
    second.has[ONE] = replace(first.has[ONE], epoch=Epoch(epoch + 1))
    second.opened[ONE] = rig.now
    second.claims[ONE] = epoch + 1

    rig.flush()
    rig.restart_operator(Inventory())
    rig.apply(a_monitor(streams=1))
    epochs = []
    for tenths in range(40):
        second.paused = tenths < 8
        rig.run(0.1)
        epochs += [claim.epoch for claim in rig.store.read_claims().values()]

    assert set(epochs) == {epoch + 1}


def test_worker_that_starts_anew_does_not_take_what_an_older_redis_gives_it(rig: FleetRig) -> None:
    """Its stream went to another worker in the seconds that Redis lost."""
    (before,) = rig.start("a")
    rig.apply(a_monitor(streams=1))
    rig.until(rig.all_watched)
    client = rig.scripts.client
    keys = list(client.scan_iter(f"{rig.store.keys.prefix}*"))
    kept = {key: client.dump(key) for key in keys}
    before.kill()
    (after,) = rig.start("b")
    rig.until(rig.all_watched)
    epoch = after.claims[ONE]

    rig.flush()
    for key, value in kept.items():
        client.restore(key, 0, value)  # type: ignore[arg-type]
    before.restart()
    epochs = []
    for _ in range(40):
        rig.run(0.1)
        epochs += [claim.epoch for claim in rig.store.read_claims().values()]

    assert epoch == max(epochs) == epochs[-1]
    assert set(epochs) <= {epoch, epochs[0]}
    assert not before.claims
    assert rig.watchers(ONE) == ["b"]


def test_operator_that_loses_redis_before_it_has_begun_writes_all_anew(rig: FleetRig) -> None:
    (worker,) = rig.start("a")
    rig.apply(a_monitor(streams=3))
    rig.until(rig.all_watched)
    inventory = rig.inventory
    rig.restart_operator(Inventory())
    rig.run(1)  # it has read what there is, and waits for what is wanted

    rig.flush()
    rig.run(1)
    for monitor in inventory.monitors.values():
        rig.apply(monitor)
    rig.run(10)

    assert rig.all_watched()
    assert set(rig.store.read_claims()) == set(worker.claims) == set(inventory.streams)
    assert all(worker.store.read_specs(inventory.streams))
