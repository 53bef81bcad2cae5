"""Sends the events of one spool, in order, and does what the contract answers; see `redis.py`.

Also keeps in the spool what is not to be told again: where a newer owner's word was taken instead
of an event, a Redis that lost its data may have lost that too.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Protocol

from streammonitor_api.errors import (
    FencedError,
    LostError,
    StreamMonitorError,
    UnavailableError,
)
from streammonitor_api.fleet.records import LONGEST_OVERLAP_S, FleetEvent, Publication
from streammonitor_api.fleet.worker_store import WorkerStore
from streammonitor_api.incident import Moment
from streammonitor_api.names import IncidentId, StreamKey
from streammonitor_worker.sinks.renaming import as_answered, closing, over_ms
from streammonitor_worker.spool import Spool

logger = logging.getLogger(__name__)

UNCLAIMED_S = 3.0
"""How long the worker may take to claim again: several heartbeats."""
UNADOPTED_S = 2 * LONGEST_OVERLAP_S
"""A newer owner that sees the defect has told it by then: overlap, and the alarm after it."""
_MERGED, _ADOPTED = b"merged ", b"adopted "
"""Begin a record that stands among the events: what became of an incident. A Redis that lost its
data is not told of it again, or by its other name; also not by a later start."""
_MOST_ANSWERS = 4
"""An event is told anew at most so often; each answer can come once."""


class Answers(Protocol):
    """What Redis says to events, for the worker; called from the sender's thread."""

    def on_refused(self, stream: str, epoch: int, why: str) -> None:
        """Somebody else owns it: stop watching it at this epoch."""

    def on_unclaimed(self, stream: str, epoch: int) -> None:
        """Redis does not know that we own it: claim it again."""


class Sink(Protocol):
    """What senders have in common."""

    @property
    def answers(self) -> Answers: ...

    @property
    def now(self) -> float:
        """Seconds, monotonic."""

    def wall(self) -> float:
        """Seconds since 1970."""

    def count(self, outcome: str) -> None:
        """Take what became of an event: recorded, merged, seen or unreadable."""


class AgainError(Exception):
    """The event cannot be sent yet; the ones after it neither."""


class Sender:
    """Sends what is in one spool: this start's, or an earlier one's, whose events are merged."""

    def __init__(self, sink: Sink, store: WorkerStore, spool: Spool, *, is_own: bool) -> None:
        self._sink = sink
        self._is_own = is_own
        self._store = store
        self.spool = spool
        self._unclaimed: dict[tuple[StreamKey, int], float] = {}
        self._unfinished: dict[str, tuple[float, FleetEvent]] = {}
        self._ends: dict[str, int] | None = None
        self.handed_on: set[str] = set()
        """Incidents that are a newer owner's by now: not to be sent again."""
        self._merged: set[str] = set()
        """Those that are noted as merged."""
        self._adopted: dict[str, Publication] = {}
        """Those that go by another name, with the answer that said so."""

    @property
    def has_unfinished(self) -> bool:
        return bool(self._unfinished)

    @property
    def is_done(self) -> bool:
        return not (self.spool.status.waiting or self._unfinished)

    def incidents(self) -> set[str]:
        """Incidents of which an event waits."""
        return {one.event.incident.id for one in self._waiting_events()}

    def silent_since(self, wall_s: float) -> set[str]:
        """Those whose last event is older: whether others told them differently since, neither a
        Redis that lost its data nor the operator knows."""
        last = {one.event.incident.id: one.event.time for one in self._waiting_events()}
        return {name for name, time in last.items() if Moment(0.0, time).wall_ms < wall_s * 1000}

    def opened(self) -> set[str]:
        """Incidents whose first event waits."""
        return {one.event.incident.id for one in self._waiting_events() if one.revision == 1}

    def recall(self) -> set[str]:
        """Read what became of the pending incidents; returns those that a newer owner tells."""
        notes = [one.split() for one in self.spool.pending() if one.startswith((_MERGED, _ADOPTED))]
        self._merged = {note[1].decode() for note in notes if len(note) == 2}
        self._adopted = {
            note[1].decode(): Publication(
                "adopt", None, int(note[4]), IncidentId(note[2].decode()), int(note[3])
            )
            for note in notes
            if len(note) == 5
        }
        return self._merged

    def unclosed(self) -> set[str]:
        """Incidents of which there are events in the spool, but not the last."""
        kinds = [(one.event.incident.id, one.event.kind) for one in self._waiting_events()]
        return {name for name, _ in kinds} - {name for name, kind in kinds if kind == "closed"}

    def _waiting_events(self) -> Iterator[FleetEvent]:
        for record in self.spool.pending():
            with contextlib.suppress(StreamMonitorError):
                yield FleetEvent.from_json(record)

    def send(self) -> None:
        """Send all that waits. Raises UnavailableError, AgainError."""
        self._ends = None
        while True:
            record = self.spool.peek()
            if record is None:
                return
            if not record.startswith((_MERGED, _ADOPTED)):
                self._send_record(record)
            self.spool.advance()

    def _send_record(self, record: bytes) -> None:
        try:
            told = FleetEvent.from_json(record)
            if told.event.incident.id not in self.handed_on:
                self._sink.count(self._send(told))
        except UnavailableError:
            raise
        except StreamMonitorError as error:
            logger.error("an event cannot be sent and is left out: %s", error)
            self._sink.count("unreadable")

    def _send(self, told: FleetEvent) -> str:
        if not self._is_own:
            return self._merge(told)
        key = (told.stream, told.epoch)
        try:
            end_ms = self._known_ends().get(told.event.incident.id)
            outcome = self._tell(told, lambda one: self._store.publish(one, over_ms=end_ms))
        except FencedError as error:
            self._sink.answers.on_refused(told.stream, told.epoch, str(error))
            return self._merge(told)
        except LostError:
            self._sink.answers.on_unclaimed(told.stream, told.epoch)
            since = self._unclaimed.setdefault(key, self._sink.now)
            if self._sink.now - since < UNCLAIMED_S:
                raise AgainError from None
            return self._merge(told)
        self._unclaimed.pop(key, None)
        if told.event.kind == "closed":
            self._unfinished.pop(told.event.incident.id, None)
        return outcome

    def _tell(self, told: FleetEvent, how: Callable[[FleetEvent], Publication]) -> str:
        name = told.event.incident.id
        if name in self._adopted:
            told = as_answered(told, self._adopted[name])
        for _ in range(_MOST_ANSWERS):
            answer = how(told)
            if answer.outcome not in ("adopt", "earlier"):
                return answer.outcome
            if answer.outcome == "adopt" and name == told.event.incident.id:
                self._note_adopted(name, answer)
            told = as_answered(told, answer)
        raise StreamMonitorError(f"{told.stream}: event {told.id} is never accepted")

    def _note_adopted(self, name: str, answer: Publication) -> None:
        self._adopted[name] = answer
        note = f"{name} {answer.into} {answer.revision} {answer.onset_ms}"
        self.spool.append(_ADOPTED + note.encode())

    def _merge(self, told: FleetEvent) -> str:
        incident = told.event.incident.id
        end_ms = self._known_ends().get(incident)
        outcome = self._tell(told, lambda one: self._store.merge(one, over_ms=end_ms))
        if outcome == "merged" and incident not in self._merged:
            self._merged.add(incident)
            self.spool.append(_MERGED + incident.encode())
        if told.event.kind == "closed" or outcome == "merged":
            self._unfinished.pop(incident, None)
        else:
            self._unfinished[incident] = (self._sink.now + UNADOPTED_S, told)
        return outcome

    def _known_ends(self) -> dict[str, int]:
        """When incidents were over whose end waits in the spool, looked up once a round."""
        if self._ends is None:
            self._ends = {}
            for told in self._waiting_events():
                end_ms = over_ms(told)
                if end_ms is not None:
                    self._ends[told.event.incident.id] = end_ms
        return self._ends

    def close_unadopted(self) -> None:
        """Close what was merged as open, and that the newer owner did not take up."""
        for incident, (due, told) in list(self._unfinished.items()):
            if self._sink.now < due:
                continue
            claim = self._store.read_claim(told.stream)
            if claim is None or claim.incarnation in (None, self._store.incarnation):
                self._unfinished[incident] = (self._sink.now + UNADOPTED_S, told)
                continue  # nobody has claimed it since: the next owner is to adopt it
            self._tell(closing(told, self._sink.wall()), self._store.merge)
            del self._unfinished[incident]
