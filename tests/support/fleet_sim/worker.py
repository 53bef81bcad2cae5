"""A simulated worker: the product's worker, sink and spool, on virtual time and simulated engines.

The product runs them in threads: one that decides, one for heartbeats, one for claims, one for
events. Here they take turns: whoever has something to do does it, until nobody has. So a run is
repeatable, and each step of one thread is atomic; what happens between two steps of a real one is
left to the tests of the product itself.
"""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from streammonitor_api.errors import StreamMonitorError, UnavailableError
from streammonitor_api.fleet.records import BEAT_S
from streammonitor_api.fleet.store import ReaderStore, WorkerStore
from streammonitor_api.names import Incarnation, WorkerId
from streammonitor_worker import fleetclock
from streammonitor_worker.engine.messages import Told
from streammonitor_worker.sinks import redis as redis_sink
from streammonitor_worker.sinks.sender import AgainError
from streammonitor_worker.spool import Spool
from streammonitor_worker.supervisor import desk, liaison, reporting, workshop
from streammonitor_worker.supervisor import worker as worker_module
from streammonitor_worker.supervisor.engines import Message
from streammonitor_worker.supervisor.settings import WorkerSettings
from tests.support.fleet_sim.auditor import FLEET
from tests.support.fleet_sim.clock import virtual_time
from tests.support.fleet_sim.engine import SimEngine
from tests.support.fleet_sim.host import Host
from tests.support.fleet_sim.machine import Process

if TYPE_CHECKING:
    from tests.support.fleet_sim.fleet import Simulation

ENGINES = 2
CAPACITY_CORES = 8.0
SINK_S = 0.25
"""How often what could not be sent is tried again."""
_at_work: list[SimWorker] = []
"""The worker whose turn it is: engines are started by it."""


class SimWorker:
    """One start of a worker on a host."""

    def __init__(self, fleet: Simulation, host: Host, process: Process) -> None:
        self.host = host
        self.draining = False
        self._fleet = fleet
        self._process = process
        self._engines: list[SimEngine] = []
        self._pids = 0
        self._turning = False
        self._dead = False
        self._heard = True
        self._unready = "it has not begun"
        incarnation = Incarnation(f"{round(host.clock.wall() * 1000):011x}{host.starts:05x}")
        scripts = fleet.scripts_of(host)
        store = WorkerStore(scripts, FLEET, WorkerId(host.name), incarnation)
        settings = WorkerSettings(
            worker=WorkerId(host.name),
            fleet=FLEET,
            capacity_cores=CAPACITY_CORES,
            engines=ENGINES,
            spool=host.disk,
        )
        self._program = worker_module.Worker(settings, store, ReaderStore(scripts, FLEET))
        self._desk = self._program._desk
        self._sink: Any = self._program.sink
        self._store = store

    def begin(self) -> None:
        first_s = self.host.random.uniform(0.0, BEAT_S)
        self._process.every(BEAT_S, self._beat, first_s)
        self._process.every(SINK_S, self._send, first_s)

    # ---- what the simulation does to it ----

    def drain(self) -> None:
        self.draining = True
        self._program.drain()

    def die(self, disk_lost: bool) -> None:
        """Be killed: nothing is said, nothing written. What is on disk stays there."""
        self._dead = True
        ledger = self._fleet.ledger
        if disk_lost:
            for incident in self._sink._own.incidents():
                ledger.excuse(incident, self.host.name)
        for engine in self._engines:
            engine.stop()
        for sender in (self._sink._own, *self._sink._left):
            _abandon(sender.spool)
        if disk_lost:
            shutil.rmtree(self.host.disk, ignore_errors=True)

    def kill_engine(self, pick: float) -> None:
        busy = [engine for engine in self._engines if engine.streams]
        if busy:
            victim = busy[int(pick * len(busy))]
            self._fleet.trace.note(self.host.name, f"engine {victim.number} dies")
            self._process.do(victim.die)

    # ---- what the auditor sees ----

    @property
    def streams(self) -> list[str]:
        """All that its engines have."""
        return [stream for engine in self._engines for stream in engine.streams]

    @property
    def watched(self) -> list[str]:
        """What it watches and owns."""
        held = self._desk.duties.held()
        return [
            stream
            for engine in self._engines
            for stream in engine.streams
            if stream in held and engine.watching(stream)
        ]

    def sees(self, stream: str) -> bool:
        """Whether it watches a stream, its own or not."""
        return any(engine.watching(stream) for engine in self._engines)

    @property
    def waiting(self) -> int:
        """Events that Redis does not have yet."""
        return int(self._sink.waiting)

    # ---- its threads, by turns ----

    def start_engine(self, number: int, inbox: Any) -> SimEngine:
        self._pids += 1
        pid = self._pids

        def tell(message: Message) -> None:
            if self._dead:
                return
            if isinstance(message, Told) and self._process.still:
                return
            inbox(number, pid, message)
            self._heard = True
            self._turn()

        fleet = self._fleet
        engine = SimEngine(
            number, pid, self._process, fleet.world, fleet.ledger, self.host.random, tell
        )
        self._engines = [one for one in self._engines if one.streams or one.number != number]
        self._engines.append(engine)
        return engine

    def _beat(self) -> None:
        """The thread of heartbeats, and the ticks of the one that decides."""
        now = virtual_time.monotonic()
        with self._working():
            self._program.reporter.pulse()
            for engine in self._engines:  # which would have said that nothing is new
                self._desk.workshop.heard(now, engine.number)
            self._desk.pass_time(now)
            self._report_news()
        self._turn()
        if not self._dead:
            self._program._liaison._send_beat()
            self._turn()

    def _send(self) -> None:
        """The thread of events."""
        if not (self._sink.waiting or self._sink._left or self._sink._own.has_unfinished):
            return
        with contextlib.suppress(UnavailableError, AgainError):
            self._sink._send_all()
        self._turn()

    def _turn(self) -> None:
        """Go on until nobody has anything to do."""
        if self._turning or self._dead or self._process.still:
            return
        with self._working():
            while self._decide() or self._run_errands() or self._beat_early() or self._send_news():
                pass
        self._end_if_done()

    @contextlib.contextmanager
    def _working(self) -> Iterator[None]:
        self._turning = True
        _at_work.append(self)
        try:
            yield
        finally:
            _at_work.pop()
            self._turning = False

    def _decide(self) -> bool:
        done = False
        with contextlib.suppress(queue.Empty):
            while True:
                work = self._program._inbox.get_nowait()
                work(virtual_time.monotonic())
                done = True
        if done:
            self._report_news()
        return done

    def _report_news(self) -> None:
        """Where nothing has changed, a report would say what the last one said."""
        unready = self._program._unready()
        if self._desk.dirty or self._heard or unready != self._unready:
            self._heard, self._unready = False, unready
            self._program._report()

    def _run_errands(self) -> bool:
        """The thread of claims and assignments."""
        speaker = self._program._liaison
        try:
            errand = speaker._errands.get_nowait()
        except queue.Empty:
            return False
        try:
            if errand is not None:
                errand()
        except UnavailableError as error:
            speaker._trouble.begin(error)
            speaker._asked = None
        except StreamMonitorError as error:
            self._fleet.trace.note(self.host.name, str(error))
            speaker._asked = None
        return True

    def _beat_early(self) -> bool:
        if not self._desk.urgent:
            return False
        self._desk.urgent = False
        self._program._liaison._send_beat()
        return True

    def _send_news(self) -> bool:
        if not self._sink._spool.status.waiting or self._tried == self._sink._spool.status:
            return False
        with contextlib.suppress(UnavailableError, AgainError):
            self._sink._send_all()
        self._tried = self._sink._spool.status
        return True

    _tried: Any = None

    def _end_if_done(self) -> None:
        program = self._program
        if self._dead or not program._is_done(virtual_time.monotonic()):
            return
        if program._superseded:
            self._fleet.worker_superseded(self.host)
            return
        if self._sink.waiting:
            return
        with contextlib.suppress(StreamMonitorError):
            self._store.say_goodbye()
        self._fleet.worker_left(self.host)


def new_disk() -> Path:
    """A folder that outlives a worker's process."""
    return Path(tempfile.mkdtemp(prefix="fleet-sim-disk-", dir=_memory_disk()))


@contextlib.contextmanager
def simulated_workers() -> Iterator[None]:
    """Have the product's worker ask for virtual time, and start simulated engines."""

    def start(number: int, inbox: Any) -> SimEngine:
        return _at_work[-1].start_engine(number, inbox)

    with contextlib.ExitStack() as stack:
        for module in (worker_module, desk, liaison, reporting, fleetclock):
            stack.enter_context(patch.object(module, "time", virtual_time))
        stack.enter_context(patch.object(workshop, "EngineProcess", start))
        clock = virtual_time.monotonic
        sink = partial(redis_sink.RedisSink, clock=clock, wall=virtual_time.time)
        works = partial(workshop.Workshop, clock=clock)
        spool = partial(Spool, clock=clock)
        stack.enter_context(patch.object(worker_module, "RedisSink", sink))
        stack.enter_context(patch.object(worker_module, "Workshop", works))
        stack.enter_context(patch.object(redis_sink, "Spool", spool))
        stack.enter_context(patch.object(redis_sink, "threading", _NoThreads()))
        yield


class _NoThreads:
    """Stands for the module `threading` where a thread is started that takes turns here."""

    def __getattr__(self, name: str) -> Any:
        import threading

        return getattr(threading, name)

    class Thread:
        def __init__(self, **_: Any) -> None:
            pass

        def start(self) -> None:
            pass

        def is_alive(self) -> bool:
            return False

        def join(self, _timeout: float) -> None:
            pass


def _abandon(spool: Any) -> None:
    """What a killed process leaves of its spool: its files, and no lock on them."""
    for name in ("_file", "_guard"):
        if getattr(spool, name) is not None:
            os.close(getattr(spool, name))
            setattr(spool, name, None)


def _memory_disk() -> str | None:
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108
