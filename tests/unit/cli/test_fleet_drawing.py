"""How a fleet is drawn: what is there, and what gives way where there is no room."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rich.console import Console

from streammonitor_api.fidelity import Fidelity
from streammonitor_api.names import StreamKey, WorkerId
from streammonitor_cli.fleet_drawing import draw_fleet, draw_monitors, percent
from streammonitor_cli.snapshot import MonitorView, Snapshot, StreamView, WorkerView
from tests.support.builders import an_event, an_incident

WORKER = WorkerView(WorkerId("worker-1"), 4711, "ready", 2, 0.21, 1.0)
STREAM = StreamView(
    StreamKey("prod/sports/ch1"),
    WorkerId("worker-1"),
    3,
    "watching",
    Fidelity.FULL,
    None,
    0.9999,
    0,
)
AWAY = replace(
    STREAM,
    stream=StreamKey("prod/sports/ch2"),
    state="reconnecting",
    error="prod/sports/ch2: cannot connect to origin.example:443 (connection refused)",
)


def lines(
    *streams: StreamView, width: int = 120, height: int | None = None, events: int = 0
) -> list[str]:
    snapshot = Snapshot(0, (WORKER,), streams, (), (), {})
    told = [an_event("closed", an_incident(recovery_s=8.0))] * events
    console = Console(width=width, force_terminal=False)
    with console.capture() as capture:
        console.print(draw_fleet(snapshot, told, width=width, height=height))
    return capture.get().splitlines()


def test_every_column_is_there_where_there_is_room() -> None:
    shown = lines(STREAM, AWAY)

    assert shown[0] == "StreamMonitor  1 worker, 1 of 2 streams watched, 0 open incidents"
    assert shown[5].split() == [
        "STREAM", "WORKER", "EPOCH", "LAG", "STATE", "FIDELITY", "COVERAGE", "OPEN",
    ]  # fmt: skip
    assert shown[6].split() == [
        "prod/sports/ch1", "worker-1", "3", "0.0s", "watching", "Full", "99.99", "%", "0",
    ]  # fmt: skip
    assert "cannot connect to origin" in shown[7]


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_names_do_not_give_way_to_reasons(width: int) -> None:
    shown = lines(STREAM, AWAY, width=width)

    assert len(shown) >= 8
    assert all("prod/sports/ch" in line and "worker-1" in line for line in shown[6:8])
    assert max(map(len, shown)) <= width


def test_streams_that_need_attention_are_kept_where_not_all_fit() -> None:
    many = [replace(STREAM, stream=StreamKey(f"prod/a/{number}")) for number in range(40)]

    shown = lines(*many, AWAY, height=24, events=5)

    assert len(shown) <= 24
    assert any("prod/sports/ch2" in line for line in shown)
    assert any("streams more" in line for line in shown)


def test_monitor_says_why_it_is_not_ready() -> None:
    condition = {"type": "Degraded", "status": "True", "message": "cannot be read: ch1"}
    monitor = MonitorView("prod/sports", 2, 1, 0, 1, (condition,))
    console = Console(width=120, force_terminal=False)
    with console.capture() as capture:
        console.print(draw_monitors([monitor]))

    row = capture.get().splitlines()[1].split(maxsplit=6)
    assert row == ["prod/sports", "2", "1", "0", "1", "no", "cannot be read: ch1"]


@pytest.mark.parametrize(
    ("share", "text"), [(None, "-"), (1.0, "100 %"), (0.99999, "99.99 %"), (0.5, "50.00 %")]
)
def test_coverage_is_never_rounded_up(share: float | None, text: str) -> None:
    assert percent(share) == text
