"""Processes that belong to the fleet: they end with it, however it ends, and are started again.

Linux tells a process that its parent has died if it asks for that; a shell that kills the fleet
leaves nothing behind. Children are to be started from the main thread: the kernel takes the thread
that started them for their parent.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)

STEADY_S = 10.0
"""A process that has run for so long is started again at once when it dies."""
_FIRST_RETRY_S, _LONGEST_RETRY_S = 0.5, 15.0
_TAIL_BYTES = 4096


def spawn(
    command: Sequence[str],
    log: Path,
    *,
    environment: Mapping[str, str] | None = None,
    at_parents_death: signal.Signals = signal.SIGKILL,
) -> subprocess.Popen[bytes]:
    """Start a process whose output goes to a log. Raises OSError."""
    parent = os.getpid()

    def ask() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, int(at_parents_death), 0, 0, 0)
        if os.getppid() != parent:  # it died before we could ask
            os._exit(1)

    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603  # commands of our own
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=None if environment is None else dict(environment),
            start_new_session=True,  # Ctrl-C is for the fleet, which ends them in order
            preexec_fn=ask,
        )


def last_words(log: Path) -> str:
    """The last line of a log, for a message that says why a process ended."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
            lines = file.read().decode(errors="replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1].strip() if lines else ""


def end(process: subprocess.Popen[bytes], number: signal.Signals, patience_s: float) -> None:
    """Ask a process to end, and make it."""
    if process.poll() is not None:
        return
    process.send_signal(number)
    try:
        process.wait(patience_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@dataclass(slots=True)
class Revival:
    """When a process that died is to be started again: at once if it had been steady, else later
    each time. Times are of a monotonic clock, seconds."""

    started: float = 0.0
    deaths: int = 0
    due: float | None = field(default=None)
    """When to start it; None while it runs."""

    def note_start(self, now: float) -> None:
        self.started, self.due = now, None

    def note_death(self, now: float) -> float:
        """Returns in how many seconds it is to be started again."""
        if now - self.started >= STEADY_S:
            self.deaths = 0
        delay = 0.0
        if self.deaths:
            delay = min(_LONGEST_RETRY_S, _FIRST_RETRY_S * 2 ** (self.deaths - 1))
        self.deaths += 1
        self.due = now + delay
        return delay

    def is_due(self, now: float) -> bool:
        return self.due is not None and now >= self.due
