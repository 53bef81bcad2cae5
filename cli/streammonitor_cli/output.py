"""Standard output that may go away: `streammonitor watch … | head` ends the watch, quietly.

Events come from the threads of streams, which must not be disturbed by whoever reads them; so
nothing is raised here. What went wrong is kept, and told by the command when it ends. A reader
that takes nothing holds the streams up, as pipes do, but not the end of the watch.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import select
import threading
import time
from collections.abc import Iterator
from typing import TextIO

from streammonitor_api.errors import InputError

PATIENCE_S = 0.3
"""How long a reader that takes nothing is waited for once the watch is to end, a line: the end is
promised within 2 s, 1 s of which belongs to the streams and 0.5 s to telemetry."""
_SLICE_S = 0.1
_LOOK_S = 1.0
"""How often it is looked whether all is over, while nothing happens to the reader."""
_PIECE = select.PIPE_BUF
"""Bytes that a pipe with room takes without blocking: POSIX, `write` to a pipe."""


class Output:
    """Writes whole lines to a text stream until it cannot.

    `stop` ends the watch: set here when nothing more can be written, by others to say that a
    reader who takes nothing is to be waited for no longer.
    """

    def __init__(self, file: TextIO, stop: threading.Event) -> None:
        self._file = file
        self._stop = stop
        self._lock = threading.Lock()
        self._error: OSError | None = None
        self._descriptor: int | None = None
        if isinstance(file, io.TextIOWrapper):
            # JSON is UTF-8 whatever the locale; names of files may hold bytes that no text has.
            file.reconfigure(encoding="utf-8", errors="backslashreplace")
            with contextlib.suppress(io.UnsupportedOperation):  # text in memory
                self._descriptor = file.fileno()

    def write_line(self, text: str) -> None:
        """Write a line and flush it: an event is of use when it is told, not a buffer later."""
        with self._lock:
            if self._error is not None:
                return
            try:
                self._write(text + "\n")
            except OSError as error:
                self._error = error
                self._discard_rest()
                self._stop.set()

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """While this lasts, notice that the reader has gone also when there is nothing to write."""
        ended = threading.Event()
        if self._descriptor is not None:
            arguments = (self._descriptor, ended)
            threading.Thread(target=self._await_loss, args=arguments, daemon=True).start()
        try:
            yield
        finally:
            ended.set()

    def check(self) -> None:
        """Raise InputError if lines were lost for another reason than a reader that had enough."""
        if self._error is not None and not isinstance(self._error, BrokenPipeError):
            reason = self._error.strerror or type(self._error).__name__
            raise InputError(f"standard output: cannot be written, {reason}; make room for it")

    def _write(self, text: str) -> None:
        """Write in pieces that do not block, each when there is room for it."""
        if self._descriptor is None:
            self._file.write(text)
            return
        self._file.flush()  # what others have written there
        data = text.encode("utf-8", "backslashreplace")
        while data:
            self._await_room(self._descriptor)
            with contextlib.suppress(BlockingIOError):  # no room for this piece after all
                data = data[os.write(self._descriptor, data[:_PIECE]) :]

    def _await_loss(self, descriptor: int, ended: threading.Event) -> None:
        poll = select.poll()
        poll.register(descriptor, 0)  # that nobody reads is told anyway
        while not ended.is_set():
            if poll.poll(_LOOK_S * 1000):
                self._stop.set()
                return

    def _await_room(self, descriptor: int) -> None:
        """Wait for the reader. Raises TimeoutError where it takes nothing and all is to end."""
        poll = select.poll()
        poll.register(descriptor, select.POLLOUT)
        stopped_at: float | None = None
        while not poll.poll(_SLICE_S * 1000):
            now = time.monotonic()
            if self._stop.is_set():
                stopped_at = now if stopped_at is None else stopped_at
                if now - stopped_at >= PATIENCE_S:
                    raise TimeoutError(errno.ETIMEDOUT, "nobody reads it")

    def _discard_rest(self) -> None:
        """What others have left in the file's buffer would raise again when Python ends."""
        if self._descriptor is None:
            return
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._descriptor)
        os.close(nowhere)
