"""Who lives, by heartbeats and by what else is known, on a clock that the test moves."""

from __future__ import annotations

from streammonitor_api.fleet.records import (
    FleetSeen,
    Heartbeat,
    StreamRow,
    StreamTable,
    WorkerSeen,
)
from streammonitor_api.names import Epoch, Incarnation, StreamKey, WorkerId
from streammonitor_operator.placement import Standing
from streammonitor_operator.roster import FORGOTTEN_AFTER_S, Arrivals, Roster

A, B = WorkerId("a"), WorkerId("b")
ONE = StreamKey("prod/sports/one")


def beat(worker: WorkerId = A, incarnation: str = "i1", **fields: object) -> Heartbeat:
    values: dict[str, object] = {"capacity_cores": 4.0, **fields}
    return Heartbeat(worker=worker, incarnation=Incarnation(incarnation), **values)  # type: ignore[arg-type]


def seen(now_s: float, *beats: tuple[Heartbeat, float]) -> FleetSeen:
    """What Redis shows at a time; each heartbeat with when it came."""
    workers = {one.worker: WorkerSeen(one, round(at_s * 1000)) for one, at_s in beats}
    return FleetSeen(round(now_s * 1000), workers, {})


def test_worker_is_dead_after_three_silent_seconds() -> None:
    roster = Roster()
    assert roster.look(seen(10, (beat(), 10))).born == [A]

    assert not roster.look(seen(13, (beat(), 10))).died
    assert roster.look(seen(13.1, (beat(), 10))).died == {A: 10_000}
    assert not roster.is_alive(A)
    assert not roster.look(seen(14, (beat(), 10))).died


def test_paused_worker_lives_again() -> None:
    roster = Roster()
    roster.look(seen(10, (beat(), 10)))
    roster.look(seen(14, (beat(), 10)))

    arrivals = roster.look(seen(15, (beat(), 15)))

    assert (arrivals.revived, arrivals.born) == ([A], [])
    assert roster.is_alive(A)


def test_another_incarnation_is_a_death_and_a_birth() -> None:
    roster = Roster()
    roster.look(seen(10, (beat(), 10)))

    arrivals = roster.look(seen(11, (beat(incarnation="i2"), 11)))

    assert (arrivals.died, arrivals.born) == ({A: 10_000}, [A])


def test_nobody_dies_of_an_outage_of_redis() -> None:
    roster = Roster()
    roster.look(seen(10, (beat(A), 10), (beat(B), 10)))

    roster.redis_was_away(60_000)

    assert not roster.look(seen(60, (beat(A), 10), (beat(B), 10))).died
    assert not roster.look(seen(62.9, (beat(A), 62.9), (beat(B), 10))).died
    assert list(roster.look(seen(63.1, (beat(A), 62.9), (beat(B), 10))).died) == [B]


def test_heartbeats_that_redis_lost_are_waited_for() -> None:
    roster = Roster()
    roster.look(seen(10, (beat(), 10)))

    assert not roster.look(seen(11)).died
    assert list(roster.look(seen(13.1)).died) == [A]


def test_draining_worker_without_a_heartbeat_said_goodbye() -> None:
    roster = Roster()
    roster.look(seen(10, (beat(draining=True, ready=False), 10)))

    assert list(roster.look(seen(10.5)).died) == [A]


def test_worker_that_was_seen_to_die_is_dead_at_once() -> None:
    roster = Roster()
    roster.look(seen(10, (beat(), 10)))

    roster.lose(A, None)

    assert list(roster.look(seen(10.1, (beat(), 10.1))).died) == [A]
    late = roster.look(seen(10.6, (beat(), 10.6)))
    assert late == Arrivals()
    assert roster.look(seen(11, (beat(incarnation="i2"), 11))).born == [A]


def test_worker_of_assignments_alone_is_waited_for() -> None:
    roster = Roster()
    roster.redis_was_away(10_000)
    roster.expect(A)
    roster.expect(B)

    arrivals = roster.look(seen(11, (beat(A), 11)))

    assert (arrivals.changed, arrivals.died) == ([A], {})
    assert roster[A].is_known
    assert list(roster.look(seen(13.1, (beat(A), 13))).died) == [B]


def test_standing_follows_what_the_worker_says() -> None:
    roster = Roster()
    roster.look(seen(10, (beat(ready=False), 10)))
    assert roster[A].standing is Standing.SHUT

    assert roster.look(seen(11, (beat(), 11))).changed == [A]
    assert roster[A].standing is Standing.OPEN

    roster.look(seen(12, (beat(draining=True, ready=False), 12)))
    assert roster[A].standing is Standing.LEAVING
    assert roster[A].state == "draining"


def test_worker_that_is_long_not_ready_is_emptied() -> None:
    roster = Roster()
    for second in range(10, 21):
        roster.look(seen(second, (beat(ready=False), second)))
    assert roster[A].standing is Standing.SHUT

    assert roster.look(seen(20.5, (beat(ready=False), 20.5))).changed == [A]
    assert roster[A].standing is Standing.LEAVING


def test_table_is_told_with_the_one_before() -> None:
    roster = Roster()
    roster.look(seen(10, (beat(), 10)))
    row = StreamRow(stream=ONE, epoch=Epoch(1), state="opening")
    look = seen(11, (beat(), 11))
    table = StreamTable(3, (row,))

    arrivals = roster.look(FleetSeen(look.redis_ms, look.workers, {A: table}))

    assert arrivals.told == {A: {}}
    assert roster[A].rows == {ONE: row}
    assert roster.serials() == {A: 3}


def test_dead_are_forgotten_after_a_while() -> None:
    roster = Roster()
    roster.look(seen(10, (beat(), 10)))
    roster.look(seen(14, (beat(), 10)))
    assert roster.forgettable(20_000) == []

    assert roster.forgettable(round((14.1 + FORGOTTEN_AFTER_S) * 1000)) == [A]
