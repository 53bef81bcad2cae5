"""Waiting for what other threads and processes do: for a condition, with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE_S = 20.0
"""Far longer than anything takes on a busy machine; a test that waits in vain fails after it."""


def wait_until(condition: Callable[[], object], patience_s: float = PATIENCE_S) -> None:
    """Return when the condition holds. Raises AssertionError at the deadline."""
    deadline = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {patience_s} s")
        time.sleep(0.005)
