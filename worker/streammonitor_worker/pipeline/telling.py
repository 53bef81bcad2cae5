"""What the trackers of a stream found becomes an `Incident` with a name here, and nowhere else.

A stream may have had another owner, and its incidents go on over the change. While nothing is
owned yet (`held`) nothing is told. With `own` come the incidents that the owner before left open,
which are continued under their names, and those that it closed lately: the two owners are never
at the same place of a stream (each joins a live playlist some segments before its end), so what
is found later may have been told already. What both saw is recognised by the source's own
timestamps, which are the same for whoever reads it; `source_time_s` in the evidence tells them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from streammonitor_api.events import Event, EventKind, OpenIncident
from streammonitor_api.incident import Incident, Moment, incident_id, wall_time
from streammonitor_api.plan import DetectorPlan
from streammonitor_worker.detectors.base import Detector
from streammonitor_worker.incidents import Defect, Tracker, Transition
from streammonitor_worker.pipeline.evidence import EvidenceKeeper

SOURCE_TIME = "source_time_s"
"""In the evidence: the source's own timestamp of the onset, seconds, modulo its wrap."""
SAME_S = 0.25
"""Onsets of one defect, seen by two, differ by less: 6 pictures at 25/s, and a quarter of the
shortest time (`clear_after`, 1 s) that keeps two incidents of one kind apart."""
SAME_WALL_S = 2.0
"""The same where there are only clocks to compare: they count from when media arrived, and whether
a source is there is looked at by each for itself."""
CLOCK_TRUST_S = 60.0
"""Timestamps and wall clock may disagree by this much on when something was; a source whose
timestamps began anew is farther off. A playlist is joined three segments before its end, of 10 s
at most usually, and what was dead was found to be so within 3 s."""
REREAD_S = 60.0
"""How long after the change of owners anything is taken for what the owner before has seen."""
JOINING_S = 1.0
"""What ends this soon after the joining is an artefact of it: decoders begin without the pictures
that theirs refer to."""
ORPHAN_S = 30.0
"""An incident of a track that does not show up for so long is closed: the track is gone."""


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

    def source_time(self, media_s: float) -> float | None:
        """The source's own timestamp of a media time; None where it has none."""

    def media_at(self, wall_s: float, source_s: float | None) -> float:
        """The media time of a wall-clock time, or of a timestamp of the source."""

    def clock_at(self, wall_s: float) -> float:
        """The time on the stream's clock of a wall-clock time."""

    def reached(self) -> tuple[float, float]:
        """How far it is: media time, and time on the stream's clock."""


@dataclass(slots=True)
class Watcher:
    """A detector on a track, the tracker of what it finds, and what was told of that."""

    detector: Detector[Any]
    tracker: Tracker
    plan: DetectorPlan
    track: str
    on_stream_clock: bool
    """Its times count on the stream's clock, not in media time."""
    incident: Incident | None = None
    revision: int = 0
    """Of the last event told of the incident; 0 while it is held back."""
    adopted: bool = False
    """Its incident was opened by another owner, and keeps to that one's times."""
    silent: bool = False
    """All of it has been told by another owner."""

    @property
    def key(self) -> tuple[str, str]:
        return self.plan.name, self.track


class Teller:
    """Makes the events of one stream. `emit` takes them in order."""

    def __init__(
        self,
        clock: Clock,
        emit: Callable[[Event], None],
        evidence: EvidenceKeeper | None = None,
        *,
        held: bool = False,
    ) -> None:
        self._clock = clock
        self._emit = emit
        self._evidence = evidence
        self._held = held
        self._stamped = held
        self._waiting: dict[tuple[str, str], OpenIncident] = {}
        """To be adopted, by detector and track, as soon as the track shows up."""
        self._waiting_since: float | None = None
        self._told_before: list[Incident] = []
        self._told_until = 0.0
        self._held_closed: list[Incident] = []
        self.opened = 0
        """Incidents opened so far."""

    @property
    def waiting(self) -> tuple[OpenIncident, ...]:
        """Incidents of other owners whose tracks have not shown up."""
        return tuple(self._waiting.values())

    def tell(self, watcher: Watcher, transitions: Iterable[Transition]) -> None:
        """Tell what changed."""
        for transition in transitions:
            if transition.kind == "pending":
                self._suspect(watcher, transition)
            elif transition.kind == "dropped":
                if self._evidence is not None:
                    self._evidence.drop(watcher.plan.name, watcher.track)
            else:
                self._tell_event(watcher, transition)

    def own(
        self,
        watchers: Iterable[Watcher],
        left_open: Iterable[OpenIncident],
        closed: Iterable[Incident],
    ) -> None:
        """From now on what is found is told, beginning with what the owner before has not told.

        `left_open` are continued; `closed` are those that it closed lately, the oldest of them
        before anything that is still to be read again. May be called again.
        """
        self._held = False
        self._waiting |= {(one.incident.detector, one.incident.track): one for one in left_open}
        self._waiting_since = None
        known = [one.incident for one in self._waiting.values()]
        self._told_before = [one for one in closed if one.recovery is not None]
        self._told_until = self._clock.reached()[1] + REREAD_S
        missed, self._held_closed = self._held_closed, []
        for incident in missed:
            if incident.onset.media_s > JOINING_S and not self._was_told(incident, known):
                self.opened += 1
                opening = replace(incident, recovery=None, duration_s=None)
                self._emit(Event("opened", self._clock.wall_now(), opening, 1))
                self._emit(Event("closed", self._clock.wall_now(), incident, 2))
        for watcher in watchers:
            self.welcome(watcher)

    def welcome(self, watcher: Watcher) -> None:
        """Let a watcher, new or held until now, go on with what is its."""
        adopted = self._waiting.pop(watcher.key, None)
        if adopted is not None:
            known = watcher.incident if watcher.revision else None
            if known is None or known.id != adopted.incident.id:
                self._adopt(watcher, adopted)
        elif not self._held and watcher.incident is not None and watcher.revision == 0:
            self._open(watcher, watcher.incident)

    def refresh(self, watcher: Watcher) -> None:
        """Tell an open incident again, whose settings were changed."""
        defect = watcher.tracker.open_defect
        if defect is not None and watcher.incident is not None:
            self._tell_event(watcher, Transition("updated", defect))

    def expire(self, *, at_once: bool = False, cancelled: str = "") -> None:
        """Close the adopted incidents whose tracks do not show up. Call while media comes."""
        if not self._waiting:
            return
        now = self._clock.reached()[1]
        if self._waiting_since is None:
            self._waiting_since = now
        if at_once or now - self._waiting_since >= ORPHAN_S:
            waiting, self._waiting = self._waiting, {}
            for one in waiting.values():
                self._close(one, cancelled or "its track is gone")

    def drop(self, wanted: Mapping[str, DetectorPlan]) -> None:
        """Close the adopted incidents of detectors that do not run here."""
        for key, one in list(self._waiting.items()):
            if key[0] not in wanted:
                del self._waiting[key]
                self._close(one, "the detector was disabled")

    def cancel(self, watcher: Watcher, reason: str) -> None:
        """Close what is open as no longer wanted: nobody knows how it goes on."""
        incident, watcher.incident = watcher.incident, None
        if incident is not None and not (self._held or watcher.silent):
            self._close(OpenIncident(incident, watcher.revision), reason)

    def _close(self, one: OpenIncident, reason: str) -> None:
        evidence = {**one.incident.evidence, "cancelled": reason}
        incident = replace(one.incident, recovery=None, duration_s=None, evidence=evidence)
        self._emit(Event("closed", self._clock.wall_now(), incident, one.revision + 1))

    def _suspect(self, watcher: Watcher, transition: Transition) -> None:
        if self._evidence is not None and watcher.track.startswith("video:"):
            onset_s = transition.defect.onset_moment.media_s
            self._evidence.suspect(watcher.plan.name, watcher.track, onset_s)

    def _tell_event(self, watcher: Watcher, transition: Transition) -> None:
        incident = self._incident(watcher, transition.defect)
        kind = _event_kind(transition.kind)
        closed = kind == "closed"
        watcher.incident = None if closed else incident
        if self._held:
            if closed and incident.recovery is not None:
                self._held_closed.append(incident)
        elif kind == "opened":
            self._open(watcher, incident)
        elif not watcher.silent:
            watcher.revision += 1
            self._emit(Event(kind, self._clock.wall_now(), incident, watcher.revision))
        if closed:
            watcher.revision, watcher.adopted, watcher.silent = 0, False, False

    def _open(self, watcher: Watcher, incident: Incident) -> None:
        watcher.silent = self._was_told(incident)
        if not watcher.silent:
            self.opened += 1
            watcher.revision = 1
            opening = replace(incident, recovery=None, duration_s=None)
            self._emit(Event("opened", self._clock.wall_now(), opening, 1))

    def _adopt(self, watcher: Watcher, adopted: OpenIncident) -> None:
        incident = adopted.incident
        wall_s = _seconds(incident.onset.wall)
        media_s, clock_s = self._clock.reached()
        if watcher.on_stream_clock:
            onset, now = self._clock.clock_at(wall_s), clock_s
        else:
            onset, now = self._clock.media_at(wall_s, _source_time(incident)), media_s
        defect = Defect(onset, incident.onset, incident.value, dict(incident.evidence))
        watcher.tracker.adopt(defect, now)
        watcher.detector.adopt(incident.evidence)
        watcher.incident, watcher.revision, watcher.adopted = incident, adopted.revision, True

    def _was_told(self, incident: Incident, others: Iterable[Incident] = ()) -> bool:
        """Whether another owner has told this one, or it is one of the others."""
        if self._clock.reached()[1] >= self._told_until:
            self._told_before = []
        return any(_same(incident, other) for other in (*self._told_before, *others))

    def _incident(self, watcher: Watcher, defect: Defect) -> Incident:
        known, plan = watcher.incident, watcher.plan
        evidence = dict(defect.evidence)
        if known is not None:
            name = known.id
            kept = ("first_picture", "last_good_picture", SOURCE_TIME)
            evidence |= {key: known.evidence[key] for key in kept if key in known.evidence}
        else:
            name = incident_id(
                self._clock.stream, plan.name, watcher.track, defect.onset, self._clock.session
            )
            if self._evidence is not None:
                evidence |= self._evidence.keep(plan.name, watcher.track, name)
            if self._stamped and not watcher.on_stream_clock:
                source_s = self._clock.source_time(defect.onset)
                evidence |= {} if source_s is None else {SOURCE_TIME: round(source_s, 3)}
        return Incident(
            id=name,
            stream=self._clock.stream,
            detector=plan.name,
            severity=plan.severity,
            track=watcher.track,
            onset=defect.onset_moment,
            recovery=_adopted_recovery(defect) if watcher.adopted else defect.recovery_moment,
            duration_s=defect.duration_s,
            value=defect.value,
            threshold=watcher.detector.threshold,
            unit=watcher.detector.unit,
            evidence=evidence,
        )


def _adopted_recovery(defect: Defect) -> Moment | None:
    """The end of a defect in the times of whoever told its onset: media time begins anew with
    each owner."""
    onset, duration_s = defect.onset_moment, defect.duration_s
    if duration_s is None:
        return None
    return Moment(onset.media_s + duration_s, wall_time(_seconds(onset.wall) + duration_s))


def _same(one: Incident, other: Incident) -> bool:
    """Whether two owners told the same defect: by the source's timestamps, else by the clock."""
    if (one.detector, one.track) != (other.detector, other.track):
        return False
    apart_s, near_s = _seconds(one.onset.wall) - _seconds(other.onset.wall), SAME_WALL_S
    lasted_s = 0.0 if other.duration_s is None else other.duration_s
    stamps = _source_time(one), _source_time(other)
    if stamps[0] is not None and stamps[1] is not None:
        if not -CLOCK_TRUST_S <= apart_s <= lasted_s + CLOCK_TRUST_S:
            return False
        apart_s, near_s = stamps[0] - stamps[1], SAME_S
    return -near_s <= apart_s <= lasted_s + near_s


def _source_time(incident: Incident) -> float | None:
    known = incident.evidence.get(SOURCE_TIME)
    return float(known) if isinstance(known, int | float) else None


def _seconds(wall: str) -> float:
    return datetime.fromisoformat(wall).timestamp()


def _event_kind(kind: str) -> EventKind:
    kinds: dict[str, EventKind] = {"opened": "opened", "updated": "updated", "closed": "closed"}
    return kinds[kind]
