"""What is shown of a fleet while it runs: a picture on a terminal, lines elsewhere.

A thread of its own follows Redis; what is shown is never more than a second old, and says so when
Redis is away.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from streammonitor_api.errors import UnavailableError
from streammonitor_api.events import Event
from streammonitor_api.fleet.reader_store import ReaderStore
from streammonitor_api.fleet.records import RecordedEvent
from streammonitor_cli.output import Output
from streammonitor_cli.snapshot import Snapshot, take_snapshot
from streammonitor_cli.wording import event_line, printable

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from rich.console import Console, RenderableType

_EVERY_S = 0.5
_REMEMBERED = 200
_NOTES = 6
_REFRESHES_PER_S = 2
_ECHO = 2
"""Columns kept free, as the terminal echoes `^C`."""


class FleetView(ABC):
    """Shows a fleet. What happened is noted by any thread."""

    def __init__(self) -> None:
        self.events: list[RecordedEvent] = []
        """All that was told since `following` began, in order."""
        self.snapshot: Snapshot | None = None
        self.redis_problem: str | None = None

    @abstractmethod
    def note(self, text: str) -> None:
        """Show a line about what happened."""

    @abstractmethod
    def show(self, event: Event) -> None:
        """Show an event of an incident."""

    def held(self) -> AbstractContextManager[object]:
        """Hold the terminal, where one is needed."""
        return nullcontext()

    @contextmanager
    def following(self, reader: ReaderStore) -> Iterator[None]:
        """Follow a fleet while this lasts."""
        ended = threading.Event()
        after = reader.last_entry()
        thread = threading.Thread(target=self._follow, args=(reader, after, ended), daemon=True)
        thread.start()
        try:
            with self.held():
                yield
        finally:
            ended.set()
            thread.join()

    def _follow(self, reader: ReaderStore, after: str, ended: threading.Event) -> None:
        while not ended.is_set():
            try:
                recorded, after = reader.follow_events(after, wait_s=0.0)
                for one in recorded:
                    self.events.append(one)
                    self.show(one.told.event)
                self.snapshot = take_snapshot(reader)
                self.redis_problem = None
            except UnavailableError as error:
                self.redis_problem = str(error)
            if not ended.is_set():
                ended.wait(_EVERY_S)


class _Notes(logging.Handler):
    """Takes what the operator logs."""

    def __init__(self, note: Callable[[str], None]) -> None:
        super().__init__(logging.INFO)
        self._note = note

    def emit(self, record: logging.LogRecord) -> None:
        self._note(record.getMessage())


@contextmanager
def operator_noted(view: FleetView) -> Iterator[None]:
    """Note what the operator logs, instead of writing it across what is shown."""
    logger, handler = logging.getLogger("streammonitor.operator"), _Notes(view.note)
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = True


class FleetLines(FleetView):
    """A line for whatever happens."""

    def __init__(self, output: Output) -> None:
        super().__init__()
        self._output = output

    def note(self, text: str) -> None:
        self._output.write_line(f"{time.strftime('%H:%M:%S')}  {printable(text)}")

    def show(self, event: Event) -> None:
        if event.kind != "updated":  # that it goes on is no news
            self._output.write_line(event_line(event))


class FleetPicture(FleetView):
    """The fleet as a whole, drawn anew in place."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        from rich.live import Live

        self._console = console
        self._notes: deque[str] = deque(maxlen=_NOTES)
        self._latest: OrderedDict[str, Event] = OrderedDict()
        self._lock = threading.Lock()
        self._live = Live(
            console=console,
            get_renderable=self._render,
            refresh_per_second=_REFRESHES_PER_S,
            redirect_stdout=False,
            vertical_overflow="crop",
        )

    def held(self) -> AbstractContextManager[object]:
        return self._live

    def note(self, text: str) -> None:
        line = f"{time.strftime('%H:%M:%S')}  {printable(text)}"
        with self._lock:
            self._notes.append(line)
        if not self._live.is_started:
            self._console.print(line, markup=False, highlight=False)

    def show(self, event: Event) -> None:
        with self._lock:
            self._latest[event.incident.id] = event
            self._latest.move_to_end(event.incident.id)
            while len(self._latest) > _REMEMBERED:
                self._latest.popitem(last=False)

    def _render(self) -> RenderableType:
        from streammonitor_cli.fleet_drawing import draw_fleet

        with self._lock:
            events, notes = list(reversed(self._latest.values())), list(self._notes)
        if self.redis_problem is not None:
            notes.append(self.redis_problem)
        if self.snapshot is None:
            return "\n".join(notes)
        return draw_fleet(
            self.snapshot,
            _open_first(events),
            width=self._console.width - _ECHO,
            height=self._console.height,
            notes=notes,
        )


def _open_first(events: Sequence[Event]) -> list[Event]:
    return sorted(events, key=lambda one: one.kind == "closed")


def choose_view(output: Output) -> FleetView:
    """A picture on a terminal, lines elsewhere."""
    if not sys.stdout.isatty():
        return FleetLines(output)
    from rich.console import Console

    return FleetPicture(Console(file=sys.stdout))
