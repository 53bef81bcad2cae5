"""`streammonitor incidents`: the history of a fleet's incidents, and what happens from now on."""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from streammonitor_api.events import Event, as_line
from streammonitor_cli.arguments import duration, one_of
from streammonitor_cli.fleet_address import add_fleet_options, find_fleet
from streammonitor_cli.interrupts import stopping
from streammonitor_cli.output import Output
from streammonitor_cli.process import tell_error
from streammonitor_cli.wording import amount, event_line, printable

if TYPE_CHECKING:
    from streammonitor_api.fleet.reader_store import ReaderStore

_WAIT_S = 0.5
"""How long one read waits for the next event: so soon an interrupt is obeyed."""
_RETRY_S = 1.0


def register(commands: Any) -> None:
    """Add the sub-command."""
    parser = commands.add_parser(
        "incidents",
        help="show the incidents of a fleet, past and present",
        description="Shows the incidents of a fleet: one line each as it is now or, with "
        "--follow or --output jsonl, one line an event.",
        epilog="Exit code: 0; 2 where the fleet cannot be read.",
    )
    add_fleet_options(parser)
    parser.add_argument("--since", metavar="TIME", type=duration, help="only of the last 1h, 30m …")
    parser.add_argument("--follow", action="store_true", help="go on with what happens")
    parser.add_argument(
        "--output",
        type=one_of("table", "jsonl"),
        default="table",
        help="table (default) or jsonl: one event a line, as of `watch`",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Show the history. Raises InputError, UnavailableError."""
    fleet = find_fleet(arguments)
    stop = threading.Event()
    output = Output(sys.stdout, stop)
    with stopping(stop), output.held():
        _show(arguments, fleet.reader, output, stop)
    output.check()
    return 0


def _show(
    arguments: argparse.Namespace, reader: ReaderStore, output: Output, stop: threading.Event
) -> None:
    now_ms = reader.read_fleet().redis_ms
    since_ms = 0 if arguments.since is None else max(0, now_ms - round(arguments.since * 1000))
    after = reader.last_entry()
    events = [one.told.event for one in reader.read_events(since_ms) if _reached(one.entry, after)]
    write = event_line if arguments.output == "table" else as_line
    if arguments.output == "table" and not arguments.follow:
        lines = list(table_lines(latest(events)))
    else:
        lines = [write(event) for event in events]
    for line in lines:
        if stop.is_set():
            return
        output.write_line(line)
    if arguments.follow:
        _follow(reader, after, output, stop, write)


def latest(events: Iterable[Event]) -> list[Event]:
    """The last event of each incident, by when the incidents began."""
    newest: dict[str, Event] = {}
    for event in events:
        newest[event.incident.id] = event
    return sorted(newest.values(), key=lambda one: one.incident.onset.wall)


def table_lines(events: Iterable[Event]) -> Iterator[str]:
    """A line an incident, in columns; in wall time, as media time begins anew with each owner."""
    rows = [("ONSET", "LASTED", "SEVERITY", "DETECTOR", "TRACK", "STREAM", "MEASURE")]
    for event in events:
        one = event.incident
        lasted = "open" if event.kind != "closed" else "ended unseen"
        if one.duration_s is not None:
            lasted = f"{one.duration_s:.1f} s"
        measure = f"{amount(one.value, one.unit)} (threshold {amount(one.threshold, one.unit)})"
        onset = datetime.fromisoformat(one.onset.wall).astimezone()
        rows.append(
            (
                onset.strftime("%Y-%m-%d %H:%M:%S"), lasted, one.severity, one.detector, one.track,
                printable(one.stream), measure,
            )
        )  # fmt: skip
    if len(rows) == 1:
        yield "no incident"
        return
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()


def _follow(
    reader: ReaderStore, after: str, output: Output, stop: threading.Event, write: Any
) -> None:
    """Write what happens until told to stop; a Redis that is away is waited for."""
    from streammonitor_api.errors import UnavailableError

    is_away = False
    while not stop.is_set():
        try:
            recorded, after = reader.follow_events(after, wait_s=_WAIT_S)
        except UnavailableError as error:
            if not is_away:
                tell_error(f"{error}; trying again")
            is_away = True
            stop.wait(_RETRY_S)
            continue
        is_away = False
        for one in recorded:
            output.write_line(write(one.told.event))


def _reached(entry: str, last: str) -> bool:
    """Whether an entry is not newer than `last`."""
    return _place(entry) <= _place(last)


def _place(entry: str) -> tuple[int, int]:
    milliseconds, _, number = entry.partition("-")
    return int(milliseconds), int(number or 0)
