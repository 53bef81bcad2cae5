"""The written form of incidents, events and summaries is the documented contract."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest

from streammonitor_api.events import Event, Summary, as_line
from streammonitor_api.incident import Incident, Moment, incident_id, wall_time

FREEZE = Incident(
    id="0011223344556677",
    stream="a.mp4",
    detector="video-freeze",
    severity="critical",
    track="video:0",
    onset=Moment(5.0000001, "2026-11-22T04:30:05.000Z"),
    recovery=None,
    duration_s=None,
    value=-72.123456789,
    threshold=-60.0,
    unit="dB",
    evidence={"first_picture_s": 5.0},
)


def test_open_incident_has_every_field_of_the_contract() -> None:
    event = Event("opened", "2026-11-22T04:30:07.100Z", FREEZE)

    assert json.loads(as_line(event)) == {
        "event": "opened",
        "time": "2026-11-22T04:30:07.100Z",
        "incident": {
            "id": "0011223344556677",
            "stream": "a.mp4",
            "detector": "video-freeze",
            "severity": "critical",
            "track": "video:0",
            "onset": {"media_s": 5.0, "wall": "2026-11-22T04:30:05.000Z"},
            "recovery": None,
            "duration_s": None,
            "measure": {"value": -72.123457, "threshold": -60.0, "unit": "dB"},
            "evidence": {"first_picture_s": 5.0},
        },
    }


def test_closed_incident_tells_its_recovery_to_the_millisecond() -> None:
    closed = replace(
        FREEZE, recovery=Moment(8.0336667, "2026-11-22T04:30:08.034Z"), duration_s=3.0336666
    )

    written = closed.as_json()

    assert written["recovery"] == {"media_s": 8.034, "wall": "2026-11-22T04:30:08.034Z"}
    assert written["duration_s"] == 3.034


def test_summary_has_every_field_of_the_contract() -> None:
    line = as_line(Summary("a.mp4", media_s=12.00049, frames=360, cpu_s=1.23456, incidents=2))

    assert json.loads(line) == {
        "event": "summary",
        "stream": "a.mp4",
        "media_s": 12.0,
        "frames": 360,
        "cpu_s": 1.235,
        "incidents": 2,
    }


def test_a_line_holds_no_line_break() -> None:
    odd = replace(FREEZE, stream="a\nb\u2028c", evidence={"reason": "x\r\ny"})

    assert len(as_line(Event("opened", "", odd)).split("\n")) == 1


def test_numbers_that_json_lacks_become_null() -> None:
    silent = replace(FREEZE, value=-math.inf, evidence={"levels": (-math.inf, math.nan, -3.0)})

    line = json.loads(as_line(Event("opened", "", silent)), parse_constant=pytest.fail)

    assert line["incident"]["measure"]["value"] is None
    assert line["incident"]["evidence"]["levels"] == [None, None, -3.0]


def test_evidence_of_numpy_becomes_plain() -> None:
    evidence = {
        "share": np.float32(0.5),
        "box": {"x": np.int64(16)},
        "channels": (np.True_, 2),
        "mean": np.float64(1 / 3),
    }

    written = replace(FREEZE, evidence=evidence).as_json()["evidence"]

    assert json.loads(json.dumps(written)) == {
        "share": 0.5,
        "box": {"x": 16},
        "channels": [True, 2],
        "mean": 0.333333,
    }


def test_evidence_that_cannot_be_written_is_refused() -> None:
    with pytest.raises(TypeError, match="evidence: object cannot be written as JSON"):
        replace(FREEZE, evidence={"thing": object()}).as_json()


def test_the_same_defect_has_the_same_id() -> None:
    first = incident_id("a.mp4", "video-freeze", "video:0", 5.0)

    assert first == incident_id("a.mp4", "video-freeze", "video:0", 5.0 + 1e-9)
    assert re.fullmatch("[0-9a-f]{16}", first)


@pytest.mark.parametrize(
    "other",
    [
        ("b.mp4", "video-freeze", "video:0", 5.0, ""),
        ("a.mp4", "video-black", "video:0", 5.0, ""),
        ("a.mp4", "video-freeze", "video:1", 5.0, ""),
        ("a.mp4", "video-freeze", "video:0", 5.001, ""),
        ("a.mp4", "video-freeze", "video:0", 5.0, "second watch"),
    ],
    ids=["stream", "detector", "track", "onset", "session"],
)
def test_another_defect_has_another_id(other: tuple[str, str, str, float, str]) -> None:
    assert incident_id(*other) != incident_id("a.mp4", "video-freeze", "video:0", 5.0)


@pytest.mark.parametrize(
    ("epoch_s", "text"),
    [
        (0.0, "1970-01-01T00:00:00.000Z"),
        (1_700_000_000.25, "2023-11-14T22:13:20.250Z"),
        (1_700_000_000.9996, "2023-11-14T22:13:21.000Z"),
    ],
)
def test_wall_time_is_rfc_3339_in_utc(epoch_s: float, text: str) -> None:
    assert wall_time(epoch_s) == text


def test_stream_whose_name_is_no_text_has_an_id() -> None:
    assert len(incident_id("odd\udcff.mp4", "video-freeze", "video:0", 5.0)) == 16
