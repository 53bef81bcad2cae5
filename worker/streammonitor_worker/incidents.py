"""From measures to incidents: the one place where a defect becomes something worth a page.

A `Tracker` follows one detector on one track. It knows nothing of media: it is told measures on a
time axis, in seconds, and answers with what changed. The whole machine is this table:

    state      a present measure             an absent measure
    CLEAR      PENDING, onset noted          CLEAR
    PENDING    OPEN once it has lasted       CLEAR once it has been away for `bridge`
               `alarm_after`
    OPEN       OPEN                          CLEARING, recovery noted
    CLEARING   OPEN, recovery forgotten      CLEAR once it has been away for `clear_after`

A present measure that comes `clear_after` after the recovery, with no measure at all in between
(the source was away), begins another defect: the one before is closed first.
So a defect that flickers is one incident, its onset is the first defective sample although the
alarm comes later, and its recovery the first good one although that is believed later.

A stream changes its owner while defects go on: `adopt` lets a tracker continue one that another
told. It is then as if this tracker had opened it, whatever state it was in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Protocol

from streammonitor_api.incident import Moment

_ROUNDING_S = 1e-6
"""Media times are sums of fractions: `alarm_after` has passed even if a bit is missing."""
FIRST_UPDATE_S = 10.0
"""An open incident is told again when it is 10 s old, 20 s, 40 s and so on: a consumer sees that
it goes on, and an incident of a day is told 13 times rather than 8,640."""


class State(Enum):
    CLEAR = "clear"
    PENDING = "pending"
    OPEN = "open"
    CLEARING = "clearing"


class MeasureLike(Protocol):
    """What the tracker reads of a `detectors.base.Measure`."""

    @property
    def start(self) -> float: ...
    @property
    def end(self) -> float: ...
    @property
    def present(self) -> bool: ...
    @property
    def value(self) -> float: ...
    @property
    def since(self) -> float | None: ...
    @property
    def evidence(self) -> Mapping[str, object] | None: ...


@dataclass(frozen=True, slots=True)
class Defect:
    """A defect as far as it is known: when it began and ended, and the worst that was measured."""

    onset: float
    """On the tracker's time axis, seconds."""
    onset_moment: Moment
    value: float
    evidence: Mapping[str, object] = field(default_factory=dict)
    recovery: float | None = None
    recovery_moment: Moment | None = None

    @property
    def duration_s(self) -> float | None:
        return None if self.recovery is None else self.recovery - self.onset


@dataclass(frozen=True, slots=True)
class Transition:
    """What the tracker tells: `pending` and `dropped` are for keepers of evidence, the others
    are events for users."""

    kind: str
    """pending | dropped | opened | updated | closed"""
    defect: Defect


class Tracker:
    """Follows one detector on one track.

    Parameters
    ----------
    alarm_after, clear_after, bridge: seconds, >= 0.
    threshold: the detector's; of several present values the one farthest from it is reported.
    moment: tells media and wall time of a point on the time axis. Called when the point is
        noted, so that it may depend on how far the stream is.
    """

    __slots__ = (
        "_alarm_after",
        "_bridge",
        "_clear_after",
        "_defect",
        "_last_present",
        "_moment",
        "_next_update",
        "_not_before",
        "_present_until",
        "_recovery",
        "_threshold",
        "state",
    )

    def __init__(
        self,
        *,
        alarm_after: float,
        clear_after: float,
        bridge: float,
        threshold: float,
        moment: Callable[[float], Moment],
    ) -> None:
        self._alarm_after = alarm_after
        self._clear_after = clear_after
        self._bridge = bridge
        self._threshold = threshold
        self._moment = moment
        self.state = State.CLEAR
        self._defect: Defect | None = None
        self._last_present = float("-inf")
        self._not_before = float("-inf")
        self._present_until = float("-inf")
        """Up to here the defect is known to be present, as another tracker saw it."""
        self._recovery = float("-inf")
        self._next_update = FIRST_UPDATE_S

    @property
    def open_defect(self) -> Defect | None:
        """The defect that users have been told of and that has not been closed."""
        return self._defect if self.state in (State.OPEN, State.CLEARING) else None

    def observe(self, measure: MeasureLike) -> tuple[Transition, ...]:
        """Take the next measure; measures come in order of time, give or take reordering."""
        if measure.present:
            return self._present(measure)
        if self.state is State.CLEAR:
            return ()
        return self._absent(measure)

    def adjust(self, *, alarm_after: float, clear_after: float, threshold: float) -> None:
        """Go on with other settings; what is open stays open."""
        self._alarm_after = alarm_after
        self._clear_after = clear_after
        self._threshold = threshold

    def adopt(self, defect: Defect, now: float) -> None:
        """Go on with a defect that another tracker has opened and not closed.

        `defect.onset` is on this tracker's time axis and may lie before whatever it has seen, or
        after it, where the other was ahead; it was present for `alarm_after`, or it would not
        have been opened. `now` is how far this tracker is. What it was told itself of the same
        defect is kept: the worst value, and a recovery.
        """
        known, self._defect = self._defect, defect
        if known is not None:
            self._note_worst_of(known.value, known.evidence)
        if self.state is State.PENDING or (
            self.state is State.CLEAR and self._last_present <= defect.onset
        ):
            self.state = State.OPEN
        elif self.state is State.CLEAR:
            self._recover(self._last_present)
        elif self.state is State.CLEARING:
            self._recover(self._recovery)
        self._present_until = defect.onset + self._alarm_after
        self._next_update = FIRST_UPDATE_S
        while self._next_update <= now - defect.onset:
            self._next_update *= 2

    def finish(self) -> tuple[Transition, ...]:
        """End of the stream: an open incident is closed, its recovery unknown unless it had
        been noted; one that was not yet an incident is dropped."""
        kind = "closed" if self.open_defect is not None else "dropped"
        return self._end(kind)

    def _present(self, measure: MeasureLike) -> tuple[Transition, ...]:
        told: tuple[Transition, ...] = ()
        onset = measure.start if measure.since is None else min(measure.since, measure.start)
        if self.state is State.CLEARING and onset - self._recovery >= self._clear_after:
            told = self._end("closed")  # nothing was measured for long enough in between
        self._last_present = max(self._last_present, measure.end)
        if self._defect is None:
            onset = max(onset, self._not_before)
            self._defect = Defect(
                onset, self._moment(onset), measure.value, dict(measure.evidence or {})
            )
            self.state = State.PENDING
            told = (*told, Transition("pending", self._defect))
        else:
            self._note_worst_of(measure.value, measure.evidence)
        if self.state is State.PENDING:
            if measure.end - self._defect.onset < self._alarm_after - _ROUNDING_S:
                return told
            self.state = State.OPEN
            self._next_update = max(FIRST_UPDATE_S, 2 * (measure.end - self._defect.onset))
            return (*told, Transition("opened", self._defect))
        if self.state is State.CLEARING:
            self.state = State.OPEN
            self._defect = replace(self._defect, recovery=None, recovery_moment=None)
        if measure.end - self._defect.onset >= self._next_update:
            self._next_update *= 2
            return (Transition("updated", self._defect),)
        return ()

    def _note_worst_of(self, value: float, evidence: Mapping[str, object] | None) -> None:
        known = self._defect
        if known is None:
            return
        if abs(value - self._threshold) > abs(known.value - self._threshold):
            kept = known.evidence if evidence is None else dict(evidence)
            self._defect = replace(known, value=value, evidence=kept)

    def _absent(self, measure: MeasureLike) -> tuple[Transition, ...]:
        start = max(measure.start, self._last_present)
        end = max(measure.end, start)
        if self.state is State.PENDING:
            gone = end - self._last_present >= self._bridge - _ROUNDING_S
            return self._end("dropped") if gone else ()
        if end <= self._present_until:
            return ()
        if self.state is State.OPEN:
            self._recover(max(start, self._present_until))
        clear = end - self._recovery >= self._clear_after - _ROUNDING_S
        return self._end("closed") if clear else ()

    def _recover(self, at: float) -> None:
        self.state = State.CLEARING
        self._recovery = at
        if self._defect is not None:
            self._defect = replace(self._defect, recovery=at, recovery_moment=self._moment(at))

    def _end(self, kind: str) -> tuple[Transition, ...]:
        defect = self._defect
        if defect is None:
            return ()
        self.state = State.CLEAR
        self._defect = None
        self._present_until = float("-inf")
        if kind == "closed":
            self._not_before = max(self._not_before, self._last_present)
        return (Transition(kind, defect),)
