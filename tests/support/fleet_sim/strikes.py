"""What each kind of fault does to the fleet, and how it is over.

When faults come, and how long they last, is drawn in `faults.py`; whether the fleet stood them is
judged in `auditor.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from tests.support.fleet_sim.faults import Fault, Kind
from tests.support.fleet_sim.host import Host
from tests.support.fleet_sim.link import LATE_S

if TYPE_CHECKING:
    from tests.support.fleet_sim.fleet import Simulation

REDIS_STEP_S = 10.0
"""How far the clock of Redis steps at most: a failover to another machine."""


class Strikes:
    """The faults of one simulation."""

    def __init__(self, sim: Simulation) -> None:
        self._sim = sim
        self._strikes: Mapping[Kind, Callable[[Fault], None]] = {
            Kind.WORKER_DEATH: self._worker_death,
            Kind.WORKER_LOSS: self._worker_loss,
            Kind.WORKER_PAUSE: self._worker_pause,
            Kind.WORKER_CUT: self._worker_cut,
            Kind.WORKER_TROUBLE: self._worker_trouble,
            Kind.OPERATOR_TROUBLE: self._operator_trouble,
            Kind.WORKER_JOIN: self._worker_join,
            Kind.WORKER_DRAIN: self._worker_drain,
            Kind.ENGINE_DEATH: self._engine_death,
            Kind.SKEW: self._skew,
            Kind.REDIS_SKEW: self._redis_skew,
            Kind.REDIS_OUTAGE: self._redis_outage,
            Kind.REDIS_LOSS: self._redis_loss,
            Kind.REDIS_ROLLBACK: self._redis_rollback,
            Kind.OPERATOR_DEATH: self._operator_death,
            Kind.OPERATOR_PAUSE: self._operator_pause,
            Kind.OPERATOR_SECOND: self._operator_second,
            Kind.STREAM_CHANGE: self._stream_change,
        }

    def strike(self, fault: Fault) -> None:
        self._sim.result.faults[fault.kind] += 1
        self._sim.trace.note("fault", str(fault))
        self._strikes[fault.kind](fault)

    def heal(self) -> None:
        """The last fault is over: whoever should be there is."""
        self._sim.trace.note("fault", "all over")
        for host in (*self._sim.workers.values(), *self._sim.operators):
            host.link.cut, host.link.trouble = False, 0.0
        living = [host for host in self._sim.operators if host.alive]
        if not living:
            self._sim.add_operator()

    def _pick(self, fault: Fault, hosts: list[Host]) -> Host | None:
        return hosts[int(fault.pick * len(hosts))] if hosts else None

    def _some_worker(self, fault: Fault) -> Host | None:
        return self._pick(fault, [host for host in self._sim.workers.values() if host.alive])

    def _some_operator(self, fault: Fault) -> Host | None:
        return self._pick(fault, [host for host in self._sim.operators if host.alive])

    def _worker_death(self, fault: Fault) -> None:
        """The process dies; it is started again on the same machine, with the same disk."""
        if host := self._some_worker(fault):
            self._sim.trace.note(host.name, "dies")
            host.trouble_until(fault.over_at)
            host.program.die(disk_lost=False)
            host.kill()
            self._sim.clock.at(fault.over_at, lambda: self._sim.start_worker(host))

    def _worker_loss(self, fault: Fault) -> None:
        """The machine is lost; another one comes."""
        if host := self._some_worker(fault):
            self._sim.trace.note(host.name, "is lost")
            host.trouble_until(fault.over_at)
            host.program.die(disk_lost=True)
            host.kill()
            del self._sim.workers[host.name]
            self._sim.clock.at(fault.over_at, self._sim.add_worker)

    def _worker_pause(self, fault: Fault) -> None:
        if (host := self._some_worker(fault)) and host.process is not None:
            self._sim.trace.note(host.name, "stands still")
            host.trouble_until(fault.over_at)
            host.process.stand_still(fault.lasts_s)

    def _worker_cut(self, fault: Fault) -> None:
        if host := self._some_worker(fault):
            self._cut(host, fault)

    def _cut(self, host: Host, fault: Fault) -> None:
        self._sim.trace.note(host.name, "is cut off")
        host.trouble_until(fault.over_at)
        host.link.cut = True

        def mend() -> None:
            host.link.cut = False

        self._sim.clock.at(fault.over_at, mend)

    def _worker_trouble(self, fault: Fault) -> None:
        if host := self._some_worker(fault):
            self._trouble(host, fault)

    def _operator_trouble(self, fault: Fault) -> None:
        if host := self._some_operator(fault):
            self._trouble(host, fault)

    def _trouble(self, host: Host, fault: Fault) -> None:
        self._sim.trace.note(host.name, "has trouble with messages")
        host.trouble_until(fault.over_at + LATE_S[1])
        host.link.trouble = 0.05 + 0.4 * abs(fault.size)

        def end() -> None:
            host.link.trouble = 0.0

        self._sim.clock.at(fault.over_at, end)

    def _worker_join(self, fault: Fault) -> None:
        if len(self._sim.workers) < 2 * self._sim.shape.workers:
            self._sim.add_worker()

    def _worker_drain(self, fault: Fault) -> None:
        if len([host for host in self._sim.workers.values() if host.alive]) > 2:
            host = self._some_worker(fault)
            process = None if host is None else host.process
            if host is not None and process is not None:
                self._sim.trace.note(host.name, "drains")
                process.do(host.program.drain)

    def _engine_death(self, fault: Fault) -> None:
        if host := self._some_worker(fault):
            host.program.kill_engine(fault.size % 1.0)

    def _skew(self, fault: Fault) -> None:
        hosts = [*self._sim.workers.values(), *self._sim.operators]
        if host := self._pick(fault, hosts):
            host.clock.skew_s += fault.size * self._sim.shape.skew_s
            self._sim.trace.note(host.name, f"its clock is wrong by {host.clock.skew_s:.1f} s")

    def _redis_skew(self, fault: Fault) -> None:
        self._sim.redis_clock.skew_s += fault.size * REDIS_STEP_S
        for host in self._sim.workers.values():
            host.trouble_until(self._sim.clock.now)
        self._sim.trace.note("redis", f"its clock is wrong by {self._sim.redis_clock.skew_s:.1f} s")

    def _redis_outage(self, fault: Fault) -> None:
        self._sim.server.up = False
        for host in self._sim.workers.values():
            host.trouble_until(fault.over_at)
        self._sim.clock.at(fault.over_at, self._redis_back)

    def _redis_back(self) -> None:
        self._sim.server.up = True
        self._sim.trace.note("redis", "is back")

    def _redis_loss(self, fault: Fault) -> None:
        self._sim.server.flush()
        self._sim.auditor.data_lost()
        self._redis_outage(fault)

    def _redis_rollback(self, fault: Fault) -> None:
        """It dies, and starts from what it had written to disk some seconds ago."""
        snapshot = self._sim.server.snapshot()

        def restart() -> None:
            self._sim.server.up = False
            self._sim.server.flush()
            self._sim.server.restore(snapshot)
            self._sim.auditor.data_lost()

        self._sim.clock.at(self._sim.clock.now + fault.lasts_s / 2, restart)
        self._sim.clock.at(fault.over_at, self._redis_back)

    def _operator_death(self, fault: Fault) -> None:
        if host := self._some_operator(fault):
            self._sim.trace.note(host.name, "dies")
            host.kill()
            self._sim.operators.remove(host)
            self._sim.auditor.memory_lost()
            self._sim.clock.at(fault.over_at, self._sim.add_operator)

    def _operator_pause(self, fault: Fault) -> None:
        if (host := self._some_operator(fault)) and host.process is not None:
            self._sim.trace.note(host.name, "stands still")
            host.trouble_until(fault.over_at)
            host.process.stand_still(fault.lasts_s)

    def _operator_second(self, fault: Fault) -> None:
        """Another one starts, although there is one: the newer has the say."""
        if len(self._sim.operators) < 3:
            self._sim.add_operator()

    def _stream_change(self, fault: Fault) -> None:
        self._sim.streams.change(
            self._sim, self._sim.random(f"streams {fault.at}"), abs(fault.size)
        )
