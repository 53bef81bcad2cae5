"""What a worker owes each stream that is assigned to it: the worker's side of every handover.

Pure: facts in, actions out; `now` is a parameter (seconds, monotonic). Nothing is done here, and
an action that is lost is asked for again. A duty goes through these states:

    WARMING    an engine opens and watches the stream, and nothing is told
    CLAIMING   the claim was asked for and is not answered (an epoch held before goes on)
    OWNING     the claim is held: what is found is told, under its epoch
    LEAVING    the engine was told to end it and has not said that it has

A claim is asked for at once where the owner before is dead (`overlap_s` 0), otherwise when the
stream was watched for `overlap_s` after its first picture: whatever began before that was opened
by the owner before. Who is not assigned any longer leaves open what is open, for the next owner;
only where the stream is wanted by nobody are its incidents closed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Any

from streammonitor_api.events import Event, OpenIncident
from streammonitor_api.incident import Incident
from streammonitor_worker.supervisor.actions import (
    Action,
    Cancel,
    Claim,
    Close,
    Own,
    Release,
    Watch,
)

CLAIM_AGAIN_S = 1.0
"""A claim that was not answered is asked for again: two heartbeats, so that a store that was away
is asked as soon as it is back and not more often than it is told of our being alive."""
REMEMBERED_S = 60.0
"""Incidents that were closed are remembered for so long, for an engine that has to begin anew: its
pictures begin three segments back, and segments are seldom longer than 10 s."""
RESTART_S = 3.0
"""For how long nobody watches a stream whose engine died: to notice, start another, and open."""
LONGEST_JOIN_S = 45.0
"""No further back, with what an opening adds to it: what was told is recognised for 60 s."""
REMEMBERED = 100
"""And at most so many a stream."""


class State(Enum):
    WARMING = "warming"
    CLAIMING = "claiming"
    OWNING = "owning"
    LEAVING = "leaving"


class Fact(Enum):
    """What can happen to a duty."""

    RAISED = auto()
    """It is assigned to us under a newer epoch."""
    DEFERRED = auto()
    """The same, while another worker owns it: the claim that was asked for came too late, or the
    one that is held is over. The next one waits for an overlap."""
    WARM = auto()
    """It was watched for long enough."""
    LATE = auto()
    """The claim has not been answered."""
    GRANTED = auto()
    REFUSED = auto()
    """A newer epoch is held by another worker."""
    MOVED = auto()
    """It is not assigned to us any longer."""
    UNWANTED = auto()
    """Nobody wants it watched any longer."""
    ENDED = auto()
    """The engine has ended it."""
    LOST = auto()
    """The engine died."""


@dataclass(frozen=True, slots=True)
class Assigned:
    """What the operator wants of this worker, for one stream."""

    epoch: int
    overlap_s: float
    spec: Any
    """How to watch; passed on to the engine, never looked into."""
    spec_revision: str = ""
    unwatched_s: float = 0.0
    """For how long nobody has watched it, its opening included; 0: somebody does, or never did."""
    alarm_s: float = 0.0
    """The longest alarm duration on it."""

    @property
    def join_s(self) -> float:
        """How far back to begin: a defect of which the owner before saw the beginning, but not for
        as long as an alarm takes, is seen whole."""
        back_s = self.unwatched_s + self.alarm_s if self.unwatched_s else 0.0
        return min(back_s, LONGEST_JOIN_S)


@dataclass(slots=True)
class Duty:
    """One stream of this worker."""

    stream: str
    assigned: Assigned
    state: State = State.WARMING
    claimed: int = 0
    """The epoch that is held, 0 for none; events are told under it."""
    watched_since: float | None = None
    """When the engine had its first picture, or sound."""
    asked_at: float = 0.0
    """When the claim was last asked for."""
    left_open: dict[tuple[str, str], OpenIncident] = field(default_factory=dict)
    """Incidents that were told and not closed, by detector and track."""
    closed: list[tuple[float, Incident]] = field(default_factory=list)
    """Incidents that were closed lately, and when."""
    again: Assigned | None = None
    """Assigned to us anew while it is ended."""
    cancelling: bool = False

    def note(self, event: Event, now: float) -> None:
        """Remember what was told of an incident."""
        incident = event.incident
        key = incident.detector, incident.track
        if event.kind != "closed":
            self.left_open[key] = OpenIncident(incident, event.revision)
            return
        self.left_open.pop(key, None)
        recent = [one for one in self.closed if now - one[0] < REMEMBERED_S]
        self.closed = [*recent, (now, incident)][-REMEMBERED:]


class Duties:
    """All streams of this worker. Methods take a fact and say what is to be done about it."""

    def __init__(self) -> None:
        self._duties: dict[str, Duty] = {}
        self._fenced: dict[str, int] = {}
        """Streams that are assigned to us and held by others, with the epoch that was refused."""
        self._closing: set[str] = set()
        """Streams that nobody wanted any longer while a claim of ours was under way."""

    def __len__(self) -> int:
        return len(self._duties)

    def __contains__(self, stream: str) -> bool:
        return stream in self._duties

    def __getitem__(self, stream: str) -> Duty:
        return self._duties[stream]

    def values(self) -> Iterable[Duty]:
        """All of them; those that are being ended, too."""
        return self._duties.values()

    def held(self) -> dict[str, int]:
        """The claims that are held: stream to epoch."""
        return {one.stream: one.claimed for one in self._duties.values() if one.claimed}

    def assign(
        self, now: float, assigned: Mapping[str, Assigned], unwanted: Iterable[str] = ()
    ) -> list[Action]:
        """Take all assignments of this worker; `unwanted` are streams that no worker is to watch.

        Streams of ours that are not among the assignments are given up.
        """
        gone = set(unwanted)
        actions: list[Action] = []
        self._fenced = {one: epoch for one, epoch in self._fenced.items() if one in assigned}
        for stream in [one for one in self._duties if one not in assigned]:
            duty = self._duties[stream]
            duty.again = None
            if stream in gone and duty.state is State.CLAIMING and not duty.claimed:
                self._closing.add(stream)
            actions += self._meet(duty, Fact.UNWANTED if stream in gone else Fact.MOVED, now)
        for stream, wanted in assigned.items():
            actions += self._take(stream, wanted, now)
        return actions

    def watched(self, now: float, stream: str) -> list[Action]:
        """The engine has the first picture of a stream."""
        duty = self._duties.get(stream)
        if duty is None:
            return []
        if duty.watched_since is None:
            duty.watched_since = now
        return self._warm(duty, now)

    def granted(
        self,
        now: float,
        stream: str,
        epoch: int,
        left_open: Iterable[OpenIncident] = (),
        closed: Iterable[Incident] = (),
    ) -> list[Action]:
        """The claim is ours, and with it what owners before left open and closed lately."""
        duty = self._duties.get(stream)
        if stream in self._closing:
            self._closing.discard(stream)
            return [Close(stream, epoch, tuple(left_open))]
        if duty is None or duty.state is not State.CLAIMING or epoch < duty.assigned.epoch:
            return []
        for one in left_open:
            duty.left_open[one.incident.detector, one.incident.track] = one
        known = {incident.id for _, incident in duty.closed}
        duty.closed += [(now, one) for one in closed if one.id not in known]
        duty.claimed = epoch
        return self._meet(duty, Fact.GRANTED, now)

    def refused(self, now: float, stream: str, epoch: int) -> list[Action]:
        """A claim, or an event, of ours was refused at this epoch: another worker is newer."""
        duty = self._duties.get(stream)
        if duty is None or epoch < duty.assigned.epoch:
            return []
        self._fenced[stream] = epoch
        return self._meet(duty, Fact.REFUSED, now)

    def ended(self, now: float, stream: str) -> list[Action]:
        """The engine has ended a stream, as it was told to."""
        duty = self._duties.get(stream)
        return [] if duty is None else self._meet(duty, Fact.ENDED, now)

    def lost(self, now: float, stream: str) -> list[Action]:
        """The engine of a stream died: begin anew where it is still wanted."""
        duty = self._duties.get(stream)
        if duty is None:
            return []
        duty.watched_since = None
        return self._meet(duty, Fact.LOST, now)

    def note(self, now: float, stream: str, event: Event) -> int:
        """An event was told by the engine; returns the epoch that it is published under, 0 for
        not at all."""
        duty = self._duties.get(stream)
        if duty is None or not duty.claimed:
            return 0
        duty.note(event, now)
        return duty.claimed

    def pass_time(self, now: float) -> list[Action]:
        """Notice what only the clock can tell. Call with each heartbeat, or more often."""
        actions: list[Action] = []
        for duty in list(self._duties.values()):
            if duty.state is State.WARMING:
                actions += self._warm(duty, now)
            elif duty.state is State.CLAIMING and now - duty.asked_at >= CLAIM_AGAIN_S:
                actions += self._meet(duty, Fact.LATE, now)
        return actions

    def give_up(self, now: float) -> list[Action]:
        """Leave everything to others, whether there are any or not."""
        return self.assign(now, {})

    def _take(self, stream: str, wanted: Assigned, now: float) -> list[Action]:
        duty = self._duties.get(stream)
        if duty is None:
            return self._begin(stream, wanted, now)
        if duty.state is State.LEAVING:
            duty.again = wanted
            return []
        before, duty.assigned = duty.assigned, wanted
        actions: list[Action] = []
        if wanted.spec != before.spec:
            actions.append(Watch(stream, wanted.spec))
        if wanted.epoch > before.epoch:
            fact = Fact.DEFERRED if wanted.overlap_s > 0 else Fact.RAISED
            actions += self._meet(duty, fact, now)
        return actions + self._warm(duty, now)

    def _begin(self, stream: str, wanted: Assigned, now: float) -> list[Action]:
        if wanted.epoch <= self._fenced.get(stream, 0):
            return []
        self._closing.discard(stream)
        duty = self._duties[stream] = Duty(stream, wanted)
        return [Watch(stream, wanted.spec, wanted.join_s), *self._warm(duty, now)]

    def _warm(self, duty: Duty, now: float) -> list[Action]:
        if duty.state is not State.WARMING:
            return []
        overlap_s, since = duty.assigned.overlap_s, duty.watched_since
        if overlap_s <= 0 or (since is not None and now - since >= overlap_s):
            return self._meet(duty, Fact.WARM, now)
        return []

    def _meet(self, duty: Duty, fact: Fact, now: float) -> list[Action]:
        """What the table says; facts that it does not name change nothing."""
        state, act = _TABLE.get((duty.state, fact), (duty.state, _nothing))
        duty.state = state
        actions = act(duty, now)
        if act is _forget:
            del self._duties[duty.stream]
            if duty.again is not None:
                actions += self._begin(duty.stream, duty.again, now)
        return actions


def _nothing(_duty: Duty, _now: float) -> list[Action]:
    return []


def _claim(duty: Duty, now: float) -> list[Action]:
    duty.asked_at = now
    return [Claim(duty.stream, duty.assigned.epoch)]


def _own(duty: Duty, now: float) -> list[Action]:
    closed = tuple(incident for at, incident in duty.closed if now - at < REMEMBERED_S)
    return [Own(duty.stream, duty.claimed, tuple(duty.left_open.values()), closed)]


def _watch(duty: Duty, now: float) -> list[Action]:
    """Begin anew in another engine, as the owner where it is one."""
    join_s = replace(duty.assigned, unwatched_s=RESTART_S).join_s if duty.claimed else 0.0
    again: list[Action] = [Watch(duty.stream, duty.assigned.spec, join_s)]
    return again + (_own(duty, now) if duty.claimed else [])


def _release(duty: Duty, _now: float) -> list[Action]:
    duty.claimed = 0
    return [Release(duty.stream)]


def _end(duty: Duty, now: float) -> list[Action]:
    if not duty.claimed:
        return _release(duty, now)
    duty.cancelling = True
    return [Cancel(duty.stream)]


def _forget(duty: Duty, _now: float) -> list[Action]:
    if duty.cancelling and duty.left_open:  # the engine died before it had closed them
        return [Close(duty.stream, duty.claimed, tuple(duty.left_open.values()))]
    return []


_Act = Callable[[Duty, float], list[Action]]

_TABLE: dict[tuple[State, Fact], tuple[State, _Act]] = {
    (State.WARMING, Fact.WARM): (State.CLAIMING, _claim),
    (State.WARMING, Fact.MOVED): (State.LEAVING, _release),
    (State.WARMING, Fact.UNWANTED): (State.LEAVING, _release),
    (State.WARMING, Fact.LOST): (State.WARMING, _watch),
    (State.CLAIMING, Fact.LATE): (State.CLAIMING, _claim),
    (State.CLAIMING, Fact.RAISED): (State.CLAIMING, _claim),
    (State.CLAIMING, Fact.DEFERRED): (State.WARMING, _nothing),
    (State.CLAIMING, Fact.GRANTED): (State.OWNING, _own),
    (State.CLAIMING, Fact.REFUSED): (State.LEAVING, _release),
    (State.CLAIMING, Fact.MOVED): (State.LEAVING, _release),
    (State.CLAIMING, Fact.UNWANTED): (State.LEAVING, _end),
    (State.CLAIMING, Fact.LOST): (State.CLAIMING, _watch),
    (State.OWNING, Fact.RAISED): (State.CLAIMING, _claim),
    (State.OWNING, Fact.DEFERRED): (State.WARMING, _nothing),
    (State.OWNING, Fact.REFUSED): (State.LEAVING, _release),
    (State.OWNING, Fact.MOVED): (State.LEAVING, _release),
    (State.OWNING, Fact.UNWANTED): (State.LEAVING, _end),
    (State.OWNING, Fact.LOST): (State.OWNING, _watch),
    (State.LEAVING, Fact.ENDED): (State.LEAVING, _forget),
    (State.LEAVING, Fact.LOST): (State.LEAVING, _forget),
}
