"""Standard output that may go away: `streammonitor watch … | head` ends the watch, quietly.

Events come from the threads of streams, which must not be disturbed by whoever reads them; so
nothing is raised here. What went wrong is kept, and told by the command when it ends.
"""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Callable
from typing import TextIO

from streammonitor_api.errors import InputError


class Output:
    """Writes whole lines to a text stream until it cannot.

    `on_lost` is called once, from the writing thread, when nothing more can be written.
    """

    def __init__(self, file: TextIO, on_lost: Callable[[], None]) -> None:
        self._file = file
        self._on_lost = on_lost
        self._lock = threading.Lock()
        self._error: OSError | None = None
        if isinstance(file, io.TextIOWrapper):
            # JSON is UTF-8 whatever the locale; names of files may hold bytes that no text has.
            file.reconfigure(encoding="utf-8", errors="backslashreplace")

    def write_line(self, text: str) -> None:
        """Write a line and flush it: an event is of use when it is told, not a buffer later."""
        with self._lock:
            if self._error is not None:
                return
            try:
                self._file.write(text + "\n")
                self._file.flush()
            except OSError as error:
                self._error = error
                self._discard_rest()
                self._on_lost()

    def check(self) -> None:
        """Raise InputError if lines were lost for another reason than a reader that had enough."""
        if self._error is not None and not isinstance(self._error, BrokenPipeError):
            reason = self._error.strerror or type(self._error).__name__
            raise InputError(f"standard output: cannot be written, {reason}; make room for it")

    def _discard_rest(self) -> None:
        """What is still buffered would raise again when Python ends."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._file.fileno())
        os.close(nowhere)
