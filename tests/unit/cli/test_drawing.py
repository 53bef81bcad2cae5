"""The live table fits its window, and shows what matters of each stream."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence

import pytest
from rich.console import Console

from streammonitor_api.events import Event
from streammonitor_cli.drawing import draw
from streammonitor_worker.status import StreamStatus
from tests.support.builders import a_status, an_event, an_incident


def drawn(
    statuses: Sequence[StreamStatus],
    events: Sequence[Event] = (),
    *,
    time_left: Mapping[str, float | None] | None = None,
    width: int = 80,
    height: int = 24,
) -> list[str]:
    console = Console(file=io.StringIO(), record=True, width=width, height=height)
    console.print(
        draw(
            statuses,
            events,
            time_left=time_left or {},
            elapsed_s=65.0,
            width=width,
            height=height,
        )
    )
    return console.export_text().splitlines()


LIVE = a_status(
    "https://cdn.example/sports/ch1/master.m3u8",
    lag_s=0.34,
    open_incidents=(an_incident(),),
    incidents=2,
)


@pytest.mark.parametrize("width", [80, 120])
def test_live_stream_shows_everything_that_is_known(width: int) -> None:
    text = "\n".join(drawn([LIVE], width=width))

    for part in (
        "cdn.example/sports/ch1/master.m3u8",
        "h264 1920x1080 29.97",
        "▆▆ -18",
        "0.3s",
        "full",
        "watching",
        "1 stream, 1:05, 2 incidents, 1 open",
    ):
        assert part in text


def test_wide_window_has_a_line_a_stream() -> None:
    lines = drawn([LIVE, a_status("b.mp4"), a_status("c.mp4")], width=120)

    assert [line.split()[0] for line in lines[3:6]] == [
        "cdn.example/sports/ch1/master.m3u8",
        "b.mp4",
        "c.mp4",
    ]
    assert lines[2].split() == ["STREAM", "PICTURE", "SOUND", "LAG", "FIDELITY", "STATE", "OPEN"]


def test_file_shows_its_progress_and_the_time_left() -> None:
    status = a_status(progress=0.4, media_s=62.0, duration_s=100.0)

    line = drawn([status], time_left={status.stream: 75.0})[3]

    assert "━━━━━━────  62% 1:15" in line
    assert "0.0s" not in line, "a file has no lag"


def test_file_that_does_not_say_how_long_it_is_shows_its_bytes() -> None:
    assert "━━━━──────  40%" in drawn([a_status(progress=0.4, duration_s=None)])[3]


def test_progress_beyond_its_end_is_full() -> None:
    assert "━━━━━━━━━━ 100%" in drawn([a_status(progress=1.02)])[3]


@pytest.mark.parametrize(
    ("levels", "meter"),
    [
        ((0.0,), "█ 0"),
        ((-0.1, -59.0), "█▁ -0"),
        ((-60.0, -120.0), "··"),
        ((-math.inf, math.nan), "··"),
        ((-1.0, -10.0, -20.0, -30.0, -40.0, -50.0), "█▇▆▅▃▂"),
        ((3.0,), "█ 3"),
        ((), ""),
    ],
)
def test_meter_has_a_bar_a_channel(levels: tuple[float, ...], meter: str) -> None:
    line = drawn([a_status(video=None, levels_dbfs=levels)])[3]

    assert line.strip().removesuffix("0.0s  full       watching").strip() == meter


@pytest.mark.parametrize(
    ("fidelity", "word"),
    [("Full", "full"), ("Adaptive", "adaptive"), ("KeyframesOnly", "keyframes")],
)
def test_fidelity_is_told_in_the_words_of_the_option(fidelity: str, word: str) -> None:
    assert word in drawn([a_status(fidelity=fidelity)])[3].split()


def test_state_is_told_where_nothing_is_watched() -> None:
    status = a_status(state="reconnecting", video=None, levels_dbfs=())

    assert "reconnecting" in drawn([status])[3]


def test_incidents_are_listed_with_their_times() -> None:
    is_open = an_event("opened", an_incident())
    closed = an_event("closed", an_incident("audio-silence", onset_s=1.0, recovery_s=4.5))

    lines = drawn([a_status()], [is_open, closed], width=120)

    assert lines[-2].startswith("● ")
    assert "video-freeze at 0:05.000 (-72.1 dB)  video:0 clip.mp4" in lines[-2]
    assert lines[-1].startswith("○ ")
    assert "audio-silence 0:01.000 to 0:04.500, 3.5 s" in lines[-1]


@pytest.mark.parametrize("width", [80, 120, 30])
@pytest.mark.parametrize("height", [10, 24, 50])
@pytest.mark.parametrize("count", [1, 8, 200])
def test_table_never_outgrows_its_window(width: int, height: int, count: int) -> None:
    streams = [a_status(f"https://cdn.example/{'long-' * 20}{i}.m3u8") for i in range(count)]
    events = [an_event("opened", an_incident(onset_s=float(i))) for i in range(count)]

    lines = drawn(streams, events, width=width, height=height)

    assert len(lines) < height
    assert max(len(line) for line in lines) <= width


def test_streams_without_room_are_counted() -> None:
    lines = drawn([a_status(f"{i}.mp4") for i in range(30)], height=24, width=120)

    shown = sum(".mp4" in line for line in lines)
    assert shown >= 10
    assert f"… and {30 - shown} more streams" in lines


def test_end_of_a_long_path_stays_readable() -> None:
    line = drawn([a_status(f"/recordings/{'x' * 100}/monday.mp4")])[2]

    assert line.startswith("…")
    assert "/monday.mp4 " in line


def test_stream_name_cannot_steer_the_terminal() -> None:
    text = "\n".join(drawn([a_status("evil\x1b[2J\x07[red].mp4")]))

    assert "\x1b" not in text
    assert "evil?[2J?[red].mp4" in text
