"""Where a stream waits, so that every wait ends at once when the stream is stopped.

One object per stream, shared by its readers. It adds up how long the stream waited for others
(media that had not come, the pace of playing): time in which it was not busy.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SLICE_S = 0.2
"""The longest a wait goes without looking whether the stream was stopped."""


class Waiting:
    """Waits that can be stopped from another thread."""

    def __init__(self) -> None:
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._breakers: list[Callable[[], None]] = []
        self.waited_s = 0.0
        """Seconds waited so far."""

    @property
    def stopped(self) -> bool:
        return self._stopped.is_set()

    def stop(self) -> None:
        """End all waits, now and to come. May be called from any thread, more than once."""
        self._stopped.set()
        with self._lock:
            breakers = list(self._breakers)
        for break_wait in breakers:
            break_wait()

    def sleep(self, seconds: float) -> None:
        """Wait for a time, counted as waited."""
        with self.counted():
            self._stopped.wait(max(0.0, seconds))

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count the time spent inside as waited."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.waited_s += time.monotonic() - began

    @contextmanager
    def broken_by(self, break_wait: Callable[[], None]) -> Iterator[None]:
        """Call `break_wait` when the stream is stopped while inside: for waits of others."""
        with self._lock:
            self._breakers.append(break_wait)
        try:
            if self.stopped:
                break_wait()
            yield
        finally:
            with self._lock:
                self._breakers.remove(break_wait)
