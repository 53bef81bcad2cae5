"""`streammonitor watch` as it is run: a process with output, signals and an exit code."""

from __future__ import annotations

import http.client
import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from fractions import Fraction
from pathlib import Path

import pytest

from streammonitor_worker.synth import Injection, Recipe, write_clip

COMMAND = (sys.executable, "-m", "streammonitor_cli.main")
DEADLINE_S = 30.0
SOON = (
    *("--output", "jsonl", "--realtime", "--detectors", "video-black"),
    *("--set", "video-black.alarmAfter=500ms"),
)
"""As it would be live, with an alarm after half a second, for tests that wait for one."""
SMALL = Recipe(duration_s=8, width=320, height=180, fps=Fraction(25))


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `good.mp4`, with `black.mp4`, black from 1 s to 4 s, and with `text.mp4`."""
    folder = tmp_path_factory.mktemp("clips")
    write_clip(SMALL, folder / "good.mp4")
    defects = (Injection("video-black", 1, 3),)
    write_clip(Recipe(**{**vars(SMALL), "injections": defects}), folder / "black.mp4")
    (folder / "text.mp4").write_text("this is no media\n" * 100)
    return folder


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command in the folder of the clips, to its end."""
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=DEADLINE_S,
    )


@contextmanager
def running(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run the command while this lasts; whatever is left of it then is killed."""
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def lines_of(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_good_file_gives_a_summary_and_exit_code_0(clips: Path) -> None:
    done = run(clips, "watch", "good.mp4", "--output", "jsonl")

    (summary,) = lines_of(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert summary == {
        "event": "summary",
        "stream": "good.mp4",
        "media_s": pytest.approx(8.0, abs=0.1),
        "frames": 200,
        "cpu_s": pytest.approx(1.0, abs=1.0),
        "incidents": 0,
    }


def test_defective_file_gives_its_incident_and_exit_code_1(clips: Path) -> None:
    done = run(clips, "watch", "--output", "jsonl", "--detectors", "video-black", "black.mp4")

    told = lines_of(done.stdout)
    assert (done.returncode, done.stderr) == (1, "")
    assert [one["event"] for one in told] == ["opened", "closed", "summary"]
    incident = told[1]["incident"]
    assert isinstance(incident, dict)
    assert incident["onset"]["media_s"] == pytest.approx(1.0, abs=0.04)
    assert incident["recovery"]["media_s"] == pytest.approx(4.0, abs=0.04)
    assert set(incident) == {
        "id",
        "stream",
        "detector",
        "severity",
        "track",
        "onset",
        "recovery",
        "duration_s",
        "measure",
        "evidence",
    }


def test_several_sources_have_a_summary_each(clips: Path) -> None:
    done = run(clips, "watch", "good.mp4", "--output", "jsonl", "black.mp4")

    told = lines_of(done.stdout)
    assert done.returncode == 1
    assert [(one["event"], one["stream"]) for one in told[-2:]] == [
        ("summary", "good.mp4"),
        ("summary", "black.mp4"),
    ]


@pytest.mark.parametrize(
    ("source", "reason"),
    [("nowhere.mp4", "No such file"), ("text.mp4", "no media"), (".", "not a regular file")],
)
def test_bad_source_is_one_line_and_exit_code_2(clips: Path, source: str, reason: str) -> None:
    done = run(clips, "watch", source, "--output", "jsonl")

    assert done.returncode == 2
    assert done.stderr.startswith(f"streammonitor: {source}: ")
    assert reason in done.stderr
    assert done.stderr.count("\n") == 1


def test_bad_source_does_not_disturb_the_others(clips: Path) -> None:
    done = run(clips, "watch", "nowhere.mp4", "black.mp4", "--detectors", "video-black")

    assert done.returncode == 2
    assert "closed   critical  video-black" in done.stdout
    assert "black.mp4: 8.0 s watched, 200 pictures, 1 incident" in done.stdout


def test_output_that_is_no_terminal_gets_plain_lines(clips: Path) -> None:
    done = run(clips, "watch", "black.mp4", "--detectors", "video-black")

    opened, closed, summary = done.stdout.splitlines()
    assert re.match(r"\d\d:\d\d:\d\d  opened   critical  video-black  +at 0:01\.0\d\d", opened)
    assert re.match(r"\d\d:\d\d:\d\d  closed   critical  video-black  +0:01\.0\d\d to 0:0", closed)
    assert summary.startswith("black.mp4: 8.0 s watched, 200 pictures, 1 incident")
    assert "\x1b" not in done.stdout


def test_profile_and_settings_reach_the_detectors(clips: Path, tmp_path: Path) -> None:
    profile = tmp_path / "profile.yaml"
    profile.write_text("detectors:\n  - {name: video-black, alarmAfter: 4s}\n")
    only = ("--detectors", "video-black", "--output", "jsonl")

    quiet = run(clips, "watch", "black.mp4", *only, "--profile", str(profile))
    loud = run(
        clips,
        *("watch", "black.mp4", *only, "--profile", str(profile)),
        *("--set", "video-black.alarm-after=1s", "--set", "video-black.severity=warning"),
    )

    assert quiet.returncode == 0
    assert loud.returncode == 1
    assert '"severity": "warning"' in loud.stdout


def test_duration_ends_the_watch_of_a_file_in_its_media(clips: Path) -> None:
    done = run(clips, "watch", "good.mp4", "--duration", "3", "--output", "jsonl")

    assert lines_of(done.stdout)[-1]["media_s"] == pytest.approx(3.0, abs=0.2)


def test_evidence_is_kept_where_it_is_asked_for(clips: Path, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "evidence"

    done = run(
        clips,
        *("watch", "black.mp4", "--detectors", "video-black"),
        *("--evidence", str(folder), "--output", "jsonl"),
    )

    incident = lines_of(done.stdout)[1]["incident"]
    assert isinstance(incident, dict)
    kept = sorted(path.name for path in folder.iterdir())
    assert kept == [f"{incident['id']}-first.jpg", f"{incident['id']}-last-good.jpg"]
    assert incident["evidence"]["first_picture"] == str(folder / kept[0])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_signal_closes_what_is_open_within_2_seconds(clips: Path, number: signal.Signals) -> None:
    with running(clips, "watch", "black.mp4", *SOON) as process:
        assert process.stdout is not None
        opened = json.loads(process.stdout.readline())

        process.send_signal(number)
        asked_at = time.monotonic()
        rest, errors = process.communicate(timeout=DEADLINE_S)

    assert time.monotonic() - asked_at < 2.0
    assert opened["event"] == "opened"
    closed, summary = lines_of(rest)
    assert closed["event"] == "closed"
    assert (summary["event"], summary["incidents"]) == ("summary", 1)
    assert (process.returncode, errors) == (1, "")


def test_reader_that_has_had_enough_ends_the_watch_quietly(clips: Path) -> None:
    with running(clips, "watch", "black.mp4", *SOON) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()

        assert process.wait(DEADLINE_S) == 1
        assert process.stderr.read() == ""


def test_metrics_are_served_while_it_watches(clips: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        port = probe.getsockname()[1]
    with running(clips, "watch", "black.mp4", *SOON, "--metrics", f":{port}") as process:
        assert process.stdout is not None
        process.stdout.readline()  # the incident has been opened

        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
            connection.request("GET", "/metrics")
            text = connection.getresponse().read().decode()

    assert re.search(r'streammonitor_streams\{.*state="watching"\} 1\.0', text)
    assert re.search(r'streammonitor_incidents_total\{detector="video-black",.*\} 1\.0', text)


def test_terminal_gets_a_table_that_is_drawn_in_place(clips: Path) -> None:
    screen, code = _on_a_terminal(
        clips,
        "watch",
        "black.mp4",
        "--detectors",
        "video-black",
        "--realtime",
        "--duration",
        "5500ms",
    )

    assert code == 1
    for part in ("h264 320x180 25", "full", "black.mp4", "● ", "○ ", "video-black", "━"):
        assert part in screen
    assert "\x1b[2J" not in screen, "the screen is never cleared"
    assert screen.count("\x1b[?25l") == screen.count("\x1b[?25h"), "the cursor is shown again"
    last = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", screen).replace("\r\n", "")
    assert re.search(r"black\.mp4: 5\.\d s watched, 13\d pictures, 1 incident", last)


def _on_a_terminal(folder: Path, *arguments: str) -> tuple[str, int]:
    """Run the command on a terminal of 80 by 24; what it wrote there, and its exit code."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"}
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=folder,
        env=environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        close_fds=True,
    )
    os.close(theirs)
    try:
        screen = _read_all(ours)
        return screen, process.wait(DEADLINE_S)
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def _read_all(terminal: int) -> str:
    """All that is written to a terminal until nobody has it open any more."""
    written = bytearray()
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        ready, _, _ = select.select([terminal], [], [], 0.5)
        if not ready:
            continue
        try:
            written += os.read(terminal, 65_536)
        except OSError:  # EIO: the other side is closed
            return written.decode()
    raise AssertionError(f"still writing after {DEADLINE_S} s: {written[-2000:]!r}")
