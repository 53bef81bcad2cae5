"""A fleet at one instant, from what Redis holds."""

from __future__ import annotations

from typing import Any

from streammonitor_api.fidelity import Fidelity
from streammonitor_api.fleet.records import (
    CoverageTotal,
    FleetSeen,
    Heartbeat,
    OpenIncident,
    StreamRow,
    StreamSpec,
    StreamTable,
    WorkerSeen,
)
from streammonitor_api.names import Epoch, Incarnation, StreamKey, WorkerId, stream_key
from streammonitor_api.plan import resolve_plan
from streammonitor_cli.snapshot import Snapshot, StreamView, make_snapshot
from tests.support.builders import an_event, an_incident

NOW_MS = 1_000_000
CH1, CH2 = stream_key("prod", "sports", "ch1"), stream_key("prod", "sports", "ch2")
PLAN = tuple(resolve_plan(only=["video-black"]).values())


def spec(stream: StreamKey, **known: Any) -> StreamSpec:
    return StreamSpec(stream=stream, url="https://example.com/a", detectors=PLAN, **known)


def row(stream: StreamKey, epoch: int, **known: Any) -> StreamRow:
    values: dict[str, Any] = {"state": "watching", "claimed": True, **known}
    return StreamRow(stream=stream, epoch=Epoch(epoch), **values)


def worker(name: str, *rows: StreamRow, age_ms: int = 100, **known: Any) -> tuple[Any, Any]:
    values: dict[str, Any] = {"capacity_cores": 2.0, "streams": len(rows), "pid": 7, **known}
    beat = Heartbeat(worker=WorkerId(name), incarnation=Incarnation("1"), **values)
    return WorkerSeen(beat, NOW_MS - age_ms), StreamTable(1, rows)


def snapshot(*workers: tuple[Any, Any], **known: Any) -> Snapshot:
    seen = FleetSeen(
        NOW_MS,
        {one.beat.worker: one for one, _ in workers},
        {one.beat.worker: table for one, table in workers},
    )
    values: dict[str, Any] = {"specs": [spec(CH1), spec(CH2)], "incidents": [], "coverage": {}}
    return make_snapshot(seen, **{**values, "monitors": {}, **known})


def view(found: Snapshot, stream: StreamKey) -> StreamView:
    return next(one for one in found.streams if one.stream == stream)


def test_written_form_is_the_contract() -> None:
    found = snapshot(
        worker("a", row(CH1, 3, last_picture_wall="2026-11-22T04:30:00.250Z"), load_cores=0.25),
        specs=[spec(CH1)],
        coverage={CH1: CoverageTotal(wanted_s=100.0, watched_s=99.5)},
        monitors={"prod/sports": {"conditions": [{"type": "Ready", "status": "True"}]}},
    )

    assert found.as_json() == {
        "workers": [
            {
                "worker": "a", "pid": 7, "state": "ready", "streams": 1,
                "load_cores": 0.25, "capacity_cores": 2.0,
            }
        ],
        "streams": [
            {
                "stream": "prod/sports/ch1", "worker": "a", "epoch": 3, "state": "watching",
                "fidelity": "Full", "last_picture_wall": "2026-11-22T04:30:00.250Z",
                "coverage": 0.995, "open_incidents": 0,
            }
        ],
        "monitors": [
            {
                "monitor": "prod/sports", "streams": 1, "watched": 1, "degraded": 0,
                "open_incidents": 0, "ready": True,
                "conditions": [{"type": "Ready", "status": "True"}],
            }
        ],
    }  # fmt: skip


def test_stream_that_nobody_has_is_unassigned() -> None:
    found = view(snapshot(), CH1)

    assert (found.worker, found.epoch, found.state, found.fidelity) == (
        None, None, "unassigned", None,
    )  # fmt: skip


def test_owner_during_a_move_is_who_claimed() -> None:
    found = snapshot(
        worker("old", row(CH1, 4)), worker("new", row(CH1, 5, state="warming", claimed=False))
    )

    assert view(found, CH1).worker == "old"


def test_owner_after_a_move_is_the_newer_one() -> None:
    found = snapshot(worker("old", row(CH1, 4)), worker("new", row(CH1, 5)))

    assert view(found, CH1).worker == "new"


def test_dead_worker_owns_nothing() -> None:
    found = snapshot(worker("a", row(CH1, 4), age_ms=3_500))

    assert [one.state for one in found.workers] == ["dead"]
    assert view(found, CH1).state == "unassigned"


def test_workers_say_what_they_are_at() -> None:
    found = snapshot(worker("a", draining=True, ready=False), worker("b", ready=False), worker("c"))

    assert [one.state for one in found.workers] == ["draining", "starting", "ready"]


def test_stream_below_its_fidelity_is_degraded() -> None:
    found = snapshot(
        worker("a", row(CH1, 1, fidelity=Fidelity.ADAPTIVE), row(CH2, 1, fidelity=Fidelity.FULL)),
    )

    assert view(found, CH1).is_reduced
    assert not view(found, CH2).is_reduced
    assert found.monitors[0].degraded == 1


def test_open_incidents_are_counted_and_the_newest_comes_first() -> None:
    incidents = [
        OpenIncident(
            stream=CH1,
            epoch=Epoch(1),
            worker=WorkerId("a"),
            revision=1,
            onset_ms=onset_ms,
            event=an_event("opened", an_incident()),
        )
        for onset_ms in (5, 9, 7)
    ]

    found = snapshot(worker("a", row(CH1, 1)), incidents=incidents)

    assert [one.onset_ms for one in found.incidents] == [9, 7, 5]
    assert (view(found, CH1).open_incidents, view(found, CH2).open_incidents) == (3, 0)
    assert found.monitors[0].open_incidents == 3


def test_suspended_monitor_is_shown_without_streams() -> None:
    found = snapshot(specs=[], monitors={"prod/news": {"conditions": []}})

    assert [one.as_json()["monitor"] for one in found.monitors] == ["prod/news"]
    assert not found.all_watched
