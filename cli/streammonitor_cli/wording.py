"""How streams and incidents are put into words for people: the same in the table and in lines."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from streammonitor_api.events import Event

if TYPE_CHECKING:
    from streammonitor_worker.media import Format

KINDS = {"opened": "opened", "updated": "goes on", "closed": "closed"}


def printable(text: str) -> str:
    """Take out what could steer a terminal: names come from sources, which are not trusted."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def counted(count: int, noun: str) -> str:
    """`1 incident`, `2 incidents`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def clock(seconds: float) -> str:
    """Write media time to the millisecond: `0:05.000`, `1:02:03.250`."""
    whole, milliseconds = divmod(round(seconds * 1000), 1000)
    return f"{span(whole)}.{milliseconds:03d}"


def span(seconds: float) -> str:
    """Write a time to the second: `0:05`, `1:02:03`."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def time_of_day(wall: str) -> str:
    """The local time of day of an RFC 3339 time, to the second."""
    return datetime.fromisoformat(wall).astimezone().strftime("%H:%M:%S")


def amount(value: float, unit: str) -> str:
    """Write a measured value with as many digits as a person wants: `-72.1 dB`, `98.7 %`."""
    if unit == "share":
        value, unit = value * 100, "%"
    digits = f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"
    return f"{digits} {unit}".rstrip()


def when(event: Event) -> str:
    """When in the stream: `at 0:05.000` while it is open, `0:05.000 to 0:08.000, 3.0 s` once it
    is over, `0:05.000 to the end` where the stream ended first."""
    incident = event.incident
    onset = clock(incident.onset.media_s)
    if event.kind != "closed":
        return f"at {onset}"
    if incident.recovery is None or incident.duration_s is None:
        return f"{onset} to the end"
    return f"{onset} to {clock(incident.recovery.media_s)}, {incident.duration_s:.1f} s"


def event_line(event: Event) -> str:
    """One event as a line of columns, which a person reads and `grep` finds."""
    incident = event.incident
    return (
        f"{time_of_day(event.time)}  {KINDS[event.kind]:<7}  {incident.severity:<8}  "
        f"{incident.detector:<22}  {when(event)}  "
        f"({amount(incident.value, incident.unit)}, "
        f"threshold {amount(incident.threshold, incident.unit)})  "
        f"{printable(incident.stream)} {incident.track}"
    )


def format_text(one: Format | None) -> str:
    """What a track is encoded as; empty without one."""
    return "" if one is None else printable(one.describe())
