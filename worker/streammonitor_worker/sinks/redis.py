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
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from streammonitor_api.errors import (
    LostError,
    UnavailableError,
)
from streammonitor_api.fleet.records import FleetEvent
from streammonitor_api.fleet.worker_store import WorkerStore
from streammonitor_api.names import Incarnation
from streammonitor_worker.segments import SpoolBusyError
from streammonitor_worker.sinks.sender import AgainError, Answers, Sender
from streammonitor_worker.spool import KEEP_S, Spool, SpoolStatus

logger = logging.getLogger(__name__)

AGAIN_S = (0.25, 5.0)
"""Between attempts while Redis is away: the first, and the longest that it doubles to."""


@dataclass(frozen=True, slots=True)
class SinkStatus:
    """How the sink is doing, for metrics and /streams. Counters only grow."""

    spool: SpoolStatus
    recorded: int
    merged: int
    unreadable: int
    error: str | None
    """Why nothing can be sent now; None while all is well."""


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
        self._own = Sender(self, store, spool, is_own=True)
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)
        self._thread.start()

    def _late_sender(self, store: WorkerStore, spool: Spool) -> Sender:
        """Sends what an earlier start left, and what it had sent lately: Redis may have lost it."""
        sender = Sender(self, store, spool, is_own=False)
        unsent = sender.incidents()
        spool.rewind()
        old = sender.silent_since(self._wall() - KEEP_S) - unsent
        sender.handed_on = old | sender.recall()
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
        theirs = self._own.unclosed() - never_sent | self._own.recall()
        self._own.handed_on = (theirs | old) - set(still_open)
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
            except AgainError:
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
