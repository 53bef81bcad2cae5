"""Where a worker runs: a machine with a clock, a disk and a link that outlive the process."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

from tests.support.fleet_sim.clock import MachineClock
from tests.support.fleet_sim.link import Link
from tests.support.fleet_sim.machine import Process


@dataclass
class Host:
    """A machine for one process at a time."""

    name: str
    clock: MachineClock
    link: Link
    random: Random
    disk: Any = None
    process: Process | None = None
    program: Any = None
    """The worker or operator that runs in the process."""
    starts: int = 0
    started_at: float = 0.0
    trouble_from: float = 0.0
    troubled_at: float = 0.0
    """Until when something was wrong with it."""

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.alive

    @property
    def still(self) -> bool:
        return self.process is not None and self.process.still

    @property
    def teller(self) -> str:
        """Names this start of it."""
        return f"{self.name}#{self.starts}"

    def trouble_until(self, when: float) -> None:
        if self.troubled_at < self.clock.clock.now:
            self.trouble_from = self.clock.clock.now
        self.troubled_at = max(self.troubled_at, when)

    def start(self) -> Process:
        self.starts += 1
        self.started_at = self.clock.clock.now
        self.trouble_until(self.clock.clock.now)
        self.process = Process(self.name, self.clock)
        self.link.stand_still = self.process.stand_still
        return self.process

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
        self.process = self.program = None
