"""Carries out what `duties`, `crew` and `shedding` decide, and hears what engines say.

For the worker's own thread, and without waiting for anything: claims and events are handed to
others, orders go to engines.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Protocol

from streammonitor_api.events import Event, OpenIncident
from streammonitor_api.fidelity import Fidelity
from streammonitor_api.fleet.records import FleetEvent
from streammonitor_api.incident import wall_time
from streammonitor_api.names import Epoch, StreamKey
from streammonitor_api.sealing import FleetKey, SealingError
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
from streammonitor_worker.fleetclock import FleetClock
from streammonitor_worker.supervisor import quarantine
from streammonitor_worker.supervisor.actions import (
    Action,
    Cancel,
    Claim,
    Close,
    Own,
    Release,
    Watch,
)
from streammonitor_worker.supervisor.crew import TRUST_S
from streammonitor_worker.supervisor.duties import Duties, Duty, State
from streammonitor_worker.supervisor.engines import Died, Message
from streammonitor_worker.supervisor.orders import watch_order, without_credentials
from streammonitor_worker.supervisor.shedding import Load, Shedding
from streammonitor_worker.supervisor.workshop import Workshop

logger = logging.getLogger(__name__)

NO_LONGER_WANTED = "the stream is no longer wanted"


class Claiming(Protocol):
    """Asks for a stream's epoch."""

    def __call__(self, stream: str, epoch: int, *, again: bool = False) -> None: ...


class Desk:
    """Everything that a worker has at hand.

    `claim` asks for a stream's epoch, `put` takes an event for the fleet, `listen` gets each event
    that is told here.
    """

    def __init__(
        self,
        workshop: Workshop,
        shedding: Shedding,
        key: FleetKey | None,
        clock: FleetClock,
        *,
        claim: Claiming,
        put: Callable[[FleetEvent], None],
        listen: Callable[[Event], None],
    ) -> None:
        self.duties = Duties()
        self.workshop = workshop
        self.crew = workshop.crew
        self.stats: dict[str, StreamStats] = {}
        self.trouble: dict[str, str] = {}
        """Streams in quarantine, and why."""
        self.notes: dict[str, str] = {}
        """What else is wrong with streams: their credentials cannot be opened."""
        self.dirty = True
        """Something changed that may be told."""
        self.urgent = False
        """It is to be told now, and not with the next heartbeat."""
        self._shedding = shedding
        self._key = key
        self._clock = clock
        self._claim = claim
        self._put_event = put
        self._listen = listen

    @property
    def lowered(self) -> int:
        """Streams that are watched less closely than is wanted."""
        return len(self._shedding.limits)

    def pass_time(self, now: float) -> None:
        """Notice what only the clock can tell."""
        self.do(self.duties.pass_time(now), now)
        over, _ = self.crew.pass_time(now)
        for stream in over:
            self.trouble.pop(stream, None)
            self.do(self.duties.lost(now, stream), now)
        self.workshop.pass_time(now)
        for duty in list(self.duties.values()):
            well = duty.watched_since is not None and now - duty.watched_since >= TRUST_S
            if well and duty.claimed and not self.crew.quarantined(duty.stream):
                self._end_quarantine(duty)

    def do(self, actions: Iterable[Action], now: float) -> None:
        """Carry out what was decided."""
        for action in actions:
            self.dirty = True
            match action:
                case Watch():
                    self._watch(now, action)
                case Own():
                    left_open = quarantine.of_engines(action.left_open)
                    self.workshop.send(OwnOrder(action.stream, left_open, action.closed))
                case Claim():
                    self._claim(action.stream, action.epoch)
                case Release():
                    self._end(now, action.stream, None)
                case Cancel():
                    self._end(now, action.stream, NO_LONGER_WANTED)
                case Close():
                    self._close(action.stream, action.epoch, action.left_open)

    def _watch(self, now: float, action: Watch) -> None:
        stream = action.stream
        if self.crew.quarantined(stream) and stream in self.trouble:
            return  # until its time is over
        try:
            order = watch_order(action.spec, self._key, action.join_s)
            self.notes.pop(stream, None)
        except SealingError as error:
            logger.warning("%s", error)
            self.notes[stream] = str(error)
            order = without_credentials(action.spec)
        self.crew.place(now, stream)
        self.workshop.send(order)
        if stream in self._shedding.limits:
            self.workshop.send(LimitOrder(stream, self._shedding.limits[stream]))

    def _end(self, now: float, stream: str, cancelled: str | None) -> None:
        duty = self.duties[stream]
        own = [one for one in duty.left_open.values()
               if one.incident.detector == quarantine.DETECTOR]  # fmt: skip
        if cancelled is not None and own:
            self._close(stream, duty.claimed, tuple(own))
        if self.crew.engine_of(stream) is None:
            self.do(self.duties.lost(now, stream), now)
            self._forget(stream)
        else:
            self.workshop.send(EndOrder(stream, cancelled))

    def _forget(self, stream: str) -> None:
        if stream not in self.duties:
            self.crew.leave(stream)
            self.stats.pop(stream, None)
            self.trouble.pop(stream, None)
            self.notes.pop(stream, None)

    def _close(self, stream: str, epoch: int, left_open: Iterable[OpenIncident]) -> None:
        for one in left_open:
            event = quarantine.cancelled(one, self._clock.wall(), NO_LONGER_WANTED)
            if stream in self.duties:
                self.duties[stream].note(event, time.monotonic())
            self._send(stream, epoch, event)

    def hear(self, engine: int, pid: int, message: Message, now: float) -> None:
        """Take what an engine said."""
        if not self.workshop.is_current(engine, pid):
            return  # one that we ended ourselves
        self.workshop.heard(now, engine)
        match message:
            case Ready():
                self.workshop.ready()
            case Told():
                self._publish(now, message.stream, message.event)
            case Seen():
                self.do(self.duties.watched(now, message.stream), now)
                self.urgent = True
            case Ended():
                self.crew.leave(message.stream)
                self.stats.pop(message.stream, None)
                self.do(self.duties.ended(now, message.stream), now)
                self.urgent = True
            case Stats():
                self.stats |= {one.stream: one for one in message.streams}
                weights = {one.stream: one.cores for one in message.streams if one.cores}
                self.crew.weigh(weights)
            case Died():
                self._bury(now, engine, message)

    def _bury(self, now: float, engine: int, died: Died) -> None:
        burial = self.workshop.died(now, engine, died)
        for stream in (*burial.again, *burial.quarantined):
            self.stats.pop(stream, None)
        for stream in burial.again:
            self.do(self.duties.lost(now, stream), now)
            self._forget(stream)
        for stream in burial.quarantined:
            deaths = self.crew.deaths(stream)
            self.trouble[stream] = f"in quarantine: its engine died {deaths} times, {died.how}"
            logger.warning("%s: %s", stream, self.trouble[stream])
            duty = self.duties[stream]
            if duty.state is State.LEAVING:
                self.do(self.duties.lost(now, stream), now)
                self._forget(stream)
            elif event := quarantine.opening(duty, self._clock.wall(), deaths, died.how, 0.0):
                self._publish(now, stream, event)
        self.dirty = True

    def _end_quarantine(self, duty: Duty) -> None:
        for one in list(duty.left_open.values()):
            if one.incident.detector == quarantine.DETECTOR:
                since = datetime.fromisoformat(one.incident.onset.wall).timestamp()
                if event := quarantine.closing(duty, self._clock.wall(), since):
                    self._publish(time.monotonic(), duty.stream, event)

    def _publish(self, now: float, stream: str, event: Event) -> None:
        if epoch := self.duties.note(now, stream, event):
            self._send(stream, epoch, event)
            self._listen(event)
            self.dirty = True

    def _send(self, stream: str, epoch: int, event: Event) -> None:
        notify = self.duties[stream].assigned.spec.notify if stream in self.duties else ()
        told = FleetEvent(
            stream=StreamKey(stream),
            epoch=Epoch(epoch),
            revision=event.revision,
            event=event,
            notify=notify,
        )
        self._put_event(told)

    def open_incidents(self) -> set[str]:
        """Of the streams that are owned: what was told and not closed."""
        owned = (duty for duty in self.duties.values() if duty.claimed)
        return {one.incident.id for duty in owned for one in duty.left_open.values()}

    def tell_all_again(self) -> None:
        """Redis lost its data: it is to know again who owns what, and what is open."""
        for stream, epoch in self.duties.held().items():
            self._claim(stream, epoch, again=True)
        for duty in self.duties.values():
            for one in duty.left_open.values() if duty.claimed else ():
                kind = "opened" if one.revision == 1 else "updated"
                event = Event(kind, wall_time(self._clock.wall()), one.incident, one.revision)  # type: ignore[arg-type]
                self._send(duty.stream, duty.claimed, event)

    def shed(self, now: float) -> None:
        """Lower and raise fidelities as capacity asks for."""
        loads = {}
        for duty in self.duties.values():
            stats = self.stats.get(duty.stream)
            if stats is None or stats.cores is None:
                continue
            spec = duty.assigned.spec
            full = stats.full_cores or stats.cores
            wanted = Fidelity(spec.mode)
            loads[duty.stream] = Load(spec.priority, wanted, stats.cores, full, stats.lag_s)
        for stream, fidelity in self._shedding.choose(now, loads).items():
            logger.warning("%s: watched at %s, as capacity allows", stream, fidelity)
            self.workshop.send(LimitOrder(stream, fidelity))
