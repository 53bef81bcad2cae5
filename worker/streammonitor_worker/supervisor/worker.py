"""A worker, from its start to its end.

Everything is decided in one thread, the one that calls `run`. The threads that speak with Redis
and engines post what they have to say to its inbox; what is decided is carried out by `desk`, and
goes out through `liaison` (claims), the sink (events) and `workshop` (orders to engines).
"""

from __future__ import annotations

import logging
import queue
import time
from collections.abc import Callable, Iterable, Mapping

from streammonitor_api.events import Event, OpenIncident
from streammonitor_api.fleet.records import BEAT_S, Claimed
from streammonitor_api.fleet.worker_store import WorkerStore
from streammonitor_api.incident import Incident
from streammonitor_worker.fleetclock import FleetClock
from streammonitor_worker.sinks.redis import RedisSink
from streammonitor_worker.supervisor.desk import Desk
from streammonitor_worker.supervisor.duties import Assigned
from streammonitor_worker.supervisor.engines import Message
from streammonitor_worker.supervisor.history import Events
from streammonitor_worker.supervisor.liaison import Liaison
from streammonitor_worker.supervisor.reporting import Facts, Reporter
from streammonitor_worker.supervisor.settings import WorkerSettings
from streammonitor_worker.supervisor.shedding import Shedding
from streammonitor_worker.supervisor.workshop import Workshop

logger = logging.getLogger(__name__)

TICK_S = 0.1
SHED_EVERY_S = 1.0
FLUSH_S = 5.0
"""How long the end waits for events that Redis does not have yet."""
LAST_S = 2.0
"""How long the end waits for engines to end their streams."""

Work = Callable[[float], None]
"""Something for the worker's own thread, with the time at which it does it."""


class Worker:
    """One worker, from its start to its end.

    `history` is what was told of all streams, and `listen` gets each event that is told here, too.
    """

    def __init__(
        self,
        settings: WorkerSettings,
        store: WorkerStore,
        history: Events,
        listen: Callable[[Event], None] = lambda _: None,
    ) -> None:
        self._settings = settings
        self._inbox: queue.SimpleQueue[Work] = queue.SimpleQueue()
        self._drain_until: float | None = None
        self._end_until: float | None = None
        self._superseded = False
        self.clock = FleetClock()
        self.reporter = Reporter(settings, store.incarnation)
        self._liaison = Liaison(
            store, self, lambda whole: self.reporter.beat(whole=whole), history, self.clock
        )
        self.sink = RedisSink(store, self, settings.spool, wall=self.clock.wall)
        self._desk = Desk(
            Workshop(settings.engines, self._on_engine),
            Shedding(settings.capacity_cores),
            settings.key,
            self.clock,
            claim=self._liaison.claim,
            put=self.sink.put,
            listen=listen,
        )

    def run(self) -> int:
        """Be a worker until it is drained, or another takes its place; returns the exit code."""
        self._liaison.start()
        now = next_tick = next_report = next_shed = time.monotonic()
        while not self._is_done(now):
            self._work(next_tick)
            now = time.monotonic()
            if now >= next_tick:
                next_tick = now + TICK_S
                self.reporter.pulse()
                self._desk.pass_time(now)
            if now >= next_shed:
                next_shed = now + SHED_EVERY_S
                self._desk.shed(now)
            if now >= next_report or self._desk.dirty:
                next_report = now + BEAT_S / 2
                self._report()
            if self._desk.urgent:
                self._desk.urgent = False
                self._liaison.beat_now()
        self._finish()
        return 1 if self._superseded else 0

    def drain(self) -> None:
        """End when others have taken over everything. From any thread."""
        self._inbox.put(self._begin_draining)

    def quit(self) -> None:
        """End at once and leave everything to others. From any thread."""
        self._inbox.put(self._begin_ending)

    # What others have to tell: posted to the worker's own thread

    def on_assigned(self, assigned: Mapping[str, Assigned], unwanted: Iterable[str]) -> None:
        def take(now: float) -> None:
            self._desk.do(self._desk.duties.assign(now, assigned, unwanted), now)

        self._inbox.put(take)

    def on_granted(self, claimed: Claimed, closed: Iterable[Incident]) -> None:
        left = [OpenIncident(one.event.incident, one.revision) for one in claimed.open_incidents]
        claim = claimed.claim

        def take(now: float) -> None:
            duties = self._desk.duties
            self._desk.do(duties.granted(now, claim.stream, claim.epoch, left, closed), now)
            self._desk.urgent = True

        self._inbox.put(take)

    def on_refused(self, stream: str, epoch: int, why: str) -> None:
        def take(now: float) -> None:
            if actions := self._desk.duties.refused(now, stream, epoch):
                logger.warning("%s", why)
            self._desk.do(actions, now)

        self._inbox.put(take)

    def on_unclaimed(self, stream: str, epoch: int) -> None:
        def take(_now: float) -> None:
            if self._desk.duties.held().get(stream) == epoch:
                self._liaison.claim(stream, epoch, again=True)

        self._inbox.put(take)

    def on_clock(self, offset_s: float) -> None:
        self._inbox.put(lambda _now: self._desk.workshop.set_clock(offset_s))

    def on_lost_data(self) -> None:
        def take(_now: float) -> None:
            logger.warning("Redis lost what it knew; telling it again")
            self.sink.send_again(self._desk.open_incidents())
            self._desk.tell_all_again()

        self._inbox.put(take)

    def on_superseded(self, why: str) -> None:
        def take(now: float) -> None:
            logger.error("%s", why)
            self._superseded = True
            self._begin_ending(now)

        self._inbox.put(take)

    def _on_engine(self, engine: int, pid: int, message: Message) -> None:
        self._inbox.put(lambda now: self._desk.hear(engine, pid, message, now))

    # The worker's own thread

    def _work(self, until: float) -> None:
        """Do what waits, or wait for it until then."""
        try:
            work = self._inbox.get(timeout=max(0.0, until - time.monotonic()))
        except queue.Empty:
            return
        while True:
            try:
                work(time.monotonic())
            except Exception:  # a bug with one stream may not end the others
                logger.exception("internal error; please report it")
            try:
                work = self._inbox.get_nowait()
            except queue.Empty:
                return

    # Reporting and ending

    def _report(self) -> None:
        desk = self._desk
        desk.dirty = False
        facts = Facts(
            draining=self._drain_until is not None or self._end_until is not None,
            unready=self._unready(),
            engines=self._desk.workshop.processes,
            duties=tuple(desk.duties.values()),
            stats=desk.stats,
            trouble=desk.trouble,
            notes=desk.notes,
            waiting_events=self.sink.waiting,
            redis_up=self._liaison.reached and not self._liaison.trouble,
            engine_deaths=desk.workshop.deaths,
            lowered=desk.lowered,
        )
        self.reporter.update(facts, desk.crew)

    def _unready(self) -> str:
        if self._drain_until is not None or self._end_until is not None:
            return "draining"
        if not self._liaison.reached:
            return self._liaison.trouble or "Redis was not reached yet"
        return self._desk.workshop.trouble

    def _begin_draining(self, now: float) -> None:
        if self._drain_until is None:
            self._drain_until = now + self._settings.drain_s
            logger.warning("draining: %d streams to hand over", len(self._desk.duties))
            self._desk.dirty = self._desk.urgent = True

    def _begin_ending(self, now: float) -> None:
        if self._end_until is None:
            self._end_until = now + LAST_S
            self._desk.do(self._desk.duties.give_up(now), now)
            self._desk.dirty = self._desk.urgent = True

    def _is_done(self, now: float) -> bool:
        if self._drain_until is not None and now >= self._drain_until:
            if len(self._desk.duties):
                logger.warning("drained no further: %d streams are left", len(self._desk.duties))
            self._drain_until = float("inf")
            self._begin_ending(now)
        if self._end_until is not None:
            return not len(self._desk.duties) or now >= self._end_until
        return self._drain_until is not None and not len(self._desk.duties)

    def _finish(self) -> None:
        if not self._superseded and not self.sink.close(FLUSH_S):
            logger.warning("%d events wait for Redis and are left behind", self.sink.waiting)
        self._desk.workshop.stop()
        self._liaison.stop(goodbye=not self._superseded, wait_s=LAST_S)
