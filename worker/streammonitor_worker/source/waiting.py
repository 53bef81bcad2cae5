"""Where a stream waits, so that every wait ends at once when the stream is stopped.

One object per stream, shared by its readers. It adds up how long the stream waited for others
(media that had not come, the pace of playing): time in which it was not busy.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SLICE_S = 0.2
"""The longest a wait goes without looking whether the stream was stopped."""
NOTABLE_S = 0.005
"""A shorter wait is no wait, only the time that a read takes: what was asked for was there."""


ANSWER_S = 4.0
"""The other side counts as away when it has not answered for so long: more than the 3 s after
which a connection's first packet, twice lost, is sent again (RFC 6298: after 1 s, then 2 s)."""
MEDIA_S = 10.0
"""The same when it answers, but nothing comes that can be watched: the alarm duration of operators
(AWS MediaLive); the media library looks at 5 s of a stream to know what is in it."""
LATE = "nothing that can be watched came in time"
"""Why a reader ended that was `overdue`."""


class Waiting:
    """Waits that can be ended from another thread."""

    def __init__(self) -> None:
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._to_call: list[Callable[[], None]] = []
        self.waited_s = 0.0
        """Seconds waited so far."""
        self.deadline: float | None = None
        """Monotonic time at which waits for media end, while a source is being opened."""
        self.trouble = ""
        """Why nothing comes, while a read is tried again inside; empty otherwise."""
        self._alarm: threading.Timer | None = None

    @property
    def stopped(self) -> bool:
        return self._stopped.is_set()

    @property
    def overdue(self) -> bool:
        """Whether the source should have been opened by now."""
        return self.deadline is not None and self.now() >= self.deadline

    def now(self) -> float:
        """Monotonic time, in seconds."""
        return time.monotonic()

    def stop(self) -> None:
        """End all waits, now and to come. May be called from any thread, more than once."""
        self._stopped.set()
        self.expect_no_more()
        self._end_waits()

    def expect_by(self, moment: float) -> None:
        """Set `deadline`; when it comes, waits inside of others are ended, too."""
        self.expect_no_more()
        self.deadline = moment
        self._alarm = threading.Timer(max(0.0, moment - self.now()), self._end_waits)
        self._alarm.daemon = True
        self._alarm.start()

    def expect_no_more(self) -> None:
        """Take `deadline` back."""
        self.deadline = None
        if self._alarm is not None:
            self._alarm.cancel()

    def _end_waits(self) -> None:
        with self._lock:
            to_call = list(self._to_call)
        for end_wait in to_call:
            end_wait()

    def on_stop(self, end_wait: Callable[[], None]) -> None:
        """Have `end_wait` called when the stream is stopped: for waits inside of others."""
        with self._lock:
            self._to_call.append(end_wait)
        if self.stopped:
            end_wait()

    def forget(self, end_wait: Callable[[], None]) -> None:
        """Undo `on_stop`."""
        with self._lock:
            if end_wait in self._to_call:
                self._to_call.remove(end_wait)

    def sleep(self, seconds: float) -> None:
        """Wait for a time, or to the deadline, counted as waited."""
        if self.deadline is not None:
            seconds = min(seconds, self.deadline - self.now())
        with self.counted():
            self._stopped.wait(max(0.0, seconds))

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count the time spent inside as waited, where it is notable."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.count(time.monotonic() - began)

    def count(self, seconds: float) -> None:
        if seconds >= NOTABLE_S:
            self.waited_s += seconds
