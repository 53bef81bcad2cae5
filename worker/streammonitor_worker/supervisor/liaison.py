"""Speaks with Redis for a worker: heartbeats in one thread, claims and assignments in another.

A heartbeat may wait for nothing but Redis: whoever is silent for 3 s is dead to the fleet. What
comes of it is posted to the worker's own thread. While Redis is away everything here is tried
again for as long as it takes, with one line in the log when that begins and one when it ends.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from streammonitor_api.errors import FencedError, LostError, StreamMonitorError
from streammonitor_api.fleet.records import (
    BEAT_S,
    DEAD_AFTER_S,
    Assignment,
    Assignments,
    BeatAnswer,
    Claimed,
    Heartbeat,
    StreamSpec,
    StreamTable,
)
from streammonitor_api.fleet.worker_store import LATEST_MS, WorkerStore
from streammonitor_api.incident import Incident
from streammonitor_api.names import Epoch, Revision, StreamKey
from streammonitor_worker.fleetclock import FleetClock
from streammonitor_worker.supervisor.duties import Assigned
from streammonitor_worker.supervisor.history import Events, read_closed

logger = logging.getLogger(__name__)

OPENING_S = 2.0
"""What it takes to open most streams: for so long they are not watched either."""
FAILOVER_S = DEAD_AFTER_S + 2 * BEAT_S + OPENING_S
"""For how long at least nobody has watched a stream whose owner died: until that was noticed, and
this worker has read it with a heartbeat and opened the stream. Longer gaps are on record."""
TELL_AGAIN_S = 60.0
"""How often it is said that Redis is still away."""


class Told(Protocol):
    """What becomes of it, for the worker; called from threads of ours."""

    def on_assigned(self, assigned: Mapping[str, Assigned], unwanted: Iterable[str]) -> None:
        """These are all assignments of this worker; those streams are wanted by nobody."""

    def on_granted(self, claimed: Claimed, closed: Iterable[Incident]) -> None:
        """A claim is ours; `closed` are incidents of the stream that ended lately."""

    def on_refused(self, stream: str, epoch: int, why: str) -> None: ...

    def on_unclaimed(self, stream: str, epoch: int) -> None:
        """Redis does not know of this claim; ask for it again if it is still held."""

    def on_clock(self, offset_s: float) -> None:
        """The fleet's clock was learned, or corrected."""

    def on_lost_data(self) -> None:
        """Redis forgot what it was told."""

    def on_superseded(self, why: str) -> None:
        """Another process is this worker now."""


@dataclass(frozen=True, slots=True)
class Beat:
    """A heartbeat to send; the table where it is to be told."""

    heartbeat: Heartbeat
    table: StreamTable | None


class Liaison:
    """The two threads.

    `beat` says how the worker is, at the moment in which it is called; with True, including the
    table. None: nothing is to be said. `history` is asked what was told of a stream lately, and
    `clock` kept right.
    """

    def __init__(
        self,
        store: WorkerStore,
        told: Told,
        beat: Callable[[bool], Beat | None],
        history: Events,
        clock: FleetClock,
    ) -> None:
        self._store = store
        self._clock = clock
        self._told = told
        self._beat = beat
        self._history = history
        self._claims: deque[tuple[StreamKey, Epoch, bool]] = deque()
        self._unclaimed: deque[tuple[str, int]] = deque()
        """Held claims that Redis forgot and did not take again yet."""
        self._claimed_ms: dict[tuple[StreamKey, Epoch], int] = {}
        """When claims were made: a Redis that lost its data is told."""
        self._whole = True
        self._errands: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._beat_now = threading.Event()
        self._serial = 0
        self._revision: Revision | None = None
        self._specs: dict[str, tuple[str, StreamSpec]] = {}
        """With the revision, which takes long to compute."""
        self._assigned: set[str] = set()
        self._asked: Revision | None = None
        self._trouble = Trouble()
        self._errand_trouble = Trouble()
        self._threads = [
            threading.Thread(target=self._run_beats, name="heartbeat", daemon=True),
            threading.Thread(target=self._run_errands, name="claims", daemon=True),
        ]

    @property
    def reached(self) -> bool:
        """Whether Redis has ever answered a heartbeat."""
        return self._serial > 0

    @property
    def trouble(self) -> str:
        """Why Redis cannot be used at the moment; empty where it can."""
        return self._trouble.why

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def claim(self, stream: str, epoch: int, *, again: bool = False) -> None:
        """Ask for a claim, one that was held before or a new one; the answer is told, where there
        is one."""
        self._claims.append((StreamKey(stream), Epoch(epoch), again))
        self._errands.put(self._claim_all)

    def beat_now(self) -> None:
        """Do not wait for the next beat: something is to be known at once."""
        self._beat_now.set()

    def stop(self, *, goodbye: bool, wait_s: float) -> None:
        """Stop; with a goodbye the fleet need not wait to notice."""
        self._stop.set()
        self._beat_now.set()
        self._errands.put(None)
        until = time.monotonic() + wait_s
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        if goodbye and self.reached and not self.trouble:
            try:
                self._store.say_goodbye()
            except StreamMonitorError as error:
                logger.warning("goodbye: %s", error)

    def _run_beats(self) -> None:
        due = time.monotonic()
        while not self._stop.is_set():
            self._send_beat()
            due = max(due + BEAT_S, time.monotonic())
            if self._beat_now.wait(max(0.0, due - time.monotonic())):
                self._beat_now.clear()
                due = time.monotonic()

    def _send_beat(self) -> None:
        beat = self._beat(self._whole)
        if beat is None:
            return
        self._whole = beat.table is not None  # until it is known to have come
        asked_at = time.monotonic()
        try:
            answer = self._store.beat(beat.heartbeat, beat.table, serial=self._serial)
        except FencedError as error:
            self._told.on_superseded(str(error))
            self._stop.set()
        except StreamMonitorError as error:
            self._trouble.begin(error)
        else:
            self._serial += 1
            self._whole = answer.lost
            self._trouble.end()
            self._set_clock(asked_at, time.monotonic(), answer.redis_ms / 1000)
            self._take(answer)

    def _set_clock(self, asked_at: float, heard_at: float, redis_s: float) -> None:
        if self._clock.learn(asked_at, heard_at, redis_s) and self._clock.offset_s is not None:
            self._told.on_clock(self._clock.offset_s)

    def _take(self, answer: BeatAnswer) -> None:
        if answer.lost:
            self._revision = self._asked = None
            self._told.on_lost_data()
        for _ in range(len(self._unclaimed)):
            self._told.on_unclaimed(*self._unclaimed.popleft())
        if answer.revision not in (0, self._revision, self._asked):
            self._asked = answer.revision
            self._errands.put(self._read_assignments)

    def _run_errands(self) -> None:
        while (errand := self._errands.get()) is not None:
            try:
                errand()
            except StreamMonitorError as error:
                self._errand_trouble.begin(error)
                self._asked = None
            else:
                self._errand_trouble.end()

    def _claim_all(self) -> None:
        """Claim all that is asked for by now. What others told is read when the last is ours:
        from then on they tell nothing more."""
        granted: list[Claimed] = []
        try:
            while self._claims:
                stream, epoch, again = self._claims.popleft()
                try:
                    granted.append(self._claim_one(stream, epoch, again))
                except FencedError as error:
                    self._told.on_refused(stream, epoch, str(error))
                except LostError as error:
                    logger.info("%s", error)
                    if again:
                        self._unclaimed.append((stream, epoch))
        finally:
            if granted:
                first_ms = min(one.claim.claimed_ms for one in granted)
                streams = [one.claim.stream for one in granted]
                closed = read_closed(self._history, streams, first_ms)
                for one in granted:
                    self._told.on_granted(one, closed[one.claim.stream])

    def _claim_one(self, stream: StreamKey, epoch: Epoch, again: bool) -> Claimed:
        since_ms = self._claimed_ms.get((stream, epoch), LATEST_MS)
        claimed = self._store.claim(stream, epoch, again=again, since_ms=since_ms)
        self._claimed_ms[stream, epoch] = claimed.claim.claimed_ms
        return claimed

    def _read_assignments(self) -> None:
        found = self._store.read_assignments()
        if found.revision == 0:
            self._asked = None
            return
        wanted = found.by_stream
        lacking = [
            stream
            for stream, one in wanted.items()
            if stream not in self._specs or self._specs[stream][0] != one.spec_revision
        ]
        gone = [StreamKey(stream) for stream in self._assigned if stream not in wanted]
        specs = self._store.read_specs([*lacking, *gone]) if lacking or gone else {}
        for stream in lacking:
            if stream in specs:
                self._specs[stream] = (specs[stream].revision, specs[stream])
        self._specs = {stream: spec for stream, spec in self._specs.items() if stream in wanted}
        known = self._assigned | set(wanted)  # an older Redis may not name one for a moment
        kept = {key: at_ms for key, at_ms in self._claimed_ms.items() if key[0] in known}
        self._claimed_ms, self._assigned = kept, set(wanted)
        self._revision, self._asked = found.revision, None
        assigned = self._with_specs(found, self._unwatched_s(wanted, lacking))
        self._told.on_assigned(assigned, [one for one in gone if one not in specs])

    def _unwatched_s(
        self, wanted: Mapping[StreamKey, Assignment], new: Iterable[StreamKey]
    ) -> dict[StreamKey, float]:
        """For how long nobody has watched those of these streams that had an owner and lost it."""
        lost = [one for one in new if wanted[one].epoch > 1 and not wanted[one].overlap_s]
        gaps, now_ms = self._store.read_open_gaps(lost), self._clock.wall() * 1000
        known = {one.stream: (now_ms - one.from_ms) / 1000 + OPENING_S for one in gaps}
        return {one: max(FAILOVER_S, known.get(one, 0.0)) for one in lost}

    def _with_specs(
        self, found: Assignments, unwatched_s: Mapping[StreamKey, float]
    ) -> dict[str, Assigned]:
        """Assignments whose spec is missing wait for it: the next revision brings it."""
        known = {one: self._specs[one] for one in found.by_stream if one in self._specs}
        return {
            stream: Assigned(
                one.epoch,
                one.overlap_s,
                known[stream][1],
                known[stream][0],
                unwatched_s.get(stream, 0.0),
                known[stream][1].overlap_s,
            )
            for stream, one in found.by_stream.items()
            if stream in known
        }


class Trouble:
    """Says once that Redis cannot be used, and once that it can again."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._since: float | None = None
        self._told_at = 0.0
        self._told: set[str] = set()
        self.why = ""

    def begin(self, error: StreamMonitorError) -> None:
        with self._lock:
            now = self._clock()
            if self._since is None:
                self._since = now
            self.why = str(error)
            if now - self._told_at >= TELL_AGAIN_S:
                self._told.clear()
            if self.why not in self._told:  # errors take turns: refused, then not in time
                self._told.add(self.why)
                self._told_at = now
                logger.warning("%s; streams are watched on, and it is tried further", error)

    def end(self) -> None:
        with self._lock:
            if self._since is not None:
                away_s = self._clock() - self._since
                logger.warning("Redis answers again, after %.0f s", away_s)
            self._since, self.why = None, ""
            self._told.clear()
