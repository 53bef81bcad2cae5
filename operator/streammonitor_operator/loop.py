"""Runs the reconciler: a cycle when something changed or is due, one at a time, off the event loop.

The calls to Redis block, so a cycle runs in a thread; whoever wants to look at its state meanwhile
takes the lock (`between_cycles`). What is known to have changed wakes it (`wake`, from any thread);
what comes within a moment of that is taken in the same cycle.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Sequence

from streammonitor_api.errors import StreamMonitorError
from streammonitor_operator.reconcile import Mode, Outcome, Reconciler
from streammonitor_operator.reporting import Update

log = logging.getLogger("streammonitor.operator")

BATCHED_S = 0.05
"""Changes are waited for this long once one came: files and objects come in bunches."""
ALIVE_S = 60.0
"""A loop that has not ended a cycle for so long is stuck: far longer than a cycle that waits for
a Redis that does not answer."""


async def ignore(_: Sequence[Update]) -> None:
    """Write statuses nowhere."""


class OperatorLoop:
    """The loop, until it is cancelled or another operator takes over."""

    def __init__(
        self,
        reconciler: Reconciler,
        write_statuses: Callable[[Sequence[Update]], Awaitable[None]] = ignore,
    ) -> None:
        """`write_statuses` writes what changed, and repeats by itself what could not be written."""
        self.reconciler = reconciler
        self._write_statuses = write_statuses
        self.between_cycles = asyncio.Lock()
        self._woken = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._cycled_at: float | None = None
        self._problem: str | None = None
        self._mode: Mode | None = None
        self.has_decided = False
        """Whether the fleet was ever known since the start; it is not forgotten without Redis."""

    @property
    def is_ready(self) -> bool:
        """Whether it decides: it has a term, and Redis answered."""
        return self._mode is Mode.RUNNING and self._problem is None

    @property
    def is_alive(self) -> bool:
        """Whether cycles end, be it that they find no Redis."""
        return self._cycled_at is None or time.monotonic() - self._cycled_at < ALIVE_S

    @property
    def problem(self) -> str | None:
        """Why Redis cannot be used, if it cannot."""
        return self._problem

    def wake(self) -> None:
        """Have a cycle soon. From any thread."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the event loop has ended meanwhile
                self._loop.call_soon_threadsafe(self._woken.set)

    async def run(self) -> None:
        """Run cycles. Raises FencedError when another operator has taken over."""
        self._loop = asyncio.get_running_loop()
        self._cycled_at = time.monotonic()
        self.reconciler.state.inventory.on_change = self.wake
        while True:
            outcome = await self._cycle()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), outcome.again_s)
                await asyncio.sleep(BATCHED_S)

    async def _cycle(self) -> Outcome:
        async with self.between_cycles:
            self._woken.clear()
            try:
                outcome = await asyncio.to_thread(self.reconciler.step, time.time())
            except StreamMonitorError as error:
                log.error("operator: %s", error)
                raise
            self._cycled_at = time.monotonic()
        self._tell(outcome)
        if outcome.updates:
            await self._write_statuses(outcome.updates)
        return outcome

    def _tell(self, outcome: Outcome) -> None:
        """Log what changed, once."""
        if outcome.problem != self._problem:
            if outcome.problem is not None:
                log.warning("operator: %s; the workers go on watching", outcome.problem)
            else:
                log.info("operator: Redis can be used again")
        if outcome.mode is Mode.RUNNING and self._mode is not Mode.RUNNING:
            log.info("operator: decides, term %s", self.reconciler.term)
            self.has_decided = True
        self._problem = outcome.problem
        self._mode = outcome.mode
        for notice in outcome.notices:
            log.log(notice.level, "%s", notice.text)
