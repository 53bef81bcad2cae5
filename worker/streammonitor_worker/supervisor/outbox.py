"""Where events wait until Redis has them, in memory.

One thread sends them in their order, one after the other, and goes on trying while Redis is away.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from dataclasses import replace
from typing import Protocol

from streammonitor_api.errors import FencedError, LostError, StreamMonitorError, UnavailableError
from streammonitor_api.events import OpenIncident
from streammonitor_api.fleet.records import FleetEvent, Publication
from streammonitor_api.fleet.worker_store import WorkerStore
from streammonitor_api.incident import Moment, wall_time

logger = logging.getLogger(__name__)

AGAIN_S = 0.5
"""Before an event that could not be sent is tried again: a heartbeat."""
WAITING = 100_000
"""Events that wait at most, 100 MB: the newest are kept."""
SENT = 10_000
SENT_S = 600.0
"""Events that were sent lately are kept, for a Redis that lost its data."""


class Answers(Protocol):
    """What Redis says to events, for the worker; called from threads of ours."""

    def on_refused(self, stream: str, epoch: int, why: str) -> None: ...

    def on_adopt(self, stream: str, incident: OpenIncident) -> None:
        """That track has this incident open."""

    def on_unclaimed(self, stream: str, epoch: int) -> None:
        """Redis does not know that we own it."""


class Sink(Protocol):
    """Takes events and sees to it that Redis has them, however long that takes."""

    def put(self, told: FleetEvent) -> None: ...

    def send_again(self) -> None:
        """Redis lost its data: send what was sent in the last minutes."""

    def close(self, wait_s: float) -> bool:
        """Send what waits, for at most so long; whether all was sent."""

    @property
    def waiting(self) -> int: ...


class Outbox:
    """A sink in memory."""

    def __init__(self, store: WorkerStore, answers: Answers) -> None:
        self._store = store
        self._answers = answers
        self._events: deque[FleetEvent] = deque()
        self._sent: deque[tuple[float, FleetEvent]] = deque(maxlen=SENT)
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        return len(self._events)

    def put(self, told: FleetEvent) -> None:
        with self._changed:
            if len(self._events) >= WAITING:
                dropped = self._events.popleft()
                logger.warning("%s: event dropped, %d wait for Redis", dropped.stream, WAITING)
            self._events.append(told)
            self._changed.notify_all()

    def send_again(self) -> None:
        since = time.monotonic() - SENT_S
        with self._changed:
            lately = [told for at, told in self._sent if at >= since]
            self._sent.clear()
            self._events.extendleft(reversed(lately))
            self._changed.notify_all()

    def close(self, wait_s: float) -> bool:
        until = time.monotonic() + wait_s
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            while self._events and time.monotonic() < until:
                self._changed.wait(0.05)
            return not self._events

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._events:
                    if self._closing:
                        return
                    self._changed.wait()
                told = self._events[0]
            if not self._send(told):
                time.sleep(AGAIN_S)
                continue
            with self._changed:
                if self._events and self._events[0] is told:
                    self._events.popleft()
                self._sent.append((time.monotonic(), told))
                self._changed.notify_all()

    def _send(self, told: FleetEvent) -> bool:
        """Send one; False where it has to be tried again."""
        try:
            self._answer(told, self._store.publish(told))
        except FencedError as error:
            self._answers.on_refused(told.stream, told.epoch, str(error))
            return self._merge(told)
        except LostError:
            self._answers.on_unclaimed(told.stream, told.epoch)
            return False
        except UnavailableError:
            return False  # the heartbeat tells that Redis is away
        except StreamMonitorError as error:
            logger.warning("%s: an event cannot be recorded: %s", told.stream, error)
        return True

    def _merge(self, told: FleetEvent) -> bool:
        try:
            self._store.merge(told)
        except UnavailableError:
            return False
        except StreamMonitorError as error:
            logger.warning("%s: an event cannot be recorded: %s", told.stream, error)
        return True

    def _answer(self, told: FleetEvent, publication: Publication) -> None:
        if publication.outcome == "adopt" and publication.incident is not None:
            known = publication.incident
            adopted = OpenIncident(known.event.incident, known.revision)
            self._answers.on_adopt(told.stream, adopted)
        elif publication.outcome == "earlier" and publication.onset_ms is not None:
            incident = told.event.incident
            onset = Moment(incident.onset.media_s, wall_time(publication.onset_ms / 1000))
            event = replace(told.event, incident=replace(incident, onset=onset))
            self._store.publish(replace(told, event=event))
