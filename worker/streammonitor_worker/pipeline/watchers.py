"""The detectors of one stream and what they found: items in, events out.

Detectors are made when the first item that they read comes, one for each track (or one for the
stream, where their `scope` says so). Each has a tracker of its own; what the trackers tell becomes
an event in `telling.py`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable
from typing import Any

from streammonitor_api.catalogue import camel_case
from streammonitor_api.events import Event, OpenIncident
from streammonitor_api.incident import Incident
from streammonitor_api.plan import DetectorPlan, Plan
from streammonitor_worker.detectors.base import Detector, Measure
from streammonitor_worker.detectors.registry import detector_types
from streammonitor_worker.incidents import State, Tracker
from streammonitor_worker.media import STREAM_TRACK, Connection, Idle, Item
from streammonitor_worker.pipeline.evidence import EvidenceKeeper
from streammonitor_worker.pipeline.telling import Clock, Teller, Watcher


class Watchers:
    """All detectors of one stream.

    `emit` takes every event in order. `held`: nothing is told before `own`.
    """

    def __init__(
        self,
        plan: Plan,
        clock: Clock,
        emit: Callable[[Event], None],
        evidence: EvidenceKeeper | None = None,
        *,
        held: bool = False,
    ) -> None:
        self._plan = plan
        self._clock = clock
        self._teller = Teller(clock, emit, evidence, held=held)
        self._by_item: dict[tuple[type, str], list[Watcher]] = {}
        self._by_name: dict[tuple[str, str], Watcher] = {}
        self._passing: list[Watcher] = []
        """Those that have found something of an instant, until it is closed."""

    @property
    def opened(self) -> int:
        """Incidents opened so far."""
        return self._teller.opened

    @property
    def open_incidents(self) -> tuple[Incident, ...]:
        """Those that were told and not closed."""
        return tuple(one.incident for one in self.left_open)

    @property
    def left_open(self) -> tuple[OpenIncident, ...]:
        """What another owner would have to continue."""
        own = self._by_name.values()
        told = (OpenIncident(w.incident, w.revision) for w in own if w.incident and w.revision)
        return (*told, *self._teller.waiting)

    def own(self, left_open: Iterable[OpenIncident], closed: Iterable[Incident]) -> None:
        """Tell from now on what is found; see `Teller.own`."""
        self._teller.own(self._by_name.values(), left_open, closed)
        self._teller.drop(self._plan)

    def change(self, plan: Plan) -> None:
        """Go on by another plan. Detectors whose settings changed begin anew, their incidents go
        on; those of detectors that are not in it are closed."""
        self._plan = plan
        self._by_item.clear()
        for key, watcher in list(self._by_name.items()):
            wanted = plan.get(key[0])
            if wanted is None:
                self._teller.cancel(watcher, "the detector was disabled")
                del self._by_name[key]
            elif wanted != watcher.plan:
                self._adjust(watcher, wanted)
        self._passing = [w for w in self._passing if w.key in self._by_name]
        self._teller.drop(plan)

    def expire(self) -> None:
        """Media comes: close what was left open on tracks that are gone."""
        self._teller.expire()

    def cancel(self, reason: str) -> None:
        """The stream is no longer wanted: close what is open, without a recovery."""
        for watcher in self._by_name.values():
            self._teller.cancel(watcher, reason)
        self._teller.expire(at_once=True, cancelled=reason)

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
                    self._teller.tell(watcher, changed)
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
                self._teller.tell(watcher, changed)
        self._passing = [w for w in self._passing if w.tracker.state is not State.CLEAR]

    def finish(self) -> None:
        """The stream has ended: close what is open."""
        for watcher in self._by_name.values():
            self._teller.tell(watcher, watcher.tracker.finish())
        self._teller.expire(at_once=True, cancelled="the stream ended")

    def _adjust(self, watcher: Watcher, plan: DetectorPlan) -> None:
        before, watcher.plan = watcher.plan, plan
        if before.settings != plan.settings:
            watcher.detector = build_detector(plan)
        watcher.tracker.adjust(
            alarm_after=plan.alarm_after_s,
            clear_after=plan.clear_after_s,
            threshold=watcher.detector.threshold,
        )
        if before.severity != plan.severity:
            self._teller.refresh(watcher)

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
        watcher = Watcher(detector, tracker, plan, track, on_stream_clock)
        self._teller.welcome(watcher)
        return watcher


def build_detector(plan: DetectorPlan) -> Detector[Any]:
    """Make a detector with the settings of its plan."""
    detector_type = detector_types()[plan.name]
    fields = dataclasses.fields(detector_type.settings_type)
    values = {field.name: plan.settings[camel_case(field.name)] for field in fields}
    return detector_type(detector_type.settings_type(**values))
