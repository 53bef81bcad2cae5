"""Virtual time: a clock that jumps to the next thing that happens, and skewed views of it.

There is one true time, in seconds since the simulation began. Nobody in the fleet sees it: each
machine has a wall clock with an error of its own, Redis too, and monotonic clocks begin anywhere.
What happens at the same instant happens in the order in which it was asked for, so a seed always
gives the same run.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field

EPOCH_S = 1_800_000_000.0
"""What wall clocks without error show at the beginning: seconds since 1970."""


@dataclass(order=True, slots=True)
class Timer:
    """Something that will happen; `cancel` makes it not happen."""

    at: float
    order: int
    action: Callable[[], object] = field(compare=False)
    cancelled: bool = field(default=False, compare=False)

    def cancel(self) -> None:
        self.cancelled = True


class Clock:
    """True time, and what will happen in it."""

    def __init__(self) -> None:
        self.now = 0.0
        self._order = 0
        self._timers: list[Timer] = []

    def at(self, when: float, action: Callable[[], object]) -> Timer:
        """Do something at a time; at once, after what else is due, when that has passed."""
        self._order += 1
        timer = Timer(max(when, self.now), self._order, action)
        heapq.heappush(self._timers, timer)
        return timer

    def after(self, delay_s: float, action: Callable[[], object]) -> Timer:
        return self.at(self.now + delay_s, action)

    def step(self, until: float) -> bool:
        """Jump to the next timer up to `until` and run it; False when there is none."""
        while self._timers and self._timers[0].cancelled:
            heapq.heappop(self._timers)
        if not self._timers or self._timers[0].at > until:
            self.now = max(self.now, until)
            return False
        timer = heapq.heappop(self._timers)
        self.now = timer.at
        timer.action()
        return True

    def next_at(self) -> float | None:
        """When something happens next, if anything does."""
        while self._timers and self._timers[0].cancelled:
            heapq.heappop(self._timers)
        return self._timers[0].at if self._timers else None


@dataclass(slots=True)
class MachineClock:
    """The clocks of one machine: a wall clock that is wrong by `skew_s`, which may jump, and a
    monotonic one that begins where it likes."""

    clock: Clock
    skew_s: float = 0.0
    boot_s: float = 0.0

    def wall(self) -> float:
        return EPOCH_S + self.clock.now + self.skew_s

    def monotonic(self) -> float:
        return self.clock.now + self.boot_s


class VirtualTime:
    """Stands for the module `time` in what is simulated: the clocks of the machine at work."""

    def __init__(self) -> None:
        self.machine: MachineClock | None = None

    def monotonic(self) -> float:
        return self._at_work.monotonic()

    def time(self) -> float:
        return self._at_work.wall()

    def sleep(self, seconds: float) -> None:
        raise AssertionError(f"simulated code slept for {seconds} s instead of being called later")

    @property
    def _at_work(self) -> MachineClock:
        if self.machine is None:
            raise AssertionError("simulated code asked for the time outside of a process")
        return self.machine


virtual_time = VirtualTime()
