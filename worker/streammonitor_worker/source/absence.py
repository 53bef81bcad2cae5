"""While a source is out of reach: since when, why, and how long it is tried again."""

from __future__ import annotations

import math
import time

from streammonitor_worker.source.backoff import Backoff


class Absence:
    """Follows the attempts of one stream, on the monotonic clock.

    give_up_after_s: how long after it went away, or after the first attempt to open it, it is
    tried no longer; None never.
    """

    def __init__(self, give_up_after_s: float | None, backoff: Backoff) -> None:
        self._limit_s = give_up_after_s
        self._backoff = backoff
        self._attempted_at: float | None = None
        """Time of the first attempt to open it."""
        self._since: float | None = None
        self._opened = False
        self.reason = ""
        """Why it was last lost."""

    @property
    def attempted_s(self) -> float | None:
        """Seconds since the first attempt to open it; None before."""
        return None if self._attempted_at is None else time.monotonic() - self._attempted_at

    @property
    def seconds(self) -> float:
        """How long it has been away; 0 while it is there."""
        return 0.0 if self._since is None else time.monotonic() - self._since

    @property
    def gives_up_at(self) -> float:
        """Time at which it is tried no longer; infinite where there is none."""
        since = self._since if self._opened else self._attempted_at
        return math.inf if self._limit_s is None or since is None else since + self._limit_s

    def attempt(self) -> None:
        """It is about to be opened, for the first time or again."""
        if self._attempted_at is None:
            self._attempted_at = time.monotonic()

    def opened(self) -> None:
        """Media is about to come: from now on it can go away."""
        self._opened = True

    def begin(self, reason: str) -> bool:
        """It is out of reach; whether it was in reach before."""
        self.reason = reason
        if self._since is not None:
            return False
        now = time.monotonic()
        self._since = now if self._opened else self._attempted_at or now
        return True

    def end(self) -> bool:
        """It is in reach; whether it was out of reach before."""
        if self._since is None:
            return False
        self._since = None
        self._backoff.reset()
        return True

    def wait_s(self) -> float | None:
        """Seconds to wait before the next attempt; None where there is to be none."""
        left_s = self.gives_up_at - time.monotonic()
        return None if left_s <= 0 else min(self._backoff.next_s(), left_s)
