"""The time of day as the whole fleet has it: by Redis' clock, whatever this machine's shows.

What two workers saw of one defect is compared by when it began, and with when Redis granted their
claims. The clocks of machines may be minutes apart, so a worker learns from each of its heartbeats
what time it is, and counts on from there by its monotonic clock; its engines are told. Until Redis
has answered for the first time nothing is owned, so nothing is told either.
"""

from __future__ import annotations

import time

DRIFT_S = 0.02
"""Less than this, beyond what the way to Redis leaves uncertain, is no reason to correct anything:
times of one incident are to agree with each other."""


class FleetClock:
    """A clock of one process; any thread may read it."""

    def __init__(self) -> None:
        self.offset_s: float | None = None
        """Redis' clock less this machine's monotonic one; None: not known yet."""

    def wall(self) -> float:
        """Seconds since 1970 by Redis' clock, or by this machine's until that is known."""
        offset_s = self.offset_s
        return time.time() if offset_s is None else time.monotonic() + offset_s

    def learn(self, asked_at: float, heard_at: float, redis_s: float) -> bool:
        """Take what Redis' clock showed at some time between two of the monotonic clock; whether
        that corrected anything."""
        offset_s, uncertain_s = redis_s - (asked_at + heard_at) / 2, (heard_at - asked_at) / 2
        known_s = self.offset_s
        if known_s is not None and abs(offset_s - known_s) <= uncertain_s + DRIFT_S:
            return False
        self.offset_s = offset_s
        return True
