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
from tests.support.fleet_sim.faults import Bout, Fault, Kind, make_bouts
from tests.support.fleet_sim.host import Host
from tests.support.fleet_sim.ledger import Ledger, ViolationError
from tests.support.fleet_sim.link import LATE_S, Link, LinkedRedis
from tests.support.fleet_sim.operator import SimOperator
from tests.support.fleet_sim.servers import Edit, MemoryServer, RealServer, Server, unedited
from tests.support.fleet_sim.streams import Streams
from tests.support.fleet_sim.trace import Trace
from tests.support.fleet_sim.worker import SimWorker, new_disk, simulated_workers
from tests.support.fleet_sim.world import make_world

SETTLE_S = 45.0
"""After a bout: the bound for being watched again, and a move with the longest overlap."""
SETTLED_S = 8.0
"""At least so long: the latest messages have arrived, and the operator has seen all tables."""
WARNING_S = 4.0
"""Before a bout the fleet is woken: some heartbeats and a cycle of the operator."""
REDIS_STEP_S = 10.0
"""How far the clock of Redis steps at most: a failover to another machine."""
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
            self._random("faults"),
            self.shape.duration_s - LAST_DEFECT_S,
            self.shape.bout_every_s,
            self.shape.kinds,
        )
        self.world = make_world(
            self._random("world"),
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
        self._snapshots: list[object] = []
        self.auditor = Auditor(self)
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
            self.clock.at(fault.at, lambda fault=fault: self._strike(fault))  # type: ignore[misc]
        self._run_until(bout.over)
        self._heal()
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
        self._start_worker(host)
        return host

    def _start_worker(self, host: Host) -> None:
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
        random = self._random(name)
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

    def _random(self, purpose: str) -> Random:
        return Random(f"{self.seed} {purpose}")

    # ---- faults ----

    def _strike(self, fault: Fault) -> None:
        self.result.faults[fault.kind] += 1
        self.trace.note("fault", str(fault))
        getattr(self, f"_{fault.kind.name.lower()}")(fault)

    def _heal(self) -> None:
        """The last fault is over: whoever should be there is."""
        self.trace.note("fault", "all over")
        for host in (*self.workers.values(), *self.operators):
            host.link.cut, host.link.trouble = False, 0.0
        living = [host for host in self.operators if host.alive]
        if not living:
            self.add_operator()

    def _pick(self, fault: Fault, hosts: list[Host]) -> Host | None:
        return hosts[int(fault.pick * len(hosts))] if hosts else None

    def _some_worker(self, fault: Fault) -> Host | None:
        return self._pick(fault, [host for host in self.workers.values() if host.alive])

    def _some_operator(self, fault: Fault) -> Host | None:
        return self._pick(fault, [host for host in self.operators if host.alive])

    def _worker_death(self, fault: Fault) -> None:
        """The process dies; it is started again on the same machine, with the same disk."""
        if host := self._some_worker(fault):
            self.trace.note(host.name, "dies")
            host.trouble_until(fault.over_at)
            host.program.die(disk_lost=False)
            host.kill()
            self.clock.at(fault.over_at, lambda: self._start_worker(host))

    def _worker_loss(self, fault: Fault) -> None:
        """The machine is lost; another one comes."""
        if host := self._some_worker(fault):
            self.trace.note(host.name, "is lost")
            host.trouble_until(fault.over_at)
            host.program.die(disk_lost=True)
            host.kill()
            del self.workers[host.name]
            self.clock.at(fault.over_at, self.add_worker)

    def _worker_pause(self, fault: Fault) -> None:
        if (host := self._some_worker(fault)) and host.process is not None:
            self.trace.note(host.name, "stands still")
            host.trouble_until(fault.over_at)
            host.process.stand_still(fault.lasts_s)

    def _worker_cut(self, fault: Fault) -> None:
        if host := self._some_worker(fault):
            self._cut(host, fault)

    def _cut(self, host: Host, fault: Fault) -> None:
        self.trace.note(host.name, "is cut off")
        host.trouble_until(fault.over_at)
        host.link.cut = True

        def mend() -> None:
            host.link.cut = False

        self.clock.at(fault.over_at, mend)

    def _worker_trouble(self, fault: Fault) -> None:
        if host := self._some_worker(fault):
            self._trouble(host, fault)

    def _operator_trouble(self, fault: Fault) -> None:
        if host := self._some_operator(fault):
            self._trouble(host, fault)

    def _trouble(self, host: Host, fault: Fault) -> None:
        self.trace.note(host.name, "has trouble with messages")
        host.trouble_until(fault.over_at + LATE_S[1])
        host.link.trouble = 0.05 + 0.4 * abs(fault.size)

        def end() -> None:
            host.link.trouble = 0.0

        self.clock.at(fault.over_at, end)

    def _worker_join(self, fault: Fault) -> None:
        if len(self.workers) < 2 * self.shape.workers:
            self.add_worker()

    def _worker_drain(self, fault: Fault) -> None:
        if len([host for host in self.workers.values() if host.alive]) > 2:
            host = self._some_worker(fault)
            process = None if host is None else host.process
            if host is not None and process is not None:
                self.trace.note(host.name, "drains")
                process.do(host.program.drain)

    def worker_superseded(self, host: Host) -> None:
        """It found another start of itself, and is started again, as a pod is."""
        self.trace.note(host.name, "is superseded")
        host.program.die(disk_lost=False)
        host.kill()
        self.clock.after(1.0, lambda: self._start_worker(host))

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

    def _engine_death(self, fault: Fault) -> None:
        if host := self._some_worker(fault):
            host.program.kill_engine(fault.size % 1.0)

    def _skew(self, fault: Fault) -> None:
        hosts = [*self.workers.values(), *self.operators]
        if host := self._pick(fault, hosts):
            host.clock.skew_s += fault.size * self.shape.skew_s
            self.trace.note(host.name, f"its clock is wrong by {host.clock.skew_s:.1f} s")

    def _redis_skew(self, fault: Fault) -> None:
        self.redis_clock.skew_s += fault.size * REDIS_STEP_S
        for host in self.workers.values():
            host.trouble_until(self.clock.now)
        self.trace.note("redis", f"its clock is wrong by {self.redis_clock.skew_s:.1f} s")

    def _redis_outage(self, fault: Fault) -> None:
        self.server.up = False
        for host in self.workers.values():
            host.trouble_until(fault.over_at)
        self.clock.at(fault.over_at, self._redis_back)

    def _redis_back(self) -> None:
        self.server.up = True
        self.trace.note("redis", "is back")

    def _redis_loss(self, fault: Fault) -> None:
        self.server.flush()
        self.auditor.data_lost()
        self._redis_outage(fault)

    def _redis_rollback(self, fault: Fault) -> None:
        """It dies, and starts from what it had written to disk some seconds ago."""
        snapshot = self.server.snapshot()

        def restart() -> None:
            self.server.up = False
            self.server.flush()
            self.server.restore(snapshot)
            self.auditor.data_lost()

        self.clock.at(self.clock.now + fault.lasts_s / 2, restart)
        self.clock.at(fault.over_at, self._redis_back)

    def _operator_death(self, fault: Fault) -> None:
        if host := self._some_operator(fault):
            self.trace.note(host.name, "dies")
            host.kill()
            self.operators.remove(host)
            self.auditor.memory_lost()
            self.clock.at(fault.over_at, self.add_operator)

    def _operator_pause(self, fault: Fault) -> None:
        if (host := self._some_operator(fault)) and host.process is not None:
            self.trace.note(host.name, "stands still")
            host.trouble_until(fault.over_at)
            host.process.stand_still(fault.lasts_s)

    def _operator_second(self, fault: Fault) -> None:
        """Another one starts, although there is one: the newer has the say."""
        if len(self.operators) < 3:
            self.add_operator()

    def _stream_change(self, fault: Fault) -> None:
        self.streams.change(self, self._random(f"streams {fault.at}"), abs(fault.size))
