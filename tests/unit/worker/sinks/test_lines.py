"""Events as lines of JSON."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import pytest

from streammonitor_worker.sinks.lines import JsonLines
from streammonitor_worker.sinks.renaming import closing, with_onset
from tests.support.fleet_contract import a_told


def test_one_line_an_event_as_documented() -> None:
    file = io.StringIO()
    lines = JsonLines(file)
    told = [a_told(), a_told("closed", 2, recovery_s=9)]

    for one in told:
        lines.put(one.event)

    assert [json.loads(line) for line in file.getvalue().splitlines()] == [
        one.event.as_json() for one in told
    ]


def test_full_disk_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    with (
        contextlib.suppress(OSError),  # what is left in the file's buffer, when it is closed
        Path("/dev/full").open("w", encoding="utf-8") as file,
    ):
        lines = JsonLines(file)
        for _ in range(3):
            lines.put(a_told().event)

    assert [record.message for record in caplog.records] == [
        "events as lines: cannot be written, No space left on device; none follow"
    ]


def test_earlier_onset_makes_the_incident_longer() -> None:
    incident = a_told("closed", 2, onset_s=5, recovery_s=9).event.incident

    moved = with_onset(incident, incident.onset.wall_ms - 3000)

    assert (moved.onset.media_s, moved.onset.wall, moved.duration_s) == (
        2.0,
        "2026-11-22T12:00:02.000Z",
        7.0,
    )


def test_closing_knows_no_recovery() -> None:
    end = closing(a_told("updated", 4), 1_795_348_900.0)

    assert (end.revision, end.event.kind, end.event.incident.recovery) == (5, "closed", None)
