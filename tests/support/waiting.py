"""Waiting for what other threads and processes do: for a condition, with a deadline.

The one place where tests sleep. What is waited for is asked again and again, and given as soon as
it is true; nothing is ever waited for by its usual duration.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import TypeVar

FoundT = TypeVar("FoundT")

PATIENCE_S = 20.0
"""Far longer than anything takes on a busy machine; a test that waits in vain fails after it."""
_EVERY_S = 0.01


def wait_until(
    look: Callable[[], FoundT | None],
    what: str = "what is looked for",
    *,
    within_s: float = PATIENCE_S,
    every_s: float = _EVERY_S,
) -> FoundT:
    """Give what `look` finds as soon as that is true. Fails at the deadline, saying `what`."""
    until = time.monotonic() + within_s
    while not (found := look()):
        assert time.monotonic() < until, f"not within {within_s:g} s: {what}"
        time.sleep(every_s)
    return found


async def eventually(
    look: Callable[[], object], what: str = "what is looked for", *, within_s: float = PATIENCE_S
) -> None:
    """The same in an event loop, which goes on meanwhile; `look` may be a coroutine function."""
    until = time.monotonic() + within_s
    while True:
        answer = look()
        if await answer if inspect.isawaitable(answer) else answer:
            return
        assert time.monotonic() < until, f"not within {within_s:g} s: {what}"
        await asyncio.sleep(_EVERY_S)
