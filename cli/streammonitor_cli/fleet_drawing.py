"""How a fleet is shown to people: a line a worker and a stream, the newest incidents below.

On a terminal as a picture of columns that fits it; elsewhere the same columns as plain text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from streammonitor_api.events import Event
from streammonitor_cli.snapshot import MonitorView, Snapshot, StreamView, WorkerView
from streammonitor_cli.wording import counted, printable, time_of_day

_GOOD, _ATTENTION, _BAD, _FAINT = "green", "yellow", "bold red", "dim"
_STYLES = {
    "watching": _GOOD,
    "ready": _GOOD,
    "unassigned": _BAD,
    "dead": _BAD,
    "quarantined": _BAD,
    "reconnecting": _BAD,
}
_NARROW = 100
"""Columns below which what matters least is left out."""
_LEAST_ROWS = 3
_OTHERS_NARROW, _OTHERS_WIDE, _LEAST_ERROR = 53, 68, 16
"""Columns that the table of streams takes besides the names of streams and workers, and for which a
reason is worth showing."""


def draw_fleet(
    snapshot: Snapshot,
    events: Sequence[Event],
    *,
    width: int,
    height: int | None = None,
    notes: Sequence[str] = (),
) -> RenderableType:
    """Draw a fleet. `events` are the latest of each incident, the newest first, `notes` lines that
    stand below; `height` None: as many rows as there are."""
    parts: list[RenderableType] = [_headline(snapshot), "", _workers(snapshot.workers), ""]
    room = None if height is None else height - len(snapshot.workers) - len(notes) - 7
    shown, left = _fitting(snapshot.streams, room, len(events))
    parts.append(_streams(shown, width))
    if left:
        parts.append(Text(f"  and {counted(left, 'stream')} more", style=_FAINT))
    if events:
        rows = len(events) if room is None else max(0, room - len(shown) - bool(left))
        parts += ["", *(_incident(one, width) for one in events[:rows])]
    if notes:
        parts += ["", *(Text(printable(one), no_wrap=True, overflow="ellipsis") for one in notes)]
    return Group(*parts)


def draw_monitors(monitors: Iterable[MonitorView]) -> RenderableType:
    """Draw the monitors, each with why it is not as it was asked for."""
    table = _table("MONITOR", ">STREAMS", ">WATCHED", ">DEGRADED", ">OPEN", "READY", "WHY")
    for one in monitors:
        table.add_row(
            printable(one.monitor),
            str(one.streams),
            str(one.watched),
            str(one.degraded),
            str(one.open_incidents),
            Text("yes" if one.ready else "no", style=_GOOD if one.ready else _BAD),
            Text(printable(_why(one)), style=_FAINT),
        )
    return Group(table, "")


def _why(monitor: MonitorView) -> str:
    """What the operator says of what is not as it should be."""
    wrong = {("Ready", "False"), ("Ready", "Unknown"), ("Degraded", "True")}
    texts = [
        str(one.get("message", ""))
        for one in monitor.conditions
        if (one.get("type"), one.get("status")) in wrong
    ]
    return texts[0] if texts else ""


def _headline(snapshot: Snapshot) -> Text:
    watched = sum(one.state == "watching" for one in snapshot.streams)
    alive = sum(one.state != "dead" for one in snapshot.workers)
    text = Text("StreamMonitor", style="bold")
    text.append(f"  {counted(alive, 'worker')}, {watched} of ", style="not bold")
    text.append(f"{counted(len(snapshot.streams), 'stream')} watched, ", style="not bold")
    count = len(snapshot.incidents)
    text.append(counted(count, "open incident"), style=f"not bold {_BAD if count else _GOOD}")
    return text


def _workers(workers: Iterable[WorkerView]) -> Table:
    table = _table("WORKER", "STATE", ">STREAMS", ">LOAD", ">CAPACITY", ">PID")
    for one in workers:
        table.add_row(
            printable(one.worker),
            _styled(one.state),
            str(one.streams),
            f"{one.load_cores:.2f}",
            f"{one.capacity_cores:.2f}",
            str(one.pid),
        )
    return table


def _streams(streams: Sequence[StreamView], width: int) -> Table:
    wide = width >= _NARROW
    names = max((len(one.stream) + len(one.worker or "-") for one in streams), default=0)
    room = width - names - (_OTHERS_WIDE if wide else _OTHERS_NARROW)
    more = (">EPOCH", ">LAG") if wide else ()
    table = _table("STREAM", "WORKER", *more, "STATE", "FIDELITY", ">COVERAGE", ">OPEN")
    for one in streams:
        extra = (_number(one.epoch), f"{one.lag_s:.1f}s") if wide else ()
        fidelity = "" if one.fidelity is None else one.fidelity.value
        table.add_row(
            printable(one.stream),
            printable(one.worker or "-"),
            *extra,
            _state(one, room),
            Text(fidelity, style=_ATTENTION if one.is_reduced else ""),
            percent(one.coverage),
            Text(str(one.open_incidents), style=_BAD if one.open_incidents else _FAINT),
        )
    return table


def _state(one: StreamView, room: int) -> Text:
    """The state, and why it is so as far as there is room."""
    text = _styled(one.state)
    if one.error and one.state != "watching" and room >= _LEAST_ERROR:
        why = Text(f"  {printable(one.error.removeprefix(f'{one.stream}: '))}", style=_FAINT)
        why.truncate(room, overflow="ellipsis")
        text.append_text(why)
    return text


def _incident(event: Event, width: int) -> Text:
    incident = event.incident
    is_open = event.kind != "closed"
    text = Text("● " if is_open else "○ ", style=_BAD if is_open else _FAINT)
    text.append(f"{time_of_day(incident.onset.wall)} ", style=_FAINT)
    text.append(f"{incident.detector:<22} ", style="bold" if is_open else "")
    lasted = "open" if is_open else "closed"
    if not is_open and incident.duration_s is not None:
        lasted = f"{incident.duration_s:.1f} s"
    text.append(f"{lasted:<8} {printable(incident.stream)} {incident.track}")
    text.truncate(width, overflow="ellipsis")
    return text


def _fitting(
    streams: Sequence[StreamView], room: int | None, events: int
) -> tuple[Sequence[StreamView], int]:
    """The streams that there is room for: those that need attention first, where not all fit."""
    if room is None or len(streams) <= room - min(events, _LEAST_ROWS):
        return streams, 0
    count = max(_LEAST_ROWS, room - min(events, _LEAST_ROWS) - 1)
    ranked = sorted(streams, key=lambda one: (one.state == "watching", -one.open_incidents))
    kept = {id(one) for one in ranked[:count]}
    return [one for one in streams if id(one) in kept], len(streams) - count


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style=_FAINT, padding=(0, 2, 0, 0))
    for name in columns:
        right = name.startswith(">")
        table.add_column(
            name.removeprefix(">"),
            justify="right" if right else "left",
            no_wrap=True,
            overflow="ellipsis",
        )
    return table


def _styled(word: str) -> Text:
    return Text(word, style=_STYLES.get(word, _ATTENTION))


def _number(value: int | None) -> str:
    return "-" if value is None else str(value)


def percent(share: float | None) -> str:
    """Write a coverage: never rounded up to what it did not reach."""
    if share is None:
        return "-"
    return "100 %" if share >= 1 else f"{int(share * 10_000) / 100:.2f} %"
