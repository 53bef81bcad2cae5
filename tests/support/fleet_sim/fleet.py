"""The whole fleet in virtual time: hosts, operators, Redis, faults, calm, and the judgement.

What runs is the product: reconcile with planner and handover, duties with trackers and tellers,
the typed calls with their Lua scripts. What is simulated is what they stand on: time, machines,
the network, and what engines see of the streams.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from streammonitor_api.fleet.scripts import Scripts
from streammonitor_api.names import WorkerId
from tests.support.fleet_sim.auditor import Auditor
from tests.support.fleet_sim.clock import Clock, MachineClock
from tests.support.fleet_sim.faults import Bout, Kind, make_bouts
from tests.support.fleet_sim.host import Host
from tests.support.fleet_sim.ledger import Ledger, ViolationError
from tests.support.fleet_sim.link import Link, LinkedRedis
from tests.support.fleet_sim.operator import SimOperator
from tests.support.fleet_sim.servers import Edit, MemoryServer, RealServer, Server, unedited
from tests.support.fleet_sim.streams import Streams
from tests.support.fleet_sim.strikes import Strikes
from tests.support.fleet_sim.trace import Trace
from tests.support.fleet_sim.worker import SimWorker, new_disk, simulated_workers
from tests.support.fleet_sim.world import make_world

SETTLE_S = 45.0
"""After a bout: the bound for being watched again, and a move with the longest overlap."""
SETTLED_S = 8.0
"""At least so long: the latest messages have arrived, and the operator has seen all tables."""
WARNING_S = 4.0
"""Before a bout the fleet is woken: some heartbeats and a cycle of the operator."""
LAST_DEFECT_S = 500.0
"""At the end all defects are over and closed."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How large a fleet, for how long, with how much trouble."""

    workers: int = 4
    streams: int = 40
    hours: float = 2.0
    bout_every_s: float = 300.0
    defects_per_hour: float = 0.5
    """On each stream; more where faults are, see `make_world`."""
    kinds: tuple[Kind, ...] = tuple(Kind)
    skew_s: float = 300.0
    """Clocks of machines are wrong by up to this, and step by up to this."""

    @property
    def duration_s(self) -> float:
        return self.hours * 3600


DENSE = Shape()
"""Faults all the time."""
OLDER = Shape(hours=1.0, bout_every_s=120.0, kinds=(Kind.REDIS_ROLLBACK,))
"""A Redis that comes back older again and again: what was written last is what is lost."""
LOSSES = Shape(
    hours=1.0,
    bout_every_s=120.0,
    kinds=(
        Kind.REDIS_LOSS,
        Kind.REDIS_ROLLBACK,
        Kind.WORKER_DEATH,
        Kind.WORKER_LOSS,
        Kind.WORKER_PAUSE,
        Kind.OPERATOR_DEATH,
    ),
)
"""A Redis that loses its data again and again, while those that know it are not there."""
LONG = Shape(workers=5, streams=200, hours=100.0, bout_every_s=8 * 3600.0, defects_per_hour=0.02)
"""What a fleet is like that is mostly left alone: 20,000 stream-hours."""


@dataclass(slots=True)
class Result:
    """What a simulation was, for the record."""

    seed: int
    stream_hours: float
    faults: Counter[str] = field(default_factory=Counter)
    tally: Counter[str] = field(default_factory=Counter)
    back_s: list[float] = field(default_factory=list)
    """How long after each bout all streams were watched again."""
    events: list[str] = field(default_factory=list)
    """What was recorded, in order: to compare runs."""


class Simulation:
    """One seed. `run` returns the result or raises ViolationError."""

    def __init__(
        self,
        seed: int,
        shape: Shape | None = None,
        *,
        real: bool = False,
        echo: Callable[[str], None] | None = None,
        edit: Edit = unedited,
    ) -> None:
        self.seed = seed
        self.shape = shape or Shape()
        self.clock = Clock()
        self.trace = Trace(self.clock, echo)
        self.redis_clock = MachineClock(self.clock)
        self.server: Server = (
            RealServer(self.redis_clock.wall) if real else MemoryServer(self.redis_clock.wall, edit)
        )
        self.streams = Streams(self.shape.streams)
        self.bouts = make_bouts(
            self.random("faults"),
            self.shape.duration_s - LAST_DEFECT_S,
            self.shape.bout_every_s,
            self.shape.kinds,
        )
        self.world = make_world(
            self.random("world"),
            self.streams.all,
            self.shape.duration_s - LAST_DEFECT_S,
            self.shape.defects_per_hour,
            [bout.begins for bout in self.bouts],
        )
        self.ledger = Ledger(self.world)
        self.workers: dict[str, Host] = {}
        self.worker_names: list[WorkerId] = []
        """Of all that ever were."""
        self.operators: list[Host] = []
        self._named = 0
        self.auditor = Auditor(self)
        self.strikes = Strikes(self)
        self.result = Result(seed, self.shape.streams * self.shape.hours)

    # ---- the run ----

    def run(self) -> Result:
        with simulated_workers():
            return self._run()

    def _run(self) -> Result:
        try:
            self._begin()
            for bout in self.bouts:
                self._calm_until(bout.begins - WARNING_S)
                self._through(bout)
            self._calm_until(self.shape.duration_s)
            self.auditor.whole()
            self.result.tally.update(self.ledger.settle(self.shape.duration_s - 60.0))
            self.result.events = self.trace.about("redis")
        except ViolationError as violation:
            raise ViolationError(f"seed {self.seed}: {violation}") from None
        finally:
            self.close()
        return self.result

    def close(self) -> None:
        for host in list(self.workers.values()):
            if host.alive:
                host.program.die(disk_lost=True)
            shutil.rmtree(host.disk, ignore_errors=True)
        self.server.close()

    def _begin(self) -> None:
        for _ in range(self.shape.workers):
            self.add_worker()
        self.add_operator()
        self._run_until(60.0)
        self.auditor.whole()

    def _through(self, bout: Bout) -> None:
        for fault in bout.faults:
            self.clock.at(fault.at, lambda fault=fault: self.strikes.strike(fault))  # type: ignore[misc]
        self._run_until(bout.over)
        self.strikes.heal()
        self.result.back_s.append(self.auditor.wait_until_watched())
        self._settle()

    def _settle(self) -> None:
        """Go on until all moves are made and all events sent: then everything has its place."""
        bound = self.clock.now + SETTLE_S
        self._run_until(self.clock.now + SETTLED_S)
        while self.auditor.is_busy() and self.clock.now < bound:
            self._run_until(self.clock.now + 1.0)
        self.auditor.whole()

    def _run_until(self, until: float) -> None:
        while self.clock.step(until):
            self.auditor.look()

    def _calm_until(self, until: float) -> None:
        """Nothing changes but the streams: heartbeats that say the same are left out."""
        if until <= self.clock.now:
            return
        processes = [host.process for host in (*self.workers.values(), *self.operators)
                     if host.process is not None]  # fmt: skip
        for process in processes:
            process.sleep()
        self._run_until(until)
        for process in processes:
            process.wake()
        self._run_until(until + WARNING_S)

    # ---- who is there ----

    def add_worker(self) -> Host:
        self._named += 1
        host = self._host(f"worker-{self._named}")
        host.disk = new_disk()
        self.workers[host.name] = host
        self.worker_names.append(WorkerId(host.name))
        self.start_worker(host)
        return host

    def start_worker(self, host: Host) -> None:
        process = host.start()

        def begin() -> None:
            host.program = SimWorker(self, host, process)
            host.program.begin()

        process.do(begin)
        self.trace.note(host.name, "starts")

    def add_operator(self) -> Host:
        self._named += 1
        host = self._host(f"operator-{self._named}")
        self.operators.append(host)
        self._start_operator(host)
        return host

    def _start_operator(self, host: Host) -> None:
        process = host.start()

        def begin() -> None:
            host.program = SimOperator(self, host, process)
            host.program.begin()

        process.do(begin)
        self.trace.note(host.name, "starts")

    def _host(self, name: str) -> Host:
        random = self.random(name)
        skew_s = random.uniform(-self.shape.skew_s, self.shape.skew_s)
        clock = MachineClock(self.clock, skew_s, random.uniform(0.0, 1e6))
        link = Link(self.clock, self.server, random, note=lambda text: self.trace.note(name, text))
        return Host(name, clock, link, random)

    def scripts_of(self, host: Host) -> Scripts:
        """The product's scripts, over the host's way to Redis."""
        return Scripts(LinkedRedis(host.link, decode_responses=True), "redis", self.server.preamble)

    def teller(self, worker: str) -> str:
        host = self.workers.get(worker)
        return worker if host is None else host.teller

    def random(self, purpose: str) -> Random:
        return Random(f"{self.seed} {purpose}")

    # ---- ends ----

    def worker_superseded(self, host: Host) -> None:
        """It found another start of itself, and is started again, as a pod is."""
        self.trace.note(host.name, "is superseded")
        host.program.die(disk_lost=False)
        host.kill()
        self.clock.after(1.0, lambda: self.start_worker(host))

    def operator_ended(self, host: Host) -> None:
        """Another operator has taken over."""
        host.kill()
        self.operators.remove(host)
        self.auditor.memory_lost()

    def worker_left(self, host: Host) -> None:
        """A worker that drained has nothing any more and ends."""
        self.trace.note(host.name, "has left")
        host.program.die(disk_lost=True)
        host.kill()
        self.workers.pop(host.name, None)
