"""A rendition of a stream, watched by a thread of its own.

Where there are several, the tracks of each carry its label, as all of them have a `video:0`:
`video:0@640x360-800k`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import replace

from streammonitor_api.events import Event, OpenIncident
from streammonitor_api.incident import Incident
from streammonitor_worker.pipeline import Pipeline


class WatchedRendition:
    """One rendition. `emit` takes its events."""

    pipeline: Pipeline
    thread: threading.Thread

    def __init__(self, label: str, emit: Callable[[Event], None]) -> None:
        self._suffix = f"@{label}" if label else ""
        self._emit = emit
        self.cpu_s = 0.0

    def emit(self, event: Event) -> None:
        if self._suffix:
            track = f"{event.incident.track}{self._suffix}"
            event = replace(event, incident=replace(event.incident, track=track))
        self._emit(event)

    def own(self, left_open: Iterable[OpenIncident], closed: Iterable[Incident]) -> None:
        left = [OpenIncident(self._bare(one.incident), one.revision) for one in left_open]
        self.pipeline.own(left, [self._bare(one) for one in closed])

    def release(self) -> list[OpenIncident]:
        return [
            OpenIncident(
                replace(one.incident, track=f"{one.incident.track}{self._suffix}"), one.revision
            )
            for one in self.pipeline.release()
        ]

    def has_media(self) -> bool:
        status = self.pipeline.status()
        return status.pictures > 0 or (status.video is None and status.media_s > 0)

    def is_of(self, incident: Incident) -> bool:
        return incident.track.partition("@")[1:] == self._suffix.partition("@")[1:]

    def _bare(self, incident: Incident) -> Incident:
        return replace(incident, track=incident.track.partition("@")[0])
