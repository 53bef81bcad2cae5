"""The live table draws what it is shown, in place, and leaves the terminal as it was."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from streammonitor_api.events import Summary
from streammonitor_cli.table import REFRESHES_PER_S, LiveTable, TimeLeft
from streammonitor_worker.status import StreamStatus
from tests.support.builders import a_status, an_event, an_incident


def a_terminal() -> tuple[Console, io.StringIO]:
    screen = io.StringIO()
    console = Console(
        file=screen,
        force_terminal=True,
        width=80,
        height=24,
        color_system=None,
        legacy_windows=False,
    )
    return console, screen


def test_last_picture_and_a_summary_stay_on_the_screen() -> None:
    console, screen = a_terminal()
    statuses = [a_status(state="ended", progress=1.0)]
    table = LiveTable(console, lambda: statuses)

    with table.held():
        table.show(an_event("opened", an_incident()))
        table.show(an_event("closed", an_incident(recovery_s=8.0)))
    table.close([Summary("clip.mp4", 12.0, 360, 0.84, 1)], statuses)

    left = screen.getvalue()
    assert "○" in left
    assert "video-freeze 0:05.000 to 0:08.000, 3.0 s" in left
    assert "clip.mp4: 12.0 s watched, 360 pictures, 1 incident, 0.8 s of CPU" in left
    assert left.count("\x1b[?25l") == left.count("\x1b[?25h") == 1, "the cursor is shown again"


def test_screen_is_never_cleared() -> None:
    console, screen = a_terminal()
    table = LiveTable(console, lambda: [a_status()])

    with table.held():
        table.show(an_event("opened", an_incident()))

    assert "\x1b[2J" not in screen.getvalue()
    assert "\x1b[?1049h" not in screen.getvalue()
    assert REFRESHES_PER_S <= 4


def test_markup_in_a_name_is_text() -> None:
    console, screen = a_terminal()
    table = LiveTable(console, list)

    table.close([Summary("[bold]clip[/].mp4", 1.0, 1, 0.1, 0)], [])

    assert screen.getvalue().startswith(
        "\n[bold]clip[/].mp4: 1.0 s watched, 1 picture, no incident"
    )


def test_one_incident_is_one_line_however_often_it_is_told() -> None:
    console, screen = a_terminal()
    table = LiveTable(console, list[StreamStatus])

    for _ in range(50):
        table.show(an_event("updated", an_incident()))
    with table.held():
        pass

    last = screen.getvalue().rpartition("StreamMonitor")[2]
    assert last.count("video-freeze") == 1


def test_room_is_left_for_the_echo_of_ctrl_c() -> None:
    console, screen = a_terminal()
    table = LiveTable(console, lambda: [a_status("x" * 200)])

    with table.held():
        table.show(an_event("opened", an_incident(stream="x" * 200)))

    lines = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", screen.getvalue()).splitlines()
    assert max(len(line.rstrip()) for line in lines) == 78


def test_time_left_follows_from_the_speed_so_far() -> None:
    time_left = TimeLeft()

    def estimate(media_s: float, now: float) -> float | None:
        return time_left.estimate(a_status(progress=0.0, media_s=media_s, duration_s=100.0), now)

    assert estimate(10.0, now=1000.0) is None, "nothing to go by yet"
    assert estimate(30.0, now=1004.0) == pytest.approx(14.0)
    assert estimate(100.0, now=1020.0) == pytest.approx(0.0)


@pytest.mark.parametrize("state", ["opening", "ended", "failed"])
def test_time_left_is_for_files_that_are_being_watched(state: str) -> None:
    time_left = TimeLeft()

    for media_s in (10.0, 20.0):
        ended = a_status("a", progress=0.0, media_s=media_s, duration_s=100.0, state=state)
        live = a_status("b", media_s=media_s)
        assert time_left.estimate(ended, now=media_s) is None
        assert time_left.estimate(live, now=media_s) is None
