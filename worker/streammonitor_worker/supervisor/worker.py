"""A worker: the shell around `duties`, `crew` and `shedding`.

Everything is decided in one thread, the one that calls `run`. The threads that speak with Redis,
engines and HTTP post what they have to say to its inbox; what is decided goes out through
`liaison` (claims), the sink (events) and `workshop` (orders to engines).
"""

from __future__ import annotations

import logging
import queue
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from streammonitor_api.events import Event, OpenIncident
from streammonitor_api.fidelity import Fidelity
from streammonitor_api.fleet.records import BEAT_S, Claimed, FleetEvent
from streammonitor_api.fleet.worker_store import WorkerStore
from streammonitor_api.incident import Incident
from streammonitor_api.names import Epoch, StreamKey
from streammonitor_api.sealing import SealingError
from streammonitor_worker.engine.messages import (
    Ended,
    EndOrder,
    LimitOrder,
    OwnOrder,
    Ready,
    Seen,
    Stats,
    StreamStats,
    Told,
)
from streammonitor_worker.sinks.redis import RedisSink
from streammonitor_worker.supervisor import quarantine
from streammonitor_worker.supervisor.crew import TRUST_S
from streammonitor_worker.supervisor.duties import (
    Action,
    Assigned,
    Cancel,
    Claim,
    Close,
    Duties,
    Duty,
    Own,
    Release,
    Watch,
)
from streammonitor_worker.supervisor.engines import Died, Message
from streammonitor_worker.supervisor.history import Events
from streammonitor_worker.supervisor.liaison import Liaison
from streammonitor_worker.supervisor.orders import watch_order, without_credentials
from streammonitor_worker.supervisor.reporting import Facts, Reporter
from streammonitor_worker.supervisor.settings import WorkerSettings
from streammonitor_worker.supervisor.shedding import Load, Shedding
from streammonitor_worker.supervisor.workshop import Workshop

logger = logging.getLogger(__name__)

TICK_S = 0.1
SHED_EVERY_S = 1.0
FLUSH_S = 5.0
"""How long the end waits for events that Redis does not have yet."""
LAST_S = 2.0
"""How long the end waits for engines to end their streams."""
NO_LONGER_WANTED = "the stream is no longer wanted"

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
        self._listen = listen
        self._inbox: queue.SimpleQueue[Work] = queue.SimpleQueue()
        self._duties = Duties()
        self._workshop = Workshop(settings.engines, self._on_engine)
        self._crew = self._workshop.crew
        self._shedding = Shedding(settings.capacity_cores)
        self._stats: dict[str, StreamStats] = {}
        self._trouble: dict[str, str] = {}
        self._drain_until: float | None = None
        self._end_until: float | None = None
        self._superseded = False
        self._dirty = True
        self.reporter = Reporter(settings, store.incarnation)
        self._liaison = Liaison(store, self, lambda whole: self.reporter.beat(whole=whole), history)
        self._sink = RedisSink(store, self, settings.spool)

    def run(self) -> int:
        """Be a worker until it is drained, or another takes its place; returns the exit code."""
        self._liaison.start()
        now = next_tick = next_report = next_shed = time.monotonic()
        while not self._is_done(now):
            self._work(next_tick)
            now = time.monotonic()
            if now >= next_tick:
                next_tick = now + TICK_S
                self._tick(now)
            if now >= next_shed:
                next_shed = now + SHED_EVERY_S
                self._shed(now)
            if now >= next_report or self._dirty:
                next_report = now + BEAT_S / 2
                self._report()
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
        self._inbox.put(lambda now: self._do(self._duties.assign(now, assigned, unwanted), now))

    def on_granted(self, claimed: Claimed, closed: Iterable[Incident]) -> None:
        left = [OpenIncident(one.event.incident, one.revision) for one in claimed.open_incidents]
        claim = claimed.claim

        def take(now: float) -> None:
            granted = self._duties.granted(now, claim.stream, claim.epoch, left, closed)
            self._do(granted, now)
            self._tell_at_once()

        self._inbox.put(take)

    def on_refused(self, stream: str, epoch: int, why: str) -> None:
        def take(now: float) -> None:
            if actions := self._duties.refused(now, stream, epoch):
                logger.warning("%s: %s; stopping", stream, why)
            self._do(actions, now)

        self._inbox.put(take)

    def on_unclaimed(self, stream: str, epoch: int) -> None:
        def take(_now: float) -> None:
            if self._duties.held().get(stream) == epoch:
                self._liaison.claim(stream, epoch)

        self._inbox.put(take)

    def on_lost_data(self) -> None:
        self._inbox.put(self._tell_all_again)

    def on_superseded(self, why: str) -> None:
        def take(now: float) -> None:
            logger.error("%s", why)
            self._superseded = True
            self._begin_ending(now)

        self._inbox.put(take)

    def _on_engine(self, engine: int, pid: int, message: Message) -> None:
        self._inbox.put(lambda now: self._hear(engine, pid, message, now))

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

    def _tick(self, now: float) -> None:
        self.reporter.pulse()
        self._do(self._duties.pass_time(now), now)
        over, _ = self._crew.pass_time(now)
        for stream in over:
            self._trouble.pop(stream, None)
            self._do(self._duties.lost(now, stream), now)
        self._workshop.pass_time(now)
        for duty in list(self._duties.values()):
            well = duty.watched_since is not None and now - duty.watched_since >= TRUST_S
            if well and duty.claimed and not self._crew.quarantined(duty.stream):
                self._end_quarantine(duty)

    def _do(self, actions: Iterable[Action], now: float) -> None:
        for action in actions:
            self._dirty = True
            match action:
                case Watch():
                    self._watch(now, action)
                case Own():
                    left_open = quarantine.of_engines(action.left_open)
                    self._workshop.send(OwnOrder(action.stream, left_open, action.closed))
                case Claim():
                    self._liaison.claim(action.stream, action.epoch)
                case Release():
                    self._end(now, action.stream, None)
                case Cancel():
                    self._end(now, action.stream, NO_LONGER_WANTED)
                case Close():
                    self._close(action.stream, action.epoch, action.left_open)

    def _watch(self, now: float, action: Watch) -> None:
        stream = action.stream
        if self._crew.quarantined(stream) and stream in self._trouble:
            return  # until its time is over
        try:
            order = watch_order(action.spec, self._settings.key)
        except SealingError as error:
            logger.warning("%s", error)
            order = without_credentials(action.spec)
        self._crew.place(now, stream)
        self._workshop.send(order)
        if stream in self._shedding.limits:
            self._workshop.send(LimitOrder(stream, self._shedding.limits[stream]))

    def _end(self, now: float, stream: str, cancelled: str | None) -> None:
        duty = self._duties[stream]
        own = [one for one in duty.left_open.values()
               if one.incident.detector == quarantine.DETECTOR]  # fmt: skip
        if cancelled is not None and own:
            self._close(stream, duty.claimed, tuple(own))
        if self._crew.engine_of(stream) is None:
            self._do(self._duties.lost(now, stream), now)
            self._forget(stream)
        else:
            self._workshop.send(EndOrder(stream, cancelled))

    def _forget(self, stream: str) -> None:
        if stream not in self._duties:
            self._crew.leave(stream)
            self._stats.pop(stream, None)
            self._trouble.pop(stream, None)

    def _close(self, stream: str, epoch: int, left_open: Iterable[OpenIncident]) -> None:
        for one in left_open:
            event = quarantine.cancelled(one, time.time(), NO_LONGER_WANTED)
            if stream in self._duties:
                self._duties[stream].note(event, time.monotonic())
            self._put(stream, epoch, event)

    def _hear(self, engine: int, pid: int, message: Message, now: float) -> None:
        if not self._workshop.is_current(engine, pid):
            return  # one that we ended ourselves
        self._workshop.heard(now, engine)
        match message:
            case Ready():
                self._workshop.ready()
            case Told():
                self._publish(now, message.stream, message.event)
            case Seen():
                self._do(self._duties.watched(now, message.stream), now)
                self._tell_at_once()
            case Ended():
                self._crew.leave(message.stream)
                self._stats.pop(message.stream, None)
                self._do(self._duties.ended(now, message.stream), now)
                self._tell_at_once()
            case Stats():
                self._stats |= {one.stream: one for one in message.streams}
                weights = {one.stream: one.cores for one in message.streams if one.cores}
                self._crew.weigh(weights)
            case Died():
                self._bury(now, engine, message)

    def _bury(self, now: float, engine: int, died: Died) -> None:
        burial = self._workshop.died(now, engine, died)
        for stream in (*burial.again, *burial.quarantined):
            self._stats.pop(stream, None)
        for stream in burial.again:
            self._do(self._duties.lost(now, stream), now)
            self._forget(stream)
        for stream in burial.quarantined:
            deaths = self._crew.deaths(stream)
            self._trouble[stream] = f"in quarantine: its engine died {deaths} times, {died.how}"
            logger.warning("%s: %s", stream, self._trouble[stream])
            duty = self._duties[stream]
            if event := quarantine.opening(duty, time.time(), deaths, died.how, 0.0):
                self._publish(now, stream, event)
        self._dirty = True

    def _end_quarantine(self, duty: Duty) -> None:
        for one in list(duty.left_open.values()):
            if one.incident.detector == quarantine.DETECTOR:
                since = datetime.fromisoformat(one.incident.onset.wall).timestamp()
                if event := quarantine.closing(duty, time.time(), since):
                    self._publish(time.monotonic(), duty.stream, event)

    def _publish(self, now: float, stream: str, event: Event) -> None:
        if epoch := self._duties.note(now, stream, event):
            self._put(stream, epoch, event)
            self._listen(event)
            self._dirty = True

    def _put(self, stream: str, epoch: int, event: Event) -> None:
        notify = self._duties[stream].assigned.spec.notify if stream in self._duties else ()
        told = FleetEvent(
            stream=StreamKey(stream),
            epoch=Epoch(epoch),
            revision=event.revision,
            event=event,
            notify=notify,
        )
        self._sink.put(told)

    def _tell_all_again(self, _now: float) -> None:
        """Redis lost its data: it is to know again who owns what, and what is open."""
        logger.warning("Redis lost what it knew; telling it again")
        for stream, epoch in self._duties.held().items():
            self._liaison.claim(stream, epoch)
        self._sink.send_again()
        for duty in self._duties.values():
            for one in duty.left_open.values() if duty.claimed else ():
                kind = "opened" if one.revision == 1 else "updated"
                wall = one.incident.onset.wall
                event = Event(kind, wall, one.incident, one.revision)  # type: ignore[arg-type]
                self._put(duty.stream, duty.claimed, event)

    def _shed(self, now: float) -> None:
        loads = {}
        for duty in self._duties.values():
            stats = self._stats.get(duty.stream)
            if stats is None or stats.cores is None:
                continue
            spec = duty.assigned.spec
            full = stats.full_cores or stats.cores
            wanted = Fidelity(spec.mode)
            loads[duty.stream] = Load(spec.priority, wanted, stats.cores, full, stats.lag_s)
        for stream, fidelity in self._shedding.choose(now, loads).items():
            logger.warning("%s: watched at %s, as capacity allows", stream, fidelity)
            self._workshop.send(LimitOrder(stream, fidelity))

    # Reporting and ending

    def _report(self) -> None:
        self._dirty = False
        facts = Facts(
            draining=self._drain_until is not None or self._end_until is not None,
            unready=self._unready(),
            engines=self._workshop.processes,
            duties=tuple(self._duties.values()),
            stats=self._stats,
            trouble=self._trouble,
            waiting_events=self._sink.waiting,
        )
        self.reporter.update(facts, self._crew)

    def _unready(self) -> str:
        if self._drain_until is not None or self._end_until is not None:
            return "draining"
        if not self._liaison.reached:
            return self._liaison.trouble or "Redis was not reached yet"
        return self._workshop.trouble

    def _tell_at_once(self) -> None:
        self._report()
        self._liaison.beat_now()

    def _begin_draining(self, now: float) -> None:
        if self._drain_until is None:
            self._drain_until = now + self._settings.drain_s
            logger.warning("draining: %d streams to hand over", len(self._duties))
            self._tell_at_once()

    def _begin_ending(self, now: float) -> None:
        if self._end_until is None:
            self._end_until = now + LAST_S
            self._do(self._duties.give_up(now), now)
            self._tell_at_once()

    def _is_done(self, now: float) -> bool:
        if self._drain_until is not None and now >= self._drain_until:
            if len(self._duties):
                logger.warning("drained no further: %d streams are left", len(self._duties))
            self._drain_until = float("inf")
            self._begin_ending(now)
        if self._end_until is not None:
            return not len(self._duties) or now >= self._end_until
        return self._drain_until is not None and not len(self._duties)

    def _finish(self) -> None:
        if not self._superseded and not self._sink.close(FLUSH_S):
            logger.warning("%d events wait for Redis and are left behind", self._sink.waiting)
        self._workshop.stop()
        self._liaison.stop(goodbye=not self._superseded, wait_s=LAST_S)
