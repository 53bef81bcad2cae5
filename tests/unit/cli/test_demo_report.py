"""What the demo comes to, from made-up truths and events."""

from __future__ import annotations

from dataclasses import replace

import pytest

from streammonitor_api.events import Event, EventKind
from streammonitor_api.fleet.records import Gap
from streammonitor_api.incident import Moment, wall_time
from streammonitor_api.names import StreamKey
from streammonitor_cli.demo_report import Row, compare, coverage_of, table
from streammonitor_worker.synth.truth import Defect, Truth
from tests.support.builders import an_incident

CH1 = StreamKey("demo/news/one")
BEGAN = 1_800_000_000.0


def truth(*defects: Defect, tolerated: tuple[Defect, ...] = ()) -> dict[StreamKey, Truth]:
    return {CH1: Truth({}, defects, tolerated, started_at=BEGAN)}


def black(onset_s: float, lasts_s: float = 4.0) -> Defect:
    return Defect("video-black", "video:0", onset_s, onset_s + lasts_s)


def told(
    name: str, onset_s: float, kind: EventKind = "closed", *, detector: str = "video-black"
) -> list[Event]:
    """The events of an incident that is seen three seconds after it happens."""
    onset = Moment(0.0, wall_time(BEGAN + onset_s + 3))
    opened = replace(an_incident(), id=name, stream=CH1, detector=detector, onset=onset)
    time = wall_time(BEGAN + onset_s + 5)
    events = [Event("opened", time, opened)]
    if kind == "closed":
        recovery = Moment(4.0, wall_time(BEGAN + onset_s + 7))
        closed = replace(opened, recovery=recovery, duration_s=4.0)
        events.append(Event("closed", wall_time(BEGAN + onset_s + 8), closed))
    return events


def rows(
    known: dict[StreamKey, Truth], events: list[Event], *, since_s: float = 0.0, until_s: float = 90
) -> list[Row]:
    return compare(known, events, since=BEGAN + since_s, until=BEGAN + until_s)


def test_defect_that_was_reported_is_found() -> None:
    (row,) = rows(truth(black(10)), told("a", 10))

    assert row.verdict == "found"
    assert (row.at_s, row.injected_s, row.told_after_s) == (10.0, 4.0, 5.0)


def test_defect_that_was_not_reported_is_missed() -> None:
    assert [row.verdict for row in rows(truth(black(10)), [])] == ["missed"]


def test_defect_that_was_reported_twice_is_doubled() -> None:
    assert [row.verdict for row in rows(truth(black(10)), told("a", 10) + told("b", 11))] == [
        "doubled"
    ]


def test_report_without_a_defect_is_a_false_alarm() -> None:
    found = rows(truth(black(10)), told("a", 10) + told("b", 30, detector="video-freeze"))

    assert [row.verdict for row in found] == ["found", "false alarm"]


def test_two_defects_of_a_kind_have_a_report_each() -> None:
    found = rows(truth(black(10), black(40)), told("a", 10) + told("b", 40))

    assert [row.verdict for row in found] == ["found", "found"]


def test_what_began_before_all_was_watched_is_left_out() -> None:
    assert rows(truth(black(10)), told("a", 10), since_s=12) == []


def test_what_began_shortly_before_the_end_is_left_out() -> None:
    assert rows(truth(black(85)), []) == []


def test_what_is_tolerated_is_left_out() -> None:
    stall = Defect("stream-stall", "video:0", 10, 14)

    assert rows(truth(tolerated=(stall,)), told("a", 10, detector="stream-stall")) == []


def test_table_has_a_line_a_row() -> None:
    lines = list(table(rows(truth(black(10), black(40)), told("a", 10, "opened"))))

    assert lines == [
        "   AT  STREAM             DEFECT               INJECTED  REPORTED  TOLD AFTER",
        " 0:10  demo/news/one      video-black             4.0 s      open       5.0 s  found",
        " 0:40  demo/news/one      video-black             4.0 s         -           -  missed",
    ]


def test_coverage_is_what_gaps_leave() -> None:
    other = StreamKey("demo/news/two")
    gaps = [Gap(CH1, 9_000, 12_500, "starting"), Gap(CH1, 58_000, None, "worker-lost")]

    found = coverage_of([CH1, other], gaps, since_ms=10_000, until_ms=60_000)

    assert found[CH1][0] == pytest.approx(1 - 4.5 / 50)
    assert found[CH1][1] == ["2.5 s starting", "2.0 s worker-lost"]
    assert found[other] == (1.0, [])
