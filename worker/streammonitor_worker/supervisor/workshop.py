"""The engines of a worker at work: carries out where `crew` places streams.

For the worker's main thread, which starts engines and so keeps them alive.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping

from streammonitor_worker.engine.messages import ClockOrder, StreamOrder
from streammonitor_worker.supervisor.crew import Burial, Crew
from streammonitor_worker.supervisor.engines import Died, EngineProcess, Inbox

logger = logging.getLogger(__name__)

UNABLE_AFTER = 3
"""Engines that ended in a row before they could decode anything: then this worker cannot."""
SILENT_S = 15.0
"""An engine tells how its streams are twice a second. One that has said nothing for so long hangs,
in a media library that keeps the interpreter's lock, and is killed."""
START_S = 60.0
"""How long one may take to begin, on a machine that is very busy."""
PAUSED_S = 2.0
"""Nobody looked for so long: the machine slept, so that engines were silent says nothing."""
FIRST_AGAIN_S = 0.5
LONGEST_AGAIN_S = 10.0
"""Before another engine is tried after one that could not even begin."""


class Workshop:
    """Engine processes by number. `inbox` takes what they say."""

    def __init__(
        self, engines: int, inbox: Inbox, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.crew = Crew(engines)
        self._inbox = inbox
        self._clock = clock
        self._running: dict[int, EngineProcess] = {}
        self._failures = 0
        self._not_before = 0.0
        self._unsent: dict[int, list[StreamOrder]] = {}
        self._heard: dict[int, float] = {}
        """Until when an engine has to say something."""
        self._looked_at: float | None = None
        self._clock_order: ClockOrder | None = None
        self.deaths = 0
        """Engines that died."""
        self.trouble = ""
        """Why nothing can be decoded here; empty where it can."""

    @property
    def processes(self) -> Mapping[int, int]:
        """Process ids by number of engine."""
        return {number: engine.pid for number, engine in self._running.items()}

    def is_current(self, engine: int, pid: int) -> bool:
        """Whether that process is still this engine: one that was replaced may be heard late."""
        return engine in self._running and self._running[engine].pid == pid

    def send(self, order: StreamOrder) -> None:
        """Give an order to the engine of its stream; engines are started as needed."""
        engine = self.crew.engine_of(order.stream)
        if engine is None:
            return
        if engine not in self._running and self._clock() < self._not_before:
            self._unsent.setdefault(engine, []).append(order)
            return
        self._start(engine).send(order)

    def set_clock(self, offset_s: float) -> None:
        """Have all engines tell the time by this, those that are started later too."""
        self._clock_order = ClockOrder(offset_s)
        for engine in self._running.values():
            engine.send(self._clock_order)

    def ready(self) -> None:
        """An engine can decode."""
        self._failures, self.trouble = 0, ""

    def heard(self, now: float, engine: int) -> None:
        """An engine has said something."""
        self._heard[engine] = now + SILENT_S

    def died(self, now: float, engine: int, died: Died) -> Burial:
        """An engine has died; says what becomes of its streams."""
        self._running.pop(engine, None)
        self._unsent.pop(engine, None)
        self._heard.pop(engine, None)
        self.deaths += 1
        streams = self.crew.members(engine)
        logger.warning("engine %d: %s; %d streams begin anew", engine, died.how, len(streams))
        if died.was_ready:
            return self.crew.died(now, engine, died.culprit)
        self._failures += 1
        wait_s = min(LONGEST_AGAIN_S, FIRST_AGAIN_S * 2 ** (self._failures - 1))
        self._not_before = now + wait_s
        if self._failures >= UNABLE_AFTER:
            self.trouble = f"engines end before they can decode ({died.how}); see the log"
        return Burial(tuple(streams), ())

    def pass_time(self, now: float) -> None:
        """Start what had to wait; end engines that hang, or have no streams."""
        if self._unsent and now >= self._not_before:
            unsent, self._unsent = self._unsent, {}
            for orders in unsent.values():
                for order in orders:
                    self.send(order)
        for number in set(self._running) - self.crew.engines():
            self._heard.pop(number, None)
            self._running.pop(number).stop()
        self._kill_silent(now)

    def _kill_silent(self, now: float) -> None:
        looked_at, self._looked_at = self._looked_at, now
        if looked_at is not None and now - looked_at > PAUSED_S:
            self._heard = dict.fromkeys(self._heard, now + SILENT_S)
        for number, until in self._heard.items():
            if now >= until and number in self._running:
                logger.warning("engine %d: silent for %.0f s; killing it", number, SILENT_S)
                self._running[number].kill()
                self._heard[number] = now + SILENT_S

    def stop(self) -> None:
        """End all engines."""
        running, self._running = self._running, {}
        for engine in running.values():
            engine.stop()

    def _start(self, engine: int) -> EngineProcess:
        if engine not in self._running:
            self._running[engine] = EngineProcess(engine, self._inbox)
            if self._clock_order is not None:
                self._running[engine].send(self._clock_order)
            self._heard[engine] = self._clock() + START_S
        return self._running[engine]
