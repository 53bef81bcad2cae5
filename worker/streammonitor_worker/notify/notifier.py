"""Takes events from the fleet's history and sends them to whoever is to be notified.

All workers share the work through a consumer group: an event is one worker's until it has reached
all its targets. What a worker took and did not finish, because it died or a target failed, is
taken over after `TAKE_OVER_S` by any of them, and sent with the same id to the targets that do not
have it. So each event arrives at least once, and a receiver that remembers ids sees it once.

    an event that is too old      given up after `GIVE_UP_S`, and said so in the log
    a target that fails           rests, see `lanes.py`; the others are not held up
    an event it will never take   given up at once, and said so in the log
    an event nobody can read      left out, and said so in the log

One thread talks to Redis, a few to the targets; one target gets its events one after the other.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from streammonitor_api.errors import UnavailableError
from streammonitor_api.fleet.notifier_store import Delivery, NotifierStore
from streammonitor_api.fleet.records import FleetEvent, NotifyTarget
from streammonitor_worker.notify.lanes import QUICK_S, Rest, jittered
from streammonitor_worker.notify.messages import Messenger
from streammonitor_worker.notify.post import SENDERS, Outcome

logger = logging.getLogger(__name__)

TAKE_OVER_S = 30.0
"""Longer than an event takes whose targets answer slowly."""
LOOK_OVER_S = 5.0
KEEP_S = 10.0
GIVE_UP_S = 3600.0
IN_HAND = 256
"""Events that a worker has at a time; the others wait in Redis."""
WAIT_S = 2.0
"""Redis is asked for events for so long; under the timeout of its connection."""


@dataclass(frozen=True, slots=True)
class NotifierStatus:
    """How sending goes, for metrics. Counters only grow."""

    delivered: int
    failed: int
    """Attempts that failed."""
    given_up: int
    resting: tuple[str, ...]
    """Targets that fail now, as `namespace/monitor#name`."""


@dataclass(slots=True)
class _Job:
    """An event in hand, and which of its targets are still to be dealt with."""

    entry: str
    told: FleetEvent
    old_s: float
    left: set[str]
    delivered: set[str] = field(default_factory=set)
    parked: bool = False


@dataclass(slots=True)
class _Lane:
    """What waits for one target."""

    target: NotifyTarget
    label: str
    rest: Rest = field(default_factory=Rest)
    jobs: deque[_Job] = field(default_factory=deque)
    running: bool = False


class Notifier:
    """See the module. Started by the worker, once."""

    def __init__(
        self,
        store: NotifierStore,
        messenger: Messenger,
        *,
        take_over_s: float = TAKE_OVER_S,
        give_up_s: float = GIVE_UP_S,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._messenger = messenger
        self._take_over_s = take_over_s
        self._give_up_s = give_up_s
        self._clock = clock
        self._wall = wall
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._in_hand: dict[str, _Job] = {}
        self._lanes: dict[str, _Lane] = {}
        self._unacknowledged: list[str] = []
        self._delivered = self._failed = self._given_up = 0
        self._senders = ThreadPoolExecutor(SENDERS, thread_name_prefix="notify")
        self._thread = threading.Thread(target=self._run, name="notifier", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self, wait_s: float = 5.0) -> None:
        """Stop taking events; what is in hand and unsent is left to the other workers."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(wait_s + WAIT_S)
        self._senders.shutdown(wait=True, cancel_futures=True)
        with contextlib.suppress(UnavailableError):
            self._store.leave()

    @property
    def status(self) -> NotifierStatus:
        with self._lock:
            resting = tuple(
                sorted(lane.label for lane in self._lanes.values() if lane.rest.failures)
            )
            return NotifierStatus(self._delivered, self._failed, self._given_up, resting)

    # The thread that talks to Redis

    def _run(self) -> None:
        look_at = keep_at = self._clock()
        trouble = False
        while not self._stop.is_set():
            try:
                self._acknowledge_rest()
                if self._clock() >= keep_at:
                    keep_at = self._clock() + KEEP_S
                    self._store.keep(list(self._in_hand))
                if self._clock() >= look_at and self._take_over() < IN_HAND // 2:
                    look_at = self._clock() + min(LOOK_OVER_S, self._take_over_s)
                self._take()
                trouble = False
            except UnavailableError as error:
                if not trouble:
                    logger.warning("notifications: %s", error)
                trouble = True
                self._stop.wait(jittered(2.0))
            except Exception:  # the only thread that takes: a bug may not end all notifications
                logger.exception("notifications: failed; trying again")
                self._stop.wait(5.0)

    def _take(self) -> None:
        room = IN_HAND - len(self._in_hand)
        if room <= 0:
            self._stop.wait(0.1)
            return
        wait_s = min(WAIT_S, self._take_over_s)
        for delivery in self._store.take(count=min(room, 64), wait_s=wait_s):
            self._accept(delivery)

    def _take_over(self) -> int:
        room = min(IN_HAND // 2, IN_HAND - len(self._in_hand))
        if room <= 0:
            return 0
        deliveries = self._store.take_over(idle_s=self._take_over_s, count=room)
        for delivery in deliveries:
            if delivery.entry not in self._in_hand:
                self._accept(delivery)
        return len(deliveries)

    def _accept(self, delivery: Delivery) -> None:
        recorded = delivery.event
        if recorded is None:
            logger.error("event %s: cannot be read or is gone; not sent", delivery.entry)
            self._acknowledge(delivery.entry)
            return
        told = recorded.told
        wanted = [one for one in told.notify if one.wants(told.event)]
        if recorded.merged_into is not None:
            wanted = []  # another view of an incident that is told of anyway
        if wanted and delivery.times > 1:
            sent = self._store.read_sent(delivery.entry)
            wanted = [one for one in wanted if one.name not in sent]
        if not wanted:
            self._acknowledge(delivery.entry)
            return
        old_s = self._wall() - recorded.recorded_ms / 1000
        job = _Job(delivery.entry, told, old_s, {one.name for one in wanted})
        with self._lock:
            self._in_hand[job.entry] = job
            for target in wanted:
                self._enqueue(target, job)

    def _enqueue(self, target: NotifyTarget, job: _Job) -> None:
        label = target.sealed_for(job.told.stream)
        lane = self._lanes.get(label)
        if lane is None:
            lane = self._lanes[label] = _Lane(target, label)
        lane.target = target
        lane.jobs.append(job)
        if not lane.running:
            lane.running = True
            self._senders.submit(self._serve, lane)

    def _acknowledge(self, entry: str) -> None:
        try:
            self._store.acknowledge([entry])
        except UnavailableError:
            self._unacknowledged.append(entry)

    def _acknowledge_rest(self) -> None:
        while self._unacknowledged:
            self._store.acknowledge(self._unacknowledged[-1:])
            self._unacknowledged.pop()

    # The threads that talk to targets

    def _serve(self, lane: _Lane) -> None:
        while True:
            with self._lock:
                if not lane.jobs or self._stop.is_set():
                    lane.running = False
                    return
                job = lane.jobs.popleft()
            try:
                self._deliver(lane, job)
            except Exception:  # a bug with one event may not silence its target, nor lose the event
                logger.exception("%s: not sent; trying again", lane.label)
                self._settle(lane, job, parked=True)

    def _deliver(self, lane: _Lane, job: _Job) -> None:
        if lane.rest.is_resting(self._clock()):
            self._park(lane, job, None)
            return
        if lane.target.kind == "alertmanager" and self._is_over(job.told):
            self._settle(lane, job)  # that it is over has been told, or will be
            return
        outcome = self._attempt(lane, job)
        if outcome.error is None:
            if lane.rest.failures:
                logger.info("%s: takes notifications again", lane.label)
            lane.rest.note_success()
            with self._lock:
                self._delivered += 1
                job.delivered.add(lane.target.name)
            self._settle(lane, job)
        elif outcome.permanent:
            self._give_up(lane, job, outcome.error)
        else:
            if not lane.rest.failures:
                logger.warning("%s: not notified, %s; trying again", lane.label, outcome.error)
            lane.rest.note_failure(self._clock(), outcome.pause_s)
            self._park(lane, job, outcome.error)

    def _attempt(self, lane: _Lane, job: _Job) -> Outcome:
        """Try, more than once where the target was well until now."""
        pauses = () if lane.rest.failures else QUICK_S
        outcome = self._messenger.send(lane.target, job.told)
        for pause_s in pauses:
            if outcome.error is None or outcome.permanent or outcome.pause_s is not None:
                break
            self._count_failure()
            if self._stop.wait(jittered(pause_s)):
                break
            outcome = self._messenger.send(lane.target, job.told)
        if outcome.error is not None:
            self._count_failure()
        return outcome

    def _count_failure(self) -> None:
        with self._lock:
            self._failed += 1

    def _is_over(self, told: FleetEvent) -> bool:
        """Whether an alert would fire for an incident that has been closed meanwhile."""
        try:
            return told.event.kind != "closed" and not self._store.is_open(told.event.incident.id)
        except UnavailableError:
            return False

    def _park(self, lane: _Lane, job: _Job, error: str | None) -> None:
        """Leave it to be taken over, by this worker or another, unless it is too old."""
        if job.old_s > self._give_up_s:
            self._give_up(lane, job, f"{error or 'it fails'} for {self._give_up_s / 60:.0f} min")
        else:
            self._settle(lane, job, parked=True)

    def _give_up(self, lane: _Lane, job: _Job, error: str) -> None:
        logger.error("%s: event %s is not sent, %s; given up", lane.label, job.told.id, error)
        with self._lock:
            self._given_up += 1
        self._settle(lane, job)

    def _settle(self, lane: _Lane, job: _Job, *, parked: bool = False) -> None:
        """A target is dealt with; with the last one the event is."""
        with self._lock:
            job.left.discard(lane.target.name)
            job.parked |= parked
            if job.left:
                return
        if job.parked:
            try:
                self._store.note_sent(job.entry, job.delivered)
            except UnavailableError:
                logger.warning("%s: may be notified of %s twice", lane.label, job.told.id)
        else:
            self._acknowledge(job.entry)
        with self._lock:
            self._in_hand.pop(job.entry, None)
