"""Plain lines are readable, JSON lines are the contract, and neither minds a lost reader."""

from __future__ import annotations

import io
import json
import os
import threading
from pathlib import Path

import pytest

from streammonitor_api.errors import InputError
from streammonitor_api.events import Summary
from streammonitor_cli.lines import JsonLines, PlainLines
from streammonitor_cli.output import Output
from tests.support.builders import a_status, an_event, an_incident


@pytest.fixture(autouse=True)
def _in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")


def an_output() -> tuple[Output, io.StringIO]:
    text = io.StringIO()
    return Output(text, threading.Event()), text


def test_opened_incident_is_a_readable_line() -> None:
    output, text = an_output()

    PlainLines(output).show(an_event("opened", an_incident()))

    assert text.getvalue() == (
        "12:00:07  opened   critical  video-freeze            at 0:05.000  "
        "(-72.1 dB, threshold -60.0 dB)  clip.mp4 video:0\n"
    )


def test_closed_incident_tells_when_it_ended() -> None:
    output, text = an_output()

    PlainLines(output).show(an_event("closed", an_incident(recovery_s=8.033)))

    assert "closed   critical  video-freeze            0:05.000 to 0:08.033, 3.0 s" in (
        text.getvalue()
    )


def test_incident_that_was_open_at_the_end_says_so() -> None:
    output, text = an_output()

    PlainLines(output).show(an_event("closed", an_incident()))

    assert "closed   critical  video-freeze            0:05.000 to the end" in text.getvalue()


def test_summary_says_what_was_watched() -> None:
    output, text = an_output()

    PlainLines(output).close([Summary("clip.mp4", 12.04, 361, 0.84, 0)], [a_status()])

    assert text.getvalue() == (
        "clip.mp4: 12.0 s watched, 361 pictures, no incident, 0.8 s of CPU "
        "(h264 1920x1080 29.97 fps yuv420p, aac 48000 Hz 2 channels)\n"
    )


def test_summary_says_what_became_of_a_lost_source() -> None:
    output, text = an_output()
    status = a_status(state="ended", video=None, audio=None, error="clip.mp4: connection refused")

    PlainLines(output).close([Summary("clip.mp4", 0.0, 0, 0.0, 1)], [status])

    assert text.getvalue().endswith(", 1 incident, 0.0 s of CPU; connection refused\n")


@pytest.mark.parametrize(
    ("media_s", "told"),
    [(0.0, ""), (2.0, "clip.mp4: 2.0 s watched, 50 pictures, no incident, 0.0 s of CPU; failed\n")],
)
def test_reason_of_a_failed_stream_is_left_to_standard_error(media_s: float, told: str) -> None:
    output, text = an_output()
    status = a_status(state="failed", video=None, audio=None, error="clip.mp4: truncated")

    PlainLines(output).close([Summary("clip.mp4", media_s, 50, 0.0, 0)], [status])

    assert text.getvalue() == told


def test_json_lines_are_events_then_summaries() -> None:
    output, text = an_output()
    lines = JsonLines(output)

    lines.show(an_event("opened", an_incident(stream="Küche.mp4")))
    lines.close([Summary("Küche.mp4", 12.0, 360, 0.8, 1)], [])

    told = [json.loads(line) for line in text.getvalue().splitlines()]
    assert [one["event"] for one in told] == ["opened", "summary"]
    assert "Küche.mp4" in text.getvalue()


def test_name_that_is_no_text_is_still_valid_json(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    with path.open("w", encoding="ascii") as file:
        output = Output(file, threading.Event())

        JsonLines(output).show(an_event("opened", an_incident(stream="odd\udcff.mp4")))

    told = json.loads(path.read_text(encoding="utf-8"))
    assert told["incident"]["stream"] == "odd\udcff.mp4"


def test_lost_reader_ends_the_watch_quietly() -> None:
    stop = threading.Event()
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as file:
        output = Output(file, stop)

        output.write_line("first")
        output.write_line("second")

    assert stop.is_set()
    output.check()


def test_reader_that_leaves_while_nothing_is_written_ends_the_watch() -> None:
    stop = threading.Event()
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as file, Output(file, stop).held():
        assert not stop.is_set()

        os.close(reader)

        assert stop.wait(10)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full, which only Linux has")
def test_full_disk_is_told_at_the_end() -> None:
    stop = threading.Event()
    with Path("/dev/full").open("w") as file:
        output = Output(file, stop)

        output.write_line("first")

    assert stop.is_set()
    with pytest.raises(InputError, match="standard output: cannot be written, No space left"):
        output.check()


def test_reader_that_takes_nothing_does_not_hold_up_the_end() -> None:
    stop = threading.Event()
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as file:
        output = Output(file, stop)
        threading.Timer(0.2, stop.set).start()

        while not stop.is_set():
            output.write_line("x" * 60_000)
        output.write_line("the end")

    with os.fdopen(reader, "rb") as read:
        first, *rest = read.read().splitlines()
    assert first == b"x" * 60_000
    assert b"the end" not in rest
    with pytest.raises(InputError, match="standard output: cannot be written, nobody reads it"):
        output.check()


def test_slow_reader_gets_every_line_whole() -> None:
    reader, writer = os.pipe()
    lines = [f"{number} " + "y" * 3_000 for number in range(100)]
    with os.fdopen(writer, "w") as file:
        output = Output(file, threading.Event())
        writing = threading.Thread(target=_write_all, args=(output, lines))
        writing.start()

        with os.fdopen(os.dup(reader), "r") as read:
            got = [read.readline().rstrip() for _ in lines]
        writing.join()

    os.close(reader)
    assert got == lines


def _write_all(output: Output, lines: list[str]) -> None:
    for line in lines:
        output.write_line(line)
