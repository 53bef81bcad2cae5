"""Collects what engines say, and waits for it with a deadline."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import TypeVar

from streammonitor_worker.supervisor.engines import Message
from streammonitor_worker.synth import Recipe, parse_injection

MessageT = TypeVar("MessageT")


def small_recipe(*injections: str, duration_s: float = 60.0, seed: int = 1) -> Recipe:
    """A stream that costs next to nothing to encode."""
    return Recipe(
        duration_s=duration_s,
        width=160,
        height=90,
        fps=Fraction(10),
        gop_s=1.0,
        seed=seed,
        injections=[parse_injection(text) for text in injections],
    )


class Messages:
    """An inbox that remembers everything."""

    def __init__(self) -> None:
        self.all: list[Message] = []
        self._changed = threading.Condition()

    def take(self, _engine: int, _pid: int, message: Message) -> None:
        with self._changed:
            self.all.append(message)
            self._changed.notify_all()

    def of(self, kind: type[MessageT]) -> list[MessageT]:
        return [message for message in list(self.all) if isinstance(message, kind)]

    def wait_for(
        self,
        kind: type[MessageT],
        condition: Callable[[MessageT], bool] = lambda _: True,
        *,
        within_s: float = 20.0,
    ) -> MessageT:
        """The first such message; fails when it does not come in time."""
        until = time.monotonic() + within_s
        with self._changed:
            while True:
                for message in self.all:
                    if isinstance(message, kind) and condition(message):
                        return message
                left_s = until - time.monotonic()
                assert left_s > 0, f"no such {kind.__name__} in {within_s} s: {_last(self.all)}"
                self._changed.wait(left_s)


def _last(messages: Sequence[Message]) -> Sequence[Message]:
    return messages[-5:]
