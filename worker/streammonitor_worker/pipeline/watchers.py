"""The detectors of one stream and what they found: items in, events out.

Detectors are made when the first item that they read comes, one for each track (or one for the
stream, where their `scope` says so). Each has a tracker of its own; what the trackers tell becomes
an `Incident` here, and nowhere else.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from streammonitor_api.catalogue import camel_case
from streammonitor_api.events import Event, EventKind
from streammonitor_api.incident import Incident, Moment, incident_id
from streammonitor_api.plan import DetectorPlan, Plan
from streammonitor_worker.detectors.base import Detector, Measure
from streammonitor_worker.detectors.registry import detector_types
from streammonitor_worker.incidents import State, Tracker, Transition
from streammonitor_worker.media import STREAM_TRACK, Connection, Idle, Item
from streammonitor_worker.pipeline.evidence import EvidenceKeeper


class Clock(Protocol):
    """What an incident has to know of its stream."""

    stream: str

    @property
    def session(self) -> str:
        """Keeps two watches of one live source apart; empty for files."""

    def media_moment(self, media_s: float) -> Moment:
        """The moment of this media time."""

    def clock_moment(self, now: float) -> Moment:
        """The moment of this time on the stream's clock."""

    def wall_now(self) -> str:
        """The wall-clock time, RFC 3339."""


@dataclass(slots=True)
class Watcher:
    """A detector on a track, and the tracker of what it finds."""

    detector: Detector[Any]
    tracker: Tracker
    plan: DetectorPlan
    track: str
    incident: Incident | None = None


class Watchers:
    """All detectors of one stream.

    `emit` takes every event in order.
    """

    def __init__(
        self,
        plan: Plan,
        clock: Clock,
        emit: Callable[[Event], None],
        evidence: EvidenceKeeper | None = None,
    ) -> None:
        self._plan = plan
        self._clock = clock
        self._emit = emit
        self._evidence = evidence
        self._by_item: dict[tuple[type, str], list[Watcher]] = {}
        self._by_name: dict[tuple[str, str], Watcher] = {}
        self._passing: list[Watcher] = []
        """Those that have found something of an instant, until it is closed."""
        self.opened = 0
        """Incidents opened so far."""

    @property
    def open_incidents(self) -> tuple[Incident, ...]:
        return tuple(w.incident for w in self._by_name.values() if w.incident is not None)

    def observe(self, item: Item) -> bool:
        """Show an item to all who read it; say whether anybody found a defect in it."""
        key = type(item), item.track
        watchers = self._by_item.get(key)
        if watchers is None:
            watchers = self._by_item[key] = self._readers(*key)
        suspicious = False
        for watcher in watchers:
            for measure in watcher.detector.observe(item):
                suspicious |= measure.present
                changed = watcher.tracker.observe(measure)
                if changed:
                    self._tell(watcher, changed)
                if watcher.detector.momentary and watcher not in self._passing:
                    self._passing.append(watcher)
        return suspicious

    def pass_time(self, until: float) -> None:
        """Media time passes: for defects of an instant that is their absence, from the end of
        the last one on, because packets do not come in the order of their times."""
        if not self._passing:
            return
        absence = Measure(-math.inf, until, False, 0.0)
        for watcher in self._passing:
            changed = watcher.tracker.observe(absence)
            if changed:
                self._tell(watcher, changed)
        self._passing = [w for w in self._passing if w.tracker.state is not State.CLEAR]

    def finish(self) -> None:
        """The stream has ended: close what is open."""
        for watcher in self._by_name.values():
            self._tell(watcher, watcher.tracker.finish())

    def _readers(self, kind: type, item_track: str) -> list[Watcher]:
        """Find or make the detectors that read this kind of item on this track."""
        found = []
        for name, plan in self._plan.items():
            detector_type = detector_types()[name]
            reads = detector_type.reads
            if kind not in (reads if isinstance(reads, tuple) else (reads,)):
                continue
            track = STREAM_TRACK if detector_type.scope == "stream" else item_track
            watcher = self._by_name.get((name, track))
            if watcher is None:
                watcher = self._by_name[name, track] = self._watcher(plan, track, kind)
            found.append(watcher)
        return found

    def _watcher(self, plan: DetectorPlan, track: str, kind: type) -> Watcher:
        detector = build_detector(plan)
        on_stream_clock = track == STREAM_TRACK and kind in (Connection, Idle)
        tracker = Tracker(
            alarm_after=plan.alarm_after_s,
            clear_after=plan.clear_after_s,
            bridge=detector.bridge,
            threshold=detector.threshold,
            moment=self._clock.clock_moment if on_stream_clock else self._clock.media_moment,
        )
        return Watcher(detector, tracker, plan, track)

    def _tell(self, watcher: Watcher, transitions: Iterable[Transition]) -> None:
        for transition in transitions:
            if transition.kind == "pending":
                self._suspect(watcher, transition)
            elif transition.kind == "dropped":
                if self._evidence is not None:
                    self._evidence.drop(watcher.plan.name, watcher.track)
            else:
                self._tell_event(watcher, transition)

    def _suspect(self, watcher: Watcher, transition: Transition) -> None:
        if self._evidence is not None and watcher.track.startswith("video:"):
            onset_s = transition.defect.onset_moment.media_s
            self._evidence.suspect(watcher.plan.name, watcher.track, onset_s)

    def _tell_event(self, watcher: Watcher, transition: Transition) -> None:
        kind = _event_kind(transition.kind)
        incident = self._incident(watcher, transition)
        watcher.incident = None if kind == "closed" else incident
        if kind == "opened":
            self.opened += 1
        self._emit(Event(kind, self._clock.wall_now(), incident))

    def _incident(self, watcher: Watcher, transition: Transition) -> Incident:
        defect, plan = transition.defect, watcher.plan
        evidence = dict(defect.evidence)
        if watcher.incident is not None:
            name = watcher.incident.id
            pictures = ("first_picture", "last_good_picture")
            known = watcher.incident.evidence
            evidence |= {key: known[key] for key in pictures if key in known}
        else:
            name = incident_id(
                self._clock.stream, plan.name, watcher.track, defect.onset, self._clock.session
            )
            if self._evidence is not None:
                evidence |= self._evidence.keep(plan.name, watcher.track, name)
        return Incident(
            id=name,
            stream=self._clock.stream,
            detector=plan.name,
            severity=plan.severity,
            track=watcher.track,
            onset=defect.onset_moment,
            recovery=defect.recovery_moment,
            duration_s=defect.duration_s,
            value=defect.value,
            threshold=watcher.detector.threshold,
            unit=watcher.detector.unit,
            evidence=evidence,
        )


def build_detector(plan: DetectorPlan) -> Detector[Any]:
    """Make a detector with the settings of its plan."""
    detector_type = detector_types()[plan.name]
    fields = dataclasses.fields(detector_type.settings_type)
    values = {field.name: plan.settings[camel_case(field.name)] for field in fields}
    return detector_type(detector_type.settings_type(**values))


def _event_kind(kind: str) -> EventKind:
    kinds: dict[str, EventKind] = {"opened": "opened", "updated": "updated", "closed": "closed"}
    return kinds[kind]
