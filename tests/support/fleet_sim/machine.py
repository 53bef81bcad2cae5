"""A process on a machine of its own: it can stand still, die and start again.

Everything that a simulated process does is done through its `Process`, which drops what a dead one
had planned and postpones what a paused one cannot do: after a pause it does all of it at once,
believing that no time has passed, as a process does that was stopped.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.support.fleet_sim.clock import Clock, MachineClock, Timer, virtual_time


@dataclass
class Loop:
    """Something that a process does again and again."""

    action: Callable[[], float]
    """Returns in how many seconds it is to be done again."""
    timer: Timer | None = None


@dataclass
class Process:
    """Runs actions in virtual time until it is killed."""

    name: str
    clock: MachineClock
    still_until: float = 0.0
    alive: bool = True
    asleep: bool = False
    loops: list[Loop] = field(default_factory=list)

    @property
    def time(self) -> Clock:
        return self.clock.clock

    @property
    def still(self) -> bool:
        return self.time.now < self.still_until

    def at(self, when: float, action: Callable[[], None]) -> Timer:
        """Do something once, unless it is dead by then; later, if it stands still then."""

        def run() -> None:
            if not self.alive:
                return
            if self.still:
                self.time.at(self.still_until, run)
                return
            self.do(action)

        return self.time.at(when, run)

    def do(self, action: Callable[[], None]) -> None:
        """Do something now, by this machine's clocks."""
        before, virtual_time.machine = virtual_time.machine, self.clock
        try:
            action()
        finally:
            virtual_time.machine = before

    def every(self, period_s: float, action: Callable[[], None], first_s: float) -> None:
        """Do something again and again; whoever stood still does not do it all in one."""

        def act() -> float:
            action()
            return period_s

        self.cycle(act, first_s)

    def cycle(self, action: Callable[[], float], first_s: float = 0.0) -> None:
        """Do something again and again, as soon as it asks for."""
        loop = Loop(action)
        self.loops.append(loop)
        loop.timer = self.at(self.time.now + first_s, self._rounds(loop))

    def stand_still(self, duration_s: float) -> None:
        self.still_until = max(self.still_until, self.time.now + duration_s)

    def kill(self) -> None:
        self.alive = False

    def sleep(self) -> None:
        """Leave out the loops until `wake`; what was planned once is still done."""
        self.asleep = True
        for loop in self.loops:
            if loop.timer is not None:
                loop.timer.cancel()

    def wake(self) -> None:
        """Go on with the loops, each at once."""
        self.asleep = False
        for loop in self.loops:
            loop.timer = self.at(self.time.now, self._rounds(loop))

    def _rounds(self, loop: Loop) -> Callable[[], None]:
        return lambda: self._round(loop)

    def _round(self, loop: Loop) -> None:
        again_s = loop.action()
        if not self.asleep and again_s < float("inf"):
            loop.timer = self.at(self.time.now + again_s, self._rounds(loop))
