"""What owners before told of a stream lately: incidents that were closed, from the event history.

A new owner sees some of what they saw once more, and must not tell it again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Protocol

from streammonitor_api.errors import StreamMonitorError
from streammonitor_api.fleet.records import RecordedEvent
from streammonitor_api.incident import Incident
from streammonitor_worker.supervisor.duties import REMEMBERED_S

logger = logging.getLogger(__name__)


class Events(Protocol):
    """What is read of `ReaderStore`."""

    def read_events(self, since_ms: int = 0) -> Iterable[RecordedEvent]: ...


def read_closed(events: Events, streams: Iterable[str], until_ms: int) -> dict[str, list[Incident]]:
    """Incidents of these streams that were closed in the minute before `until_ms` (Redis' clock)
    or since, by stream. Nothing where Redis cannot be read: better told twice than not at all."""
    closed: dict[str, list[Incident]] = {stream: [] for stream in streams}
    try:
        for recorded in events.read_events(until_ms - round(REMEMBERED_S * 1000)):
            event = recorded.told.event
            if event.kind == "closed" and recorded.told.stream in closed:
                closed[recorded.told.stream].append(event.incident)
    except StreamMonitorError as error:
        logger.warning("what was told lately cannot be read: %s", error)
    return closed
