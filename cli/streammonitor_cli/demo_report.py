"""What the demo comes to: injected beside reported, and what happened to coverage. Pure.

Times are wall clock, as media time begins anew with each owner of a stream. A live stream is some
seconds old when it is watched, so a report belongs to the defect that began just before it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from streammonitor_api.events import Event
from streammonitor_api.fleet.records import Gap
from streammonitor_api.incident import Incident
from streammonitor_api.names import StreamKey
from streammonitor_worker.synth.truth import Defect, Truth

SETTLED_S = 12.0
"""A defect that began less than this before the end need not have been told."""
_EARLY_S = 1.5


@dataclass(frozen=True, slots=True)
class Reported:
    """An incident as it was told: when first, and as it was last."""

    incident: Incident
    told_at: float
    """When it was opened, Unix time."""
    is_open: bool


@dataclass(frozen=True, slots=True)
class Row:
    """A defect with the reports of it: one is right; or a report without a defect."""

    stream: StreamKey
    detector: str
    at_s: float
    """Since the demo's streams began."""
    injected_s: float | None
    reports: tuple[Reported, ...]
    told_after_s: float | None

    @property
    def is_over(self) -> bool:
        """Whether all that is to be told has been told."""
        return bool(self.reports) and not any(one.is_open for one in self.reports)

    @property
    def verdict(self) -> str:
        if self.injected_s is None:
            return "false alarm"
        return ("missed", "found")[len(self.reports)] if len(self.reports) < 2 else "doubled"


def collect(events: Iterable[Event]) -> list[Reported]:
    """The incidents that events tell of."""
    opened: dict[str, float] = {}
    last: dict[str, Event] = {}
    for event in events:
        opened.setdefault(event.incident.id, _seconds(event.time))
        last[event.incident.id] = event
    return [
        Reported(one.incident, opened[name], one.kind != "closed") for name, one in last.items()
    ]


def compare(
    truth: Mapping[StreamKey, Truth], events: Iterable[Event], *, since: float, until: float
) -> list[Row]:
    """Match what was reported with what was injected from `since`, when all was watched, to shortly
    before `until`, Unix times. Rows tell times since the first stream began."""
    left = collect(events)
    began = min(known.started_at or since for known in truth.values())
    rows = []
    for stream, known in truth.items():
        for defect, window in _windows(known):
            found = [one for one in left if _is_about(one, stream, defect, window)]
            left = [one for one in left if one not in found]
            if since <= window[0] + _EARLY_S and window[0] <= until - SETTLED_S:
                rows.append(_row(stream, defect, window[0] + _EARLY_S, tuple(found), began))
        for ok in known.tolerated:
            window = ((known.started_at or began) + ok.onset_s - _EARLY_S, math.inf)
            left = [one for one in left if not _is_about(one, stream, ok, window)]
    for one in left:
        at = _seconds(one.incident.onset.wall) - began
        stream = StreamKey(one.incident.stream)
        rows.append(Row(stream, one.incident.detector, at, None, (one,), None))
    return sorted(rows, key=lambda row: row.at_s)


def _windows(known: Truth) -> Iterator[tuple[Defect, tuple[float, float]]]:
    """Each defect with the times between which its report begins: up to the next of its kind, as
    a busy machine makes the stream late as well."""
    started = known.started_at or 0.0
    defects = sorted(known.defects, key=lambda one: one.onset_s)
    for place, defect in enumerate(defects):
        kind = defect.detector, defect.track
        later = (one.onset_s for one in defects[place + 1 :] if (one.detector, one.track) == kind)
        end = next((started + onset for onset in later), math.inf)
        yield defect, (started + defect.onset_s - _EARLY_S, end - _EARLY_S)


def _row(
    stream: StreamKey, defect: Defect, at: float, found: tuple[Reported, ...], began: float
) -> Row:
    lasted = math.inf if defect.recovery_s is None else defect.recovery_s - defect.onset_s
    told = min((one.told_at for one in found), default=None)
    after = None if told is None else told - at
    return Row(stream, defect.detector, at - began, lasted, found, after)


def table(rows: Sequence[Row]) -> Iterator[str]:
    """The rows as columns."""
    yield _line("AT", "STREAM", "DEFECT", "INJECTED", "REPORTED", "TOLD AFTER", "")
    for row in rows:
        injected = "-" if row.injected_s is None else f"{row.injected_s:.1f} s"
        lasted = [one.incident.duration_s for one in row.reports]
        reported = ", ".join("open" if one is None else f"{one:.1f} s" for one in lasted) or "-"
        after = "-" if row.told_after_s is None else f"{row.told_after_s:.1f} s"
        at = f"{int(row.at_s) // 60}:{int(row.at_s) % 60:02d}"
        yield _line(at, row.stream, row.detector, injected, reported, after, row.verdict)


def coverage_of(
    streams: Iterable[StreamKey], gaps: Iterable[Gap], since_ms: int, until_ms: int
) -> dict[StreamKey, tuple[float, list[str]]]:
    """The share of a time in which each stream was watched, and its gaps in words.

    From the gaps themselves: what Redis holds of coverage is up to half a minute old.
    """
    found: dict[StreamKey, tuple[float, list[str]]] = {one: (1.0, []) for one in streams}
    for gap in gaps:
        lasted_ms = (until_ms if gap.to_ms is None else gap.to_ms) - max(gap.from_ms, since_ms)
        share, told = found.get(gap.stream, (1.0, []))
        told.append(f"{lasted_ms / 1000:.1f} s {gap.reason}")
        found[gap.stream] = max(0.0, share - lasted_ms / (until_ms - since_ms)), told
    return found


def _line(at: str, stream: str, detector: str, *cells: str) -> str:
    injected, reported, after, verdict = cells
    return (
        f"{at:>5}  {stream:<19}{detector:<20}{injected:>9}{reported:>10}{after:>12}  {verdict}"
    ).rstrip()


def _is_about(
    one: Reported, stream: StreamKey, defect: Defect, window: tuple[float, float]
) -> bool:
    incident = one.incident
    about = (incident.stream, incident.detector, incident.track)
    if about != (stream, defect.detector, defect.track):
        return False
    return window[0] <= _seconds(incident.onset.wall) < window[1]


def _seconds(wall: str) -> float:
    return datetime.fromisoformat(wall).timestamp()
