"""CPU cores that a stream uses: measured on its threads, smoothed.

Pure, but for the clocks that are read by `thread_cpu_s`.
"""

from __future__ import annotations

import math
import threading
import time

SMOOTHING_S = 10.0
"""Time constant: five groups of pictures of 2 s, in which a stream is busy and idle by turns, as
its segments come."""
FIRST_S = 3.0
"""Nothing is said before: opening and the first segments, read at once, are not the stream's
weight."""
LEAST_S = 6.0
"""Measured before anything is said: as long as segments of HLS usually are. Whoever is asked before
one has come, or just after, would tell of nothing but that, and have streams moved over it."""


class Weight:
    """Follows one stream."""

    def __init__(self) -> None:
        self.cores: float | None = None
        self._before: tuple[float, float] | None = None
        self._since: float | None = None
        self._smoothed = 0.0
        self._share = 0.0
        self._measured_s = 0.0

    def measure(self, now: float, cpu_s: float) -> None:
        """Take the CPU seconds that it has used so far, as of `now` (monotonic seconds)."""
        before, self._before = self._before, (now, cpu_s)
        if before is None or now <= before[0]:
            return
        if self._since is None:
            self._since = before[0]
        if now - self._since < FIRST_S:
            return
        used = max(0.0, cpu_s - before[1]) / (now - before[0])
        kept = math.exp((before[0] - now) / SMOOTHING_S)
        self._smoothed = kept * self._smoothed + (1 - kept) * used
        self._share = kept * self._share + (1 - kept)
        self._measured_s += now - before[0]
        if self._measured_s >= LEAST_S:
            self.cores = self._smoothed / self._share


def thread_cpu_s(thread: threading.Thread) -> float | None:
    """CPU seconds that a thread has used; None where it does not run."""
    if thread.ident is None or not thread.is_alive():
        return None
    try:
        return time.clock_gettime(time.pthread_getcpuclockid(thread.ident))
    except OSError:  # it ended meanwhile
        return None
