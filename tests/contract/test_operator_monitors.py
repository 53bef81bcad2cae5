"""What becomes of a monitor that changes, and what its status, gaps and coverage tell."""

from __future__ import annotations

from dataclasses import replace

import pytest

from streammonitor_api.names import StreamKey
from streammonitor_operator.inventory import MonitorKey
from tests.support.fleet_contract import a_told
from tests.support.fleet_rig import FleetRig, a_monitor

SPORTS = MonitorKey("prod/sports")
CH0 = StreamKey("prod/sports/ch0")


def test_removed_monitor_is_forgotten(rig: FleetRig) -> None:
    (a,) = rig.start("a")
    rig.apply(a_monitor("sports", 2), a_monitor("news", 1))
    rig.until(rig.all_watched)

    rig.inventory.drop_monitor(SPORTS)
    rig.run(3)

    assert set(a.has) == {"prod/news/ch0"}
    assert set(rig.store.read_specs()) == {"prod/news/ch0"}
    assert rig.operator.state.placement.demand_cores == pytest.approx(0.2)


def test_incident_of_a_removed_monitor_is_closed_as_cancelled(rig: FleetRig) -> None:
    (a,) = rig.start("a")
    rig.apply(a_monitor())
    rig.until(rig.all_watched)
    a.store.publish(a_told(stream=CH0))

    rig.inventory.drop_monitor(SPORTS)
    rig.run(3)

    *_, last = rig.reader.read_events()
    closed = last.told.event
    assert closed.kind == "closed"
    assert closed.incident.recovery is None
    assert "no longer wanted" in str(closed.incident.evidence["cancelled"])


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


def test_coverage_of_a_few_streams_is_known_soon(rig: FleetRig) -> None:
    rig.start("a")
    rig.apply(a_monitor(streams=2))
    rig.until(rig.all_watched)

    rig.run(11)

    totals = rig.reader.read_coverage()
    assert len(totals) == 2
    assert all(one.watched_s > 4 for one in totals.values())
