"""Ends a watch on SIGINT and SIGTERM: the first asks for an orderly end, the second takes it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_STDOUT = 1
_SHOW_CURSOR = b"\x1b[?25h"
"""The live table hides it."""


@contextmanager
def stopping(stop: threading.Event) -> Iterator[None]:
    """Set `stop` at the first signal; at the second end the process at once, as killed by it.

    For the main thread, as only that may handle signals; what was there before is put back.
    """

    def handle(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            if os.isatty(_STDOUT):
                os.write(_STDOUT, _SHOW_CURSOR)
            os._exit(128 + number)
        stop.set()

    before = {number: signal.signal(number, handle) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
