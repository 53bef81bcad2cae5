"""The engine processes of a worker: started, spoken to, listened to, seen to die.

What they say comes to one inbox, each message with the engine that said it. An engine is started
by the thread that is to outlive it: the kernel kills it when that thread ends, too.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO

from streammonitor_worker.engine.messages import (
    Begun,
    Order,
    Ready,
    Report,
    read_report,
    write_order,
)

logger = logging.getLogger(__name__)

END_S = 1.0
"""How long an engine may take to end when its socket is closed; then it is killed."""
_CHUNK = 1 << 16
_CURRENT = re.compile(r"(?:Current thread|Thread) 0x([0-9a-f]+)")


@dataclass(frozen=True, slots=True)
class Died:
    """An engine has ended. `culprit` is the stream in whose thread it crashed, where known."""

    how: str
    """In words: `killed by SIGSEGV`, `exit code 1`."""
    culprit: str | None
    was_ready: bool
    """False: it ended before it could decode anything, so no stream is to blame."""


Message = Report | Died
Inbox = Callable[[int, int, Message], None]
"""Takes the number of an engine, its process id, and what it said."""


class EngineProcess:
    """One engine. Make it in a thread that lives as long as the worker does."""

    def __init__(self, number: int, inbox: Inbox) -> None:
        self.number = number
        self._inbox = inbox
        ours, theirs = socket.socketpair()
        self._connection = ours
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
        arguments = [str(theirs.fileno()), str(os.getpid())]
        self._process = subprocess.Popen(  # noqa: S603  # this very interpreter, our own module
            [sys.executable, "-m", "streammonitor_worker.engine", *arguments],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=environment,
        )
        theirs.close()
        self.pid = self._process.pid
        self.started_at = time.monotonic()
        self._crash = Crash()
        self._errors = threading.Thread(target=self._listen_to_errors, daemon=True)
        self._errors.start()
        threading.Thread(target=self._listen, name=f"engine {number}", daemon=True).start()

    def send(self, order: Order) -> None:
        """Tell it what to do. One that has died says so in the inbox."""
        with contextlib.suppress(OSError):
            self._connection.sendall(write_order(order))

    def kill(self) -> None:
        """End one that does not answer; its death comes to the inbox."""
        self._process.kill()

    def stop(self) -> None:
        """End it: by its socket, and by force if that does not do."""
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _listen(self) -> None:
        rest = b""
        with contextlib.suppress(OSError):
            while data := self._connection.recv(_CHUNK):
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    self._take(read_report(line))
        code = self._process.wait()
        self._errors.join(END_S)
        self._connection.close()
        died = Died(in_words(code), self._crash.culprit, self._crash.ready)
        self._inbox(self.number, self.pid, died)

    def _take(self, report: Report) -> None:
        if isinstance(report, Begun):
            self._crash.streams[report.thread] = report.stream
        elif isinstance(report, Ready):
            self._crash.ready = True
        self._inbox(self.number, self.pid, report)

    def _listen_to_errors(self) -> None:
        errors: IO[bytes] | None = self._process.stderr
        if errors is None:
            return
        with errors:
            for line in errors:
                told = self._crash.read(line.decode(errors="replace").rstrip())
                if told:
                    logger.warning("engine %d: %s", self.number, told)


@dataclass(slots=True)
class Crash:
    """What standard error tells of a crash: Python's fault handler writes the stack of every
    thread, the one that crashed as the `Current thread`."""

    streams: dict[int, str] = field(default_factory=dict)
    thread: int | None = None
    ready: bool = False
    _skipping: bool = False

    @property
    def culprit(self) -> str | None:
        return None if self.thread is None else self.streams.get(self.thread)

    def read(self, line: str) -> str:
        """Take a line; returns what of it is worth telling."""
        found = _CURRENT.match(line)
        if found is None:
            return "" if self._skipping or not line else line
        if line.startswith("Current"):
            self.thread = int(found[1], 16)
        self._skipping = not line.startswith("Current")
        return "" if self._skipping else line


def in_words(code: int) -> str:
    """How a process ended, from its exit code: negative for a signal."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"
