"""Ends a watch on SIGINT and SIGTERM: the first asks for an orderly end, the second takes it.

Python runs handlers of signals in the middle of whatever the main thread is doing, which may be
holding the very lock that a handler needs. So the handlers here do nothing: the interpreter writes
the signal's number to a pipe, and a thread that reads it does the rest.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_STDOUT = 1
_SHOW_CURSOR = b"\x1b[?25h"
"""The live table hides it."""


@contextmanager
def stopping(stop: threading.Event) -> Iterator[None]:
    """Set `stop` at the first signal; at the second end the process at once, as killed by it.

    For the main thread, as only that may set handlers; what was there before is put back.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    listener = threading.Thread(target=_listen, args=(reading, stop), daemon=True)
    listener.start()
    wakeup_before = signal.set_wakeup_fd(writing)
    before = {number: signal.signal(number, _leave_to_listener) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(wakeup_before)
        os.close(writing)
        listener.join()
        os.close(reading)


def _leave_to_listener(*_: object) -> None:
    """Without a handler of its own a signal would kill the process, or raise KeyboardInterrupt."""


def _listen(pipe: int, stop: threading.Event) -> None:
    """Take the numbers of signals until the pipe is closed at its other end."""
    seen = 0
    while number := os.read(pipe, 1):
        if number[0] not in _SIGNALS:  # others that have a Python handler are written here too
            continue
        seen += 1
        stop.set()
        if seen > 1:
            if os.isatty(_STDOUT):
                os.write(_STDOUT, _SHOW_CURSOR)
            os._exit(128 + number[0])
