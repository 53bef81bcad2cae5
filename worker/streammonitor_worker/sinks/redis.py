"""Events to the fleet's Redis, through a spool: noticed once, recorded once, whatever happens.

Every event is on disk before it is sent, and stays there until Redis has it. One thread sends them
in their order. What the contract may answer, and what follows:

    recorded, seen, merged    done
    adopt, earlier            told again in the terms of the answer, see `renaming.py`
    fenced                    somebody else owns the stream: the worker is told, the event merged
    no claim is known         the worker is told, to claim again; tried again for 3 s, then merged
    all is lost               kept until the operator has written back what it knows
    Redis is away             tried again, from then on more slowly, for ever

Spools that other processes of this worker left behind, killed or replaced, are merged likewise and
then removed. What was merged but never closed is closed when the newer owner has had the time to
adopt it and did not.
"""

from __future__ import annotations

import contextlib
import logging
import random
import threading
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
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
from streammonitor_api.names import Incarnation, StreamKey
from streammonitor_worker.segments import SpoolBusyError
from streammonitor_worker.sinks.renaming import as_answered, closing, over_ms
from streammonitor_worker.spool import KEEP_S, Spool, SpoolStatus

logger = logging.getLogger(__name__)

AGAIN_S = (0.25, 5.0)
"""Between attempts while Redis is away: the first, and the longest that it doubles to."""
UNCLAIMED_S = 3.0
"""How long the worker may take to claim again: several heartbeats."""
UNADOPTED_S = 2 * LONGEST_OVERLAP_S
"""A newer owner that sees the defect has told it by then: overlap, and the alarm after it."""
_MOST_ANSWERS = 4
"""An event is told anew at most so often; each answer can come once."""


class Answers(Protocol):
    """What Redis says to events, for the worker; called from the sender's thread."""

    def on_refused(self, stream: str, epoch: int, why: str) -> None:
        """Somebody else owns it: stop watching it at this epoch."""

    def on_unclaimed(self, stream: str, epoch: int) -> None:
        """Redis does not know that we own it: claim it again."""


@dataclass(frozen=True, slots=True)
class SinkStatus:
    """How the sink is doing, for metrics and /streams. Counters only grow."""

    spool: SpoolStatus
    recorded: int
    merged: int
    unreadable: int
    error: str | None
    """Why nothing can be sent now; None while all is well."""


class _AgainError(Exception):
    """The event cannot be sent yet; the ones after it neither."""


class RedisSink:
    """Takes events and sees to it that Redis has them, however long that takes.

    `folder` belongs to this worker alone; each start makes a spool of its own in it. None: in
    memory only.
    """

    def __init__(
        self,
        store: WorkerStore,
        answers: Answers,
        folder: Path | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._answers = answers
        self._clock = clock
        self._wall = wall
        self._changed = threading.Condition()
        self._closing = False
        self._error: str | None = None
        self._recorded = self._merged = self._unreadable = 0
        spool = _own_spool(folder, store.incarnation)
        self._spool = spool
        left = [] if folder is None or spool.folder is None else _left_behind(folder, store)
        self._left = [self._late_sender(one_store, one) for one_store, one in left]
        self._own = _Sender(self, store, spool)
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)
        self._thread.start()

    def _late_sender(self, store: WorkerStore, spool: Spool) -> _Sender:
        """Sends what an earlier start left, and what it had sent lately: Redis may have lost it."""
        sender = _Sender(self, store, spool)
        unsent = sender.incidents()
        spool.rewind()
        sender.handed_on = sender.silent_since(self._wall() - KEEP_S) - unsent
        logger.info("%s: an earlier start left %d events", spool.folder, spool.status.waiting)
        return sender

    def put(self, told: FleetEvent) -> None:
        """Keep an event and have it sent; from any thread, without waiting for Redis."""
        self._spool.append(told.as_json().encode())
        self._own.handed_on.discard(told.event.incident.id)
        self._wake()

    def send_again(self, still_open: Collection[str]) -> None:
        """Redis lost its data: send what was sent in the last minutes.

        `still_open` are the incidents that the worker has open now. Others that it never closed
        went on under a newer owner, who tells them: told from here they would be open for ever.
        """
        never_sent, unsent = self._own.opened(), self._own.incidents()
        waiting = self._spool.rewind()
        old = self._own.silent_since(self._wall() - KEEP_S) - unsent
        self._own.handed_on = (self._own.unclosed() - never_sent | old) - set(still_open)
        logger.info("Redis lost data; sending the last %d events again", waiting)
        self._wake()

    @property
    def waiting(self) -> int:
        """Events that Redis does not have yet, those of earlier starts included."""
        return self._spool.status.waiting + sum(one.spool.status.waiting for one in self._left)

    @property
    def status(self) -> SinkStatus:
        return SinkStatus(
            self._spool.status, self._recorded, self._merged, self._unreadable, self._error
        )

    def close(self, wait_s: float) -> bool:
        """Send what waits, for at most so long; whether all was sent. The rest stays on disk."""
        until = self._clock() + wait_s
        with self._changed:
            while self.waiting and self._thread.is_alive() and self._clock() < until:
                self._changed.notify_all()
                self._changed.wait(0.05)
            self._closing = True
            self._changed.notify_all()
        self._thread.join(max(0.0, until - self._clock()) + 1.0)
        sent = not self.waiting
        for one in self._left:
            one.spool.close()
        if sent and not self._own.has_unfinished:
            with contextlib.suppress(OSError):
                self._spool.delete()
        else:
            self._spool.close()
        return sent

    # The sender's thread

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _run(self) -> None:
        pause_s = AGAIN_S[0]
        while not self._closing:
            try:
                self._send_all()
            except UnavailableError as error:
                self._note_trouble(str(error))
                # A Redis that answers and waits for the operator is asked often.
                pause_s = AGAIN_S[0] if isinstance(error, LostError) else pause_s
                self._wait(pause_s * random.uniform(0.7, 1.0))  # noqa: S311 - spreads retries
                pause_s = min(2 * pause_s, AGAIN_S[1])
                continue
            except _AgainError:
                self._wait(AGAIN_S[0])
                continue
            except Exception:  # the only sender: after a bug events wait in the spool
                logger.exception("events: sending failed; trying again")
                self._wait(AGAIN_S[1])
                continue
            self._note_trouble(None)
            pause_s = AGAIN_S[0]
            with self._changed:
                if not self._closing and not self.waiting:
                    self._changed.wait(1.0)

    def _send_all(self) -> None:
        # What earlier starts saw comes first: a claim of ours then finds what to adopt.
        for sender in (*self._left, self._own):
            sender.send()
            sender.close_unadopted()
            sender.spool.sync()
        for sender in [one for one in self._left if one.is_done]:
            self._left.remove(sender)
            sender.spool.delete()
        self._wake()

    def _wait(self, pause_s: float) -> None:
        with self._changed:
            if not self._closing:
                self._changed.wait_for(lambda: self._closing, pause_s)
        self._spool.sync()

    def _note_trouble(self, error: str | None) -> None:
        if error is not None and self._error is None:
            logger.warning("%s; events are kept until then, on disk", error)
        if error is None and self._error is not None:
            logger.info("Redis is back, all events are sent")
        self._error = error

    def count(self, outcome: str) -> None:
        """For the senders: what became of an event."""
        self._recorded += outcome == "recorded"
        self._merged += outcome == "merged"
        self._unreadable += outcome == "unreadable"

    @property
    def answers(self) -> Answers:
        return self._answers

    @property
    def now(self) -> float:
        return self._clock()

    def wall(self) -> float:
        return self._wall()


class _Sender:
    """Sends what is in one spool: this start's, or an earlier one's, whose events are merged."""

    def __init__(self, sink: RedisSink, store: WorkerStore, spool: Spool) -> None:
        self._sink = sink
        self._store = store
        self.spool = spool
        self._unclaimed: dict[tuple[StreamKey, int], float] = {}
        self._unfinished: dict[str, tuple[float, FleetEvent]] = {}
        self._ends: dict[str, int] | None = None
        self.handed_on: set[str] = set()
        """Incidents that are a newer owner's by now: not to be sent again."""

    @property
    def is_mine(self) -> bool:
        return self._sink._own is self

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

    def unclosed(self) -> set[str]:
        """Incidents of which there are events in the spool, but not the last."""
        kinds = [(one.event.incident.id, one.event.kind) for one in self._waiting_events()]
        return {name for name, _ in kinds} - {name for name, kind in kinds if kind == "closed"}

    def _waiting_events(self) -> Iterator[FleetEvent]:
        for record in self.spool.pending():
            with contextlib.suppress(StreamMonitorError):
                yield FleetEvent.from_json(record)

    def send(self) -> None:
        """Send all that waits. Raises UnavailableError, _AgainError."""
        self._ends = None
        while True:
            record = self.spool.peek()
            if record is None:
                return
            try:
                told = FleetEvent.from_json(record)
                if told.event.incident.id not in self.handed_on:
                    self._sink.count(self._send(told))
            except UnavailableError:
                raise
            except StreamMonitorError as error:
                logger.error("an event cannot be sent and is left out: %s", error)
                self._sink.count("unreadable")
            self.spool.advance()

    def _send(self, told: FleetEvent) -> str:
        if not self.is_mine:
            return self._merge(told)
        key = (told.stream, told.epoch)
        try:
            outcome = self._tell(told, self._store.publish)
        except FencedError as error:
            self._sink.answers.on_refused(told.stream, told.epoch, str(error))
            return self._merge(told)
        except LostError:
            self._sink.answers.on_unclaimed(told.stream, told.epoch)
            since = self._unclaimed.setdefault(key, self._sink.now)
            if self._sink.now - since < UNCLAIMED_S:
                raise _AgainError from None
            return self._merge(told)
        self._unclaimed.pop(key, None)
        return outcome

    def _tell(self, told: FleetEvent, how: Callable[[FleetEvent], Publication]) -> str:
        for _ in range(_MOST_ANSWERS):
            answer = how(told)
            if answer.outcome not in ("adopt", "earlier"):
                return answer.outcome
            told = as_answered(told, answer)
        raise StreamMonitorError(f"{told.stream}: event {told.id} is never accepted")

    def _merge(self, told: FleetEvent) -> str:
        incident = told.event.incident.id
        end_ms = self._known_ends().get(incident)
        outcome = self._tell(told, lambda one: self._store.merge(one, over_ms=end_ms))
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


def _own_spool(folder: Path | None, incarnation: Incarnation) -> Spool:
    if folder is None:
        return Spool(None)
    own = folder / incarnation
    try:
        return Spool(own)
    except (OSError, SpoolBusyError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        logger.error(
            "%s: no events can be kept there, %s; make the folder writable. They are kept in "
            "memory only: those that Redis does not have are lost when this process ends",
            own,
            reason,
        )
        return Spool(None)


def _left_behind(folder: Path, store: WorkerStore) -> list[tuple[WorkerStore, Spool]]:
    """Spools of earlier starts that no process uses, the oldest first."""
    found = []
    for path in sorted(folder.iterdir()):
        if not path.is_dir() or path.name == store.incarnation:
            continue
        try:
            spool = Spool(path)
        except (OSError, SpoolBusyError):
            continue
        found.append((store.as_start(Incarnation(path.name)), spool))
    return found
