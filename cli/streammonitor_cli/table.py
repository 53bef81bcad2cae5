"""What `watch` shows on a terminal: a row a stream, and the newest incidents below.

It is drawn anew a few times a second, in place, and fits the window: what has no room is counted
instead. Drawing costs the streams nothing but a snapshot of plain numbers.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager

from rich.console import Console, RenderableType
from rich.live import Live
from rich.markup import escape

from streammonitor_api.events import Event, Summary
from streammonitor_cli.display import Display
from streammonitor_cli.drawing import draw, share_watched
from streammonitor_cli.lines import summary_lines
from streammonitor_worker.status import StreamStatus

REFRESHES_PER_S = 2
"""Enough for a level meter to be alive, few enough to be calm and to cost less than 2 % of a
core."""

_ECHO = 2
"""Columns kept free: the terminal echoes `^C` where the cursor is, and a line that this breaks
would be drawn twice."""
_REMEMBERED = 200
"""Incidents kept for the list; no window shows more."""


class TimeLeft:
    """Says how long files will take, at the speed at which each has been watched so far."""

    def __init__(self) -> None:
        self._first_seen: dict[str, tuple[float, float]] = {}

    def estimate(self, status: StreamStatus, now: float) -> float | None:
        """Seconds until a file has been watched, `now` in seconds of any clock; None before that
        is known, and for live streams."""
        share = share_watched(status)
        if share is None or status.state != "watching":
            return None
        since, share_then = self._first_seen.setdefault(status.stream, (now, share))
        done = share - share_then
        return (now - since) * (1 - share) / done if done > 0 else None


class LiveTable(Display):
    """Draws the streams of a watch while it is held.

    `statuses` is asked at every refresh, from a thread of its own.
    """

    def __init__(self, console: Console, statuses: Callable[[], Sequence[StreamStatus]]) -> None:
        self._console = console
        self._statuses = statuses
        self._began = time.monotonic()
        self._time_left = TimeLeft()
        self._incidents: OrderedDict[str, Event] = OrderedDict()
        self._lock = threading.Lock()
        self._live = Live(
            console=console,
            get_renderable=self._render,
            refresh_per_second=REFRESHES_PER_S,
            redirect_stdout=False,
            vertical_overflow="crop",
        )

    def held(self) -> AbstractContextManager[object]:
        """Draw while this lasts; the last picture stays on the screen."""
        return self._live

    def show(self, event: Event) -> None:
        """Remember an event; it is drawn at the next refresh."""
        with self._lock:
            self._incidents[event.incident.id] = event
            self._incidents.move_to_end(event.incident.id)
            while len(self._incidents) > _REMEMBERED:
                self._incidents.popitem(last=False)

    def close(self, summaries: Iterable[Summary], statuses: Sequence[StreamStatus]) -> None:
        """Write a line a stream below the last picture."""
        self._console.print()
        for line in summary_lines(summaries, statuses):
            self._console.print(escape(line), highlight=False, soft_wrap=True)

    def _render(self) -> RenderableType:
        with self._lock:
            events = list(reversed(self._incidents.values()))
        now = time.monotonic()
        statuses = self._statuses()
        return draw(
            statuses,
            events,
            time_left={one.stream: self._time_left.estimate(one, now) for one in statuses},
            elapsed_s=now - self._began,
            width=self._console.width - _ECHO,
            height=self._console.height,
        )
