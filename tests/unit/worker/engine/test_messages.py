"""What supervisor and engine say to each other comes through as it was said."""

from __future__ import annotations

import pytest

from streammonitor_api.events import Event, OpenIncident
from streammonitor_api.fidelity import Fidelity
from streammonitor_api.plan import parse_adjustment, resolve_plan
from streammonitor_worker.engine.messages import (
    Begun,
    Ended,
    EndOrder,
    LimitOrder,
    Order,
    OwnOrder,
    Ready,
    Report,
    Seen,
    Stats,
    StreamStats,
    Told,
    WatchOrder,
    read_order,
    read_report,
    write_order,
    write_report,
)
from tests.support.builders import an_incident

ONE = "prod/sports/one"
PLAN = resolve_plan(adjustments=[parse_adjustment("video-black.share=0.9")])
OPEN = OpenIncident(an_incident(stream=ONE, evidence={"source_time_s": 12.5}), 3)
CLOSED = an_incident("audio-silence", stream=ONE, recovery_s=9.0)


@pytest.mark.parametrize(
    "order",
    [
        WatchOrder(ONE, "a1", "http://user:secret@host/x.m3u8", PLAN),
        WatchOrder(
            ONE, "a1", "http://host/x", PLAN, Fidelity.ADAPTIVE, "all", (("X-Token", "é"),), "t=1"
        ),
        OwnOrder(ONE),
        OwnOrder(ONE, (OPEN,), (CLOSED,)),
        LimitOrder(ONE, Fidelity.KEYFRAMES),
        EndOrder(ONE),
        EndOrder(ONE, "no longer wanted"),
    ],
    ids=lambda order: type(order).__name__,
)
def test_order_comes_through(order: Order) -> None:
    line = write_order(order)

    assert line.count(b"\n") == 1
    assert read_order(line) == order


@pytest.mark.parametrize(
    "report",
    [
        Ready(),
        Begun(ONE, 140_000_000_000_000),
        Seen(ONE),
        Ended(ONE),
        Told(ONE, Event("updated", "2026-11-22T12:00:00.000Z", OPEN.incident, 4)),
        Stats(()),
        Stats((StreamStats(stream=ONE, state="watching", cores=0.2, cpu_s={"decode": 1.5}),)),
    ],
    ids=lambda report: type(report).__name__,
)
def test_report_comes_through(report: Report) -> None:
    line = write_report(report)

    assert line.count(b"\n") == 1
    assert read_report(line) == report


def test_order_shows_no_secret() -> None:
    order = WatchOrder(ONE, "a1", "http://user:secret@h/x", PLAN, headers=(("A", "b-secret"),))

    assert "secret" not in repr(order)
