"""Draws the live table: pure, from snapshots to lines that fit the window.

From `WIDE` columns a stream is one line under a heading; in a narrower window its name has a line
of its own, as it is what tells streams apart. What has no room is counted instead.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from rich.console import Group
from rich.text import Text

from streammonitor_api.events import Event
from streammonitor_api.incident import Incident
from streammonitor_cli.wording import amount, counted, printable, span, time_of_day, when
from streammonitor_worker.media import Format
from streammonitor_worker.status import StreamStatus

WIDE = 110
"""Columns: the fixed ones take 70 and a name wants 40."""
_LISTED = 10
"""Incidents shown where the window has room for them."""

_PICTURE, _SOUND, _LAG, _FIDELITY, _STATE, _OPEN = 20, 8, 5, 9, 22, 4
"""Widths of the columns: `h264 1920x1080 29.97`, `▅▅▂▃▁▁▂▂`, `12.3s`, `keyframes`,
`━━━━━━━━──  62% 1:02:03`."""
_GAP = 2
_BAR = 10
_METER = "▁▂▃▄▅▆▇█"
_METER_FLOOR_DBFS = -60.0
"""The meter's range ends where audio-silence begins."""
_METER_CHANNELS = 8
"""7.1; more channels are not shown."""

_STATES = {
    "opening": "dim",
    "watching": "green",
    "reconnecting": "yellow",
    "ended": "dim",
    "failed": "red",
}
_SEVERITIES = {"critical": "red", "warning": "yellow"}
_FIDELITIES = {"Full": "full", "Adaptive": "adaptive", "KeyframesOnly": "keyframes"}


def draw(
    statuses: Sequence[StreamStatus],
    events: Sequence[Event],
    *,
    time_left: Mapping[str, float | None],
    elapsed_s: float,
    width: int,
    height: int,
) -> Group:
    """Draw a heading, the streams, and the newest event of each incident, newest first.

    `time_left` tells the seconds until a file, by its stream, has been watched. No line is wider
    than `width`, and there are at most `height` of them, in windows of 10 lines and more.
    """
    is_wide = width >= WIDE
    listed = min(len(events), _LISTED, max(1, (height - 8) // 3))
    # The heading and a blank line, the names of columns, what is left out of the streams, a blank
    # line and what is left out of the incidents, and the line on which the cursor rests.
    taken = 2 + is_wide + 1 + (listed + 2 if listed else 0) + 1
    rows = max(1, (height - taken) // (1 if is_wide else 2))
    lines = [_heading(statuses, elapsed_s), Text()]
    if is_wide:
        lines.append(_column_names(width))
    for status in statuses[:rows]:
        lines += _stream(status, time_left.get(status.stream), width)
    if len(statuses) > rows:
        lines.append(Text(f"… and {counted(len(statuses) - rows, 'more stream')}", style="dim"))
    if listed:
        lines.append(Text())
        lines += [_incident(event, width) for event in events[:listed]]
    if len(events) > listed:
        lines.append(Text(f"… and {counted(len(events) - listed, 'incident')} before", "dim"))
    for line in lines:
        line.truncate(width, overflow="ellipsis")
    return Group(*lines)


def share_watched(status: StreamStatus) -> float | None:
    """Share of a file, 0 to 1; None for live streams. By time where the file says how long it
    is: by bytes, which is what a source knows otherwise, a still scene passes too slowly."""
    if status.progress is None:
        return None
    share = status.media_s / status.duration_s if status.duration_s else status.progress
    return min(1.0, max(0.0, share))


def _heading(statuses: Sequence[StreamStatus], elapsed_s: float) -> Text:
    open_count = sum(len(status.open_incidents) for status in statuses)
    total = sum(status.incidents for status in statuses)
    return Text.assemble(
        ("StreamMonitor", "bold"),
        f"  {counted(len(statuses), 'stream')}, {span(elapsed_s)}, ",
        (f"{counted(total, 'incident')}, {open_count} open", "red" if open_count else ""),
    )


def _column_names(width: int) -> Text:
    names = ("PICTURE", "SOUND", "LAG", "FIDELITY", "STATE")
    widths = (_PICTURE, _SOUND, _LAG, _FIDELITY, _STATE)
    line = _cell(Text("STREAM"), _name_width(width))
    for name, room in zip(names, widths, strict=True):
        line.append(" " * _GAP)
        line.append_text(_cell(Text(name), room, "right" if name == "LAG" else "left"))
    line.append(" " * _GAP)
    line.append_text(_cell(Text("OPEN"), _OPEN, "right"))
    line.stylize("dim")
    return line


def _name_width(width: int) -> int:
    return width - (_PICTURE + _SOUND + _LAG + _FIDELITY + _STATE + _OPEN) - 6 * _GAP


def _stream(status: StreamStatus, left_s: float | None, width: int) -> Iterator[Text]:
    """One line in a wide window; otherwise the name and what is open, then the rest below."""
    if width >= WIDE:
        yield _join(
            _name(status.stream, _name_width(width)),
            *_cells(status, left_s),
            _open_count(status.open_incidents),
        )
        return
    name = _name(status.stream, width - _OPEN - _GAP)
    yield _join(name, _open_count(status.open_incidents))
    yield _join(Text(""), *_cells(status, left_s))


def _join(*cells: Text) -> Text:
    return Text(" " * _GAP).join(cells)


def _cells(status: StreamStatus, left_s: float | None) -> Iterator[Text]:
    lag = f"{status.lag_s:.1f}s" if status.progress is None else ""
    fidelity = _FIDELITIES.get(status.fidelity, status.fidelity)
    yield _cell(_picture(status.video), _PICTURE)
    yield _cell(_meter(status.levels_dbfs), _SOUND)
    yield _cell(Text(lag), _LAG, "right")
    yield _cell(Text(fidelity), _FIDELITY)
    yield _cell(_state(status, left_s), _STATE)


def _cell(text: Text, width: int, align: Literal["left", "right"] = "left") -> Text:
    """Exactly `width` columns, also of scripts whose letters take two."""
    text.truncate(width, overflow="ellipsis")
    text.align(align, width)
    return text


def _short(stream: str) -> str:
    """A URL without its scheme, which tells no streams apart."""
    shown = printable(stream)
    return shown.partition("://")[2] or shown


def _name(stream: str, width: int) -> Text:
    """What fits of a name: of a URL its beginning, of a path its end tells streams apart."""
    shown = _short(stream)
    if "://" not in stream and len(shown) > width:
        shown = f"…{shown[1 - width :]}"
    return _cell(Text(shown), width)


def _picture(video: Format | None) -> Text:
    if video is None:
        return Text()
    fps = f" {video.fps:.4g}" if video.fps else ""
    return Text(printable(f"{video.codec} {video.width}x{video.height}{fps}"))


def _meter(levels_dbfs: Sequence[float]) -> Text:
    """A bar a channel; and the level of the loudest, where there is room for it."""
    bars = "".join(_bar(level) for level in levels_dbfs[:_METER_CHANNELS])
    loudest = max(levels_dbfs, default=-math.inf)
    if loudest <= _METER_FLOOR_DBFS:
        return Text(bars, style="dim")
    level = f" {loudest:.0f}" if len(bars) <= _SOUND - 4 else ""
    return Text.assemble((bars, "green"), level)


def _bar(level_dbfs: float) -> str:
    """A block as high as the level, from -60 dBFS to full scale; a dot for silence."""
    if not level_dbfs > _METER_FLOOR_DBFS:
        return "·"
    share = 1 - level_dbfs / _METER_FLOOR_DBFS
    return _METER[min(len(_METER) - 1, int(share * len(_METER)))]


def _state(status: StreamStatus, left_s: float | None) -> Text:
    """A word; or for a file that is being watched a bar, the share and the time left."""
    share = share_watched(status)
    if status.state != "watching" or share is None:
        return Text(status.state, style=_STATES[status.state])
    done = int(share * _BAR)
    left = "" if left_s is None else f" {span(left_s)}"
    return Text.assemble(
        ("━" * done, "green"), ("─" * (_BAR - done), "dim"), f" {math.floor(share * 100):3d}%{left}"
    )


def _open_count(incidents: Sequence[Incident]) -> Text:
    if not incidents:
        return _cell(Text("0", style="dim"), _OPEN, "right")
    worst = "critical" if any(one.severity == "critical" for one in incidents) else "warning"
    return _cell(Text(str(len(incidents)), f"bold {_SEVERITIES[worst]}"), _OPEN, "right")


def _incident(event: Event, width: int) -> Text:
    """One incident on one line: a full dot while it is open, an empty one once it is over."""
    incident = event.incident
    is_open = event.kind != "closed"
    style = _SEVERITIES[incident.severity]
    parts: list[tuple[str, str]] = [
        ("● " if is_open else "○ ", style if is_open else "dim"),
        (f"{time_of_day(event.time)} ", "dim"),
        (incident.detector, f"bold {style}" if is_open else ""),
        (f" {when(event)}", ""),
    ]
    if width >= WIDE:
        parts.append((f" ({amount(incident.value, incident.unit)})", ""))
    parts.append((f"  {incident.track} {_short(incident.stream)}", "dim"))
    return Text.assemble(*parts)
