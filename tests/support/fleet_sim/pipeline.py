"""A stream being watched, without pictures: real trackers and the real teller over the world.

Stands where `streammonitor_worker.pipeline.Pipeline` stands in an engine. Detectors are replaced
by the world's truth; everything after them (`Tracker`, `Teller`: alarms, adoption, what is told of
what two owners saw) is the product's. It works from edge to edge: a measure for each stretch in
which nothing changes, none at all where all is well, so an hour of a good stream costs nothing.

Like a real one it joins a live playlist some seconds before its end, reads that backlog at once,
and is a little late ever after; when the process stood still it goes on where it was, unless the
playlist has moved on.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

from streammonitor_api.events import Event, OpenIncident
from streammonitor_api.incident import Incident, Moment, wall_time
from streammonitor_api.plan import DetectorPlan
from streammonitor_worker.detectors.base import Measure
from streammonitor_worker.incidents import FIRST_UPDATE_S, State, Tracker
from streammonitor_worker.pipeline.telling import Teller, Watcher
from tests.support.fleet_sim.clock import MachineClock
from tests.support.fleet_sim.ledger import Ledger, Span
from tests.support.fleet_sim.world import ALARMS_S, CLEAR_S, World

PLAYLIST_S = 18.0
"""What a live playlist holds: who stood still for longer has missed something."""
LOOK_S = 0.5
"""How often a stream is looked at whose incidents are about to be told or closed."""
_ROUNDING_S = 1e-6
_DETECTOR = SimpleNamespace(threshold=0.5, unit="share", bridge=0.5, adopt=lambda _: None)


@dataclass(frozen=True, slots=True)
class Opening:
    """How an opening goes: after `delay_s` the first picture comes, from `behind_s` before the
    end of the playlist; afterwards media is seen `late_s` after it was made."""

    delay_s: float
    behind_s: float
    late_s: float


class SimPipeline:
    """Watches one stream in one worker, from its first picture until `stop`.

    `advance` has to be called from time to time and at `next_at`.
    """

    def __init__(
        self,
        world: World,
        ledger: Ledger,
        clock: MachineClock,
        stream: str,
        worker: str,
        opening: Opening,
        emit: Callable[[Event], None],
        *,
        held: bool,
        wall: Callable[[], float] | None = None,
    ) -> None:
        """`wall` tells the time of day; without it, the machine's clock does."""
        self._wall = wall or clock.wall
        self.stream = stream
        self.session = f"{worker} {clock.clock.now:.6f}"
        self._world = world
        self._ledger = ledger
        self._clock = clock
        self._worker = worker
        self._opening = opening
        self._began = clock.clock.now
        self.first_picture_at = clock.clock.now + opening.delay_s
        self._joined = self.first_picture_at - opening.behind_s
        self._reached = self._joined
        self._held = held
        self._span: Span | None = None
        self._spans: list[Span] = []
        self._emit = emit
        self._teller = Teller(self, self._told, held=held)
        self._watchers = {key: self._watcher(*key) for key in ALARMS_S}
        self._edges = {key: self._edges_of(*key) for key in ALARMS_S}

    @property
    def watching(self) -> bool:
        return self._span is not None

    @property
    def last_picture_wall(self) -> float | None:
        return None if self._span is None else self._wall_start + self._reached

    @property
    def spans_end(self) -> float:
        return self._reached

    def advance(self) -> None:
        """See everything that has been made up to now, as far as it has arrived."""
        now = self._clock.clock.now
        if now < self.first_picture_at:
            return
        upto = max(self._reached, now - self._opening.late_s + _ROUNDING_S)
        if self._span is None or now - PLAYLIST_S > self._reached:
            self._reached = max(self._reached, min(upto, now - PLAYLIST_S))
            self._span = self._ledger.watch(self.stream, self._worker, self._reached)
            self._span.held = self._held
            self._spans.append(self._span)
        for key, watcher in self._watchers.items():
            for measure in self._measures(key, self._reached, upto):
                self._teller.tell(watcher, watcher.tracker.observe(measure))
        self._reached = self._span.end = upto
        self._teller.expire()

    def next_at(self) -> float:
        """When there is something new to see, or the first picture comes: true time."""
        if self._span is None:
            return self.first_picture_at
        edges = (self._next_edge(key) for key in self._watchers)
        soon = self._reached + LOOK_S if self._unsettled() else float("inf")
        return min(*edges, soon) + self._opening.late_s

    def _unsettled(self) -> bool:
        """Whether something that is over has not been closed yet."""
        return any(
            watcher.tracker.state in (State.PENDING, State.CLEARING)
            or (
                watcher.tracker.state is State.OPEN
                and self._world.at(self.stream, *key, self._reached) is None
            )
            for key, watcher in self._watchers.items()
        )

    def own(self, left_open: Iterable[OpenIncident], closed: Iterable[Incident]) -> None:
        """Tell from now on what is found, and go on with what the owner before left open."""
        self._held = False
        for span in self._spans:
            span.held = False
        self._teller.own(self._watchers.values(), left_open, closed)

    def cancel(self, reason: str) -> None:
        """Close what is open as no longer wanted."""
        for watcher in self._watchers.values():
            self._teller.cancel(watcher, reason)
        self._teller.expire(at_once=True, cancelled=reason)

    def _told(self, event: Event) -> None:
        incident = event.incident
        if event.kind == "opened":
            onset = self._joined + incident.onset.media_s
            self._ledger.seen(incident.id, self.stream, incident.detector, incident.track, onset)
        self._emit(event)

    # ---- what the teller asks of a stream ----

    def media_moment(self, media_s: float) -> Moment:
        source = self._joined + media_s + self._opening.late_s
        return Moment(media_s, wall_time(self._wall_start + source))

    def clock_moment(self, now: float) -> Moment:
        return self.media_moment(self._reached - self._joined)

    def wall_now(self) -> str:
        return wall_time(self._wall())

    def source_time(self, media_s: float) -> float | None:
        return self._joined + media_s

    def media_at(self, wall_s: float, source_s: float | None) -> float:
        at = wall_s - self._wall_start if source_s is None else source_s
        return at - self._joined

    def clock_at(self, wall_s: float) -> float:
        return wall_s - self._wall_start - self._began

    @property
    def _wall_start(self) -> float:
        """What the time of day was when the simulation began, by what it is taken for now."""
        return self._wall() - self._clock.clock.now

    def reached(self) -> tuple[float, float]:
        return self._reached - self._joined, self._clock.clock.now - self._began

    # ---- from edge to edge ----

    def _watcher(self, detector: str, track: str) -> Watcher:
        alarm_s = ALARMS_S[detector, track]
        tracker = Tracker(
            alarm_after=alarm_s,
            clear_after=CLEAR_S,
            bridge=_DETECTOR.bridge,
            threshold=_DETECTOR.threshold,
            moment=self.media_moment,
        )
        plan = DetectorPlan(detector, "critical", alarm_s, CLEAR_S, {})
        return Watcher(cast(Any, _DETECTOR), tracker, plan, track, on_stream_clock=False)

    def _edges_of(self, detector: str, track: str) -> list[float]:
        """Where what is seen, or what is to be told of it, can change: source time."""
        edges: set[float] = set()
        for defect in self._world.of(self.stream, detector, track):
            if defect.end + 30.0 < self._joined:
                continue
            begin = max(defect.onset, self._joined)
            edges |= {defect.onset, begin + defect.alarm_s, defect.end, defect.end + CLEAR_S}
            edges |= {defect.end + _DETECTOR.bridge, self._joined + defect.alarm_s}
            update_s = FIRST_UPDATE_S
            while defect.onset + update_s < defect.end:
                edges.add(defect.onset + update_s)
                update_s *= 2
        # An adopted incident whose defect is over is closed after the joining.
        edges |= {self._joined + CLEAR_S + 0.5, self._joined + 10.0}
        return sorted(edge for edge in edges if edge > self._joined)

    def _next_edge(self, key: tuple[str, str]) -> float:
        edges = self._edges[key]
        index = bisect.bisect_right(edges, self._reached)
        return edges[index] if index < len(edges) else float("inf")

    def _measures(self, key: tuple[str, str], start: float, upto: float) -> Iterator[Measure]:
        edges = self._edges[key]
        low, high = bisect.bisect_right(edges, start), bisect.bisect_right(edges, upto)
        at = start
        for edge in (*edges[low:high], upto):
            if edge <= at and edge != start:
                continue
            defect = self._world.at(self.stream, *key, (at + edge) / 2)
            present = defect is not None
            yield Measure(at - self._joined, edge - self._joined, present, 1.0 if present else 0.0)
            at = edge
