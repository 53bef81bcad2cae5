"""Statuses, incidents and events with plausible values, for tests that care about one of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from streammonitor_api.events import Event, EventKind
from streammonitor_api.incident import Incident, Moment, incident_id, wall_time
from streammonitor_worker.media import Format
from streammonitor_worker.status import StreamStatus

NOON_S = 1_795_348_800.0
"""2026-11-22T12:00:00Z: where media time 0 lies in tests."""

VIDEO = Format("video:0", 0.0, "h264", 1920, 1080, 29.97, "yuv420p")
AUDIO = Format("audio:0", 0.0, "aac", rate=48_000, channels=2)


def a_moment(media_s: float) -> Moment:
    return Moment(media_s, wall_time(NOON_S + media_s))


def an_incident(
    detector: str = "video-freeze",
    *,
    stream: str = "clip.mp4",
    onset_s: float = 5.0,
    recovery_s: float | None = None,
    **fields: Any,
) -> Incident:
    track = "audio:0" if detector.startswith("audio") else "video:0"
    values: dict[str, Any] = {
        "severity": "critical",
        "track": track,
        "value": -72.123,
        "threshold": -60.0,
        "unit": "dB",
        **fields,
    }
    return Incident(
        id=incident_id(stream, detector, track, onset_s),
        stream=stream,
        detector=detector,
        onset=a_moment(onset_s),
        recovery=None if recovery_s is None else a_moment(recovery_s),
        duration_s=None if recovery_s is None else recovery_s - onset_s,
        **values,
    )


def an_event(kind: EventKind, incident: Incident, *, at_s: float = 7.0) -> Event:
    return Event(kind, wall_time(NOON_S + at_s), incident)


def a_status(stream: str = "clip.mp4", **fields: Any) -> StreamStatus:
    values: Mapping[str, Any] = {
        "state": "watching",
        "video": VIDEO,
        "audio": AUDIO,
        "media_s": 60.0,
        "fidelity": "Full",
        "levels_dbfs": (-18.2, -20.1),
        "pictures": 1800,
        "cpu_s": {"demux": 0.1, "decode": 6.0, "detect": 0.5},
        **fields,
    }
    return StreamStatus(stream=stream, **values)
