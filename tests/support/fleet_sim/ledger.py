"""The books of a simulation: who watched what, what was told of it, and whether that adds up.

Nobody in the fleet sees this. A `Span` is a stretch of source time that one worker watched without
a break. A defect that some span holds for its alarm duration has to be told: opened once, closed
once. One that no span holds so long may be told (an owner may have adopted its neighbour's half)
but never twice. What a worker had seen is excused if the worker was lost, with its disk, before
it could tell.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from tests.support.fleet_sim.world import Defect, World

_CERTAIN_S = 0.3
"""A defect that lasts just its alarm duration within a span may or may not be told: sampling."""


SETTLING_S = 10.0
"""Around the time at which a stream comes or goes nobody has to tell anything."""


OPERATOR = "-"
"""The teller of what is closed as no longer wanted."""
LATE_S = 3.0
"""Media is seen up to 1 s late; the rest is rounding and the way to Redis."""


class ViolationError(AssertionError):
    """An invariant does not hold: the text says which, where and when."""


@dataclass(slots=True)
class Span:
    """What a worker watched of a stream without a break; `end` grows."""

    stream: str
    worker: str
    start: float
    end: float
    held: bool = True
    """Nothing was told of it yet: it was not owned while it lasted."""


@dataclass(slots=True)
class Told:
    """What was accepted of one incident."""

    defect: Defect
    teller: str
    """The start of a worker that told of it first."""
    forgotten: bool = False
    """Redis lost it, and no operator was there that knew it."""
    kinds: Counter[str] = field(default_factory=Counter)
    """Of all that was told of it."""
    closed_at: float = 0.0
    kept: Counter[str] = field(default_factory=Counter)
    """Of what Redis has not lost since."""
    revisions: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event as Redis recorded it."""

    stream: str
    incident: str
    kind: str
    revision: int
    epoch: int
    teller: str
    when: float
    replaced_at: float | None
    """When a newer owner had claimed the stream; None: there is none."""
    merged: bool
    """It was sent as a memory of an older owner, not as the word of the present one."""

    def __str__(self) -> str:
        return (
            f"{self.when:.3f} s: {self.kind} {self.incident} of {self.stream} by {self.teller}, "
            f"epoch {self.epoch}"
        )


class Ledger:
    """Collects spans and accepted events; `settle` judges them."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.spans: dict[str, list[Span]] = {}
        self._defect_of: dict[str, Defect] = {}
        self.told: dict[str, Told] = {}
        self._incident_of: dict[int, str] = {}
        self.highest_epoch: dict[str, int] = {}
        self.accepted = 0
        self.losses = 0
        """How often Redis lost data."""
        self.well_tellers: Callable[[], set[str]] = set
        """The starts of workers that have not been in trouble for a while."""
        self._excused: set[tuple[int, str]] = set()
        self._unwanted: dict[str, list[tuple[float, float]]] = {}

    # ---- what is watched ----

    def watch(self, stream: str, worker: str, start: float) -> Span:
        span = Span(stream, worker, start, start)
        self.spans.setdefault(stream, []).append(span)
        return span

    def seen(self, incident: str, stream: str, detector: str, track: str, onset: float) -> None:
        """A worker makes an incident of what it saw from `onset`: source time."""
        defect = self._world.at(stream, detector, track, onset)
        if defect is None:
            raise ViolationError(
                f"{stream}: an incident of {detector} at {onset:.2f}, where there is none"
            )
        self._defect_of[incident] = defect

    def excuse(self, incident: str, worker: str) -> None:
        """What a worker knew of this incident was lost with its disk."""
        defect = self._defect_of.get(incident)
        if defect is not None:
            self._excused.add((defect.number, worker))

    def unwanted(self, stream: str, since: float) -> None:
        """Nobody wants the stream watched from now on."""
        self._unwanted.setdefault(stream, []).append((since, float("inf")))

    def wanted(self, stream: str, since: float) -> None:
        """It is wanted again."""
        times = self._unwanted.get(stream)
        if times and times[-1][1] == float("inf"):
            times[-1] = (times[-1][0], since)

    # ---- what is told ----

    def claimed(self, stream: str, epoch: int, when: str) -> None:
        """The epoch at which a stream is owned now; it never goes back."""
        known = self.highest_epoch.get(stream, 0)
        if epoch < known:
            raise ViolationError(f"{stream}: epoch {epoch} after {known} at {when}")
        self.highest_epoch[stream] = epoch

    def accept(self, event: Recorded) -> None:
        """An event was recorded; it is checked at once."""
        self.accepted += 1
        defect = self._defect_of.get(event.incident)
        if defect is None:
            raise ViolationError(f"{event} of an incident that nobody saw")
        told = self.told.get(event.incident)
        if told is None or event.revision not in told.revisions:  # or it is told once more
            self._check_publisher(event, defect)
        known = self._incident_of.get(defect.number)
        if known is None or self._may_be_told_anew(known, event):
            self._incident_of[defect.number] = event.incident
        elif known != event.incident:
            raise ViolationError(f"{event}: {defect} is told twice, as {known} before")
        told = self.told.setdefault(event.incident, Told(defect, event.teller))
        told.forgotten = False
        if event.revision in told.revisions and not self.losses:
            raise ViolationError(f"{event}: this revision of {defect} is told twice")
        told.revisions.add(event.revision)
        told.kinds[event.kind] += 1
        told.kept[event.kind] += 1
        if event.kind == "closed":
            told.closed_at = event.when
        if problem := _out_of_order(event.kind, told):
            raise ViolationError(f"{event}: {defect} was {problem}")

    def _check_publisher(self, event: Recorded, defect: Defect) -> None:
        """Only the owner publishes; an owner before it may add what began in its own time."""
        if event.replaced_at is None or event.teller == OPERATOR:
            return
        if not event.merged:
            raise ViolationError(
                f"{event}, although a newer owner claimed the stream at {event.replaced_at:.3f} s: "
                "two publishers"
            )
        if defect.onset > event.replaced_at + LATE_S:
            raise ViolationError(
                f"{event}: {defect} began after a newer owner claimed the stream at "
                f"{event.replaced_at:.3f} s"
            )

    def _may_be_told_anew(self, known: str, event: Recorded) -> bool:
        """Whether an incident has a right to a second name: nobody was there who could tell the
        first one again, or it was cancelled as nobody wanted the stream."""
        told = self.told[known]
        was_unwanted = told.kinds["closed"] and any(
            told.defect.onset < until and since < event.when
            for since, until in self._unwanted.get(event.stream, ())
        )
        return known != event.incident and (bool(was_unwanted) or self._is_forgotten(known))

    # ---- the judgement ----

    def settle(self, until: float) -> dict[str, int]:
        """Judge all defects that ended before `until`; returns how many there were of each sort."""
        over = [defect for defect in self._world.defects if defect.end < until]
        told = [defect for defect in over if defect.number in self._incident_of]
        for defect in told:
            incident = self._incident_of[defect.number]
            if not self.told[incident].kinds["closed"] and not self._is_forgotten(incident):
                raise ViolationError(f"{defect} was opened as {incident} and never closed")
        for defect in over:
            if defect.number not in self._incident_of and self._had_to_be_told(defect):
                raise ViolationError(self._why_untold(defect))
        return {"defects": len(over), "incidents": len(told), "not told": len(over) - len(told)}

    def _why_untold(self, defect: Defect) -> str:
        """Nobody told it, or it was told as one before it that should have been over."""
        for one in self._world.of(defect.stream, defect.detector, defect.track):
            incident = self._incident_of.get(one.number)
            if one.end >= defect.onset or incident is None:
                continue
            if self.told[incident].closed_at > defect.onset:
                return f"{one} was opened as {incident} and never closed before {defect}"
        return f"{defect} was never told; watched by {self._spans_of(defect)}"

    def _is_forgotten(self, incident: str) -> bool:
        """It is open, Redis lost it, no operator knew it, and the worker that did was not there."""
        told = self.told[incident]
        return told.forgotten and told.teller not in self.well_tellers()

    def data_lost(self, states: Mapping[str, str]) -> None:
        """Redis lost data; of these incidents it holds the state. Those that it does not hold may
        be told once more, those that are open again be closed once more."""
        self.losses += 1
        for incident, told in self.told.items():
            state = states.get(incident)
            if state is None:
                told.kept.clear()
            elif state == "open":
                told.kept["closed"] = 0

    def forget_all_but(self, known: Collection[str]) -> None:
        """Neither Redis nor an operator knows of any other incident of the last hour."""
        for incident, told in self.told.items():
            if incident not in known:
                told.forgotten = True

    def _had_to_be_told(self, defect: Defect) -> bool:
        if any(
            defect.onset < until + SETTLING_S and defect.end > since - SETTLING_S
            for since, until in self._unwanted.get(defect.stream, ())
        ):
            return False  # nobody was to tell it, at least for a part
        return any(self._saw(span, defect) for span in self.spans.get(defect.stream, ()))

    def _saw(self, span: Span, defect: Defect) -> bool:
        if span.held or (defect.number, span.worker) in self._excused:
            return False
        together_s = min(span.end, defect.end) - max(span.start, defect.onset)
        return together_s >= defect.alarm_s + _CERTAIN_S

    def _spans_of(self, defect: Defect) -> str:
        return "; ".join(
            f"{span.worker} {span.start:.1f} to {span.end:.1f} s"
            for span in self.spans.get(defect.stream, ())
            if span.end > defect.onset and span.start < defect.end
        )


def _out_of_order(kind: str, told: Told) -> str:
    """What is wrong about an event, when this (it included) has been told; "" for nothing."""
    if kind != "updated" and told.kept[kind] > 1:
        return f"{kind} twice"
    if kind != "opened" and not told.kinds["opened"]:
        return f"{kind} before it was opened"
    if kind != "closed" and told.kept["closed"]:
        return f"{kind} after it was closed"
    return ""
