"""A stream changes its owner while a picture is black: told once, closed once.

Two owners watch one programme, each with a media time of its own and at a place of its own; what
they have in common is the source's timestamps.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pytest

from streammonitor_api.events import Event, OpenIncident
from streammonitor_api.incident import Incident, Moment, wall_time
from streammonitor_api.plan import Plan, parse_adjustment, resolve_plan
from streammonitor_worker.media import Picture
from streammonitor_worker.pipeline.telling import ORPHAN_S
from streammonitor_worker.pipeline.watchers import Watchers
from tests.support.builders import NOON_S

STEP_S = 0.25
LUMA = {black: np.full((36, 64), value, np.uint8) for black, value in ((True, 16), (False, 120))}
GREY = np.full((18, 32), 128, np.uint8)


def plan(*adjustments: str, only: Iterable[str] = ("video-black",)) -> Plan:
    return resolve_plan(only=only, adjustments=[parse_adjustment(text) for text in adjustments])


@dataclass
class Owner:
    """Watches the programme from `joined` (its time in seconds) on; `black` is when it is black.

    It gets the programme `behind` seconds after it is on air, and everything from before it came
    at once, as from a playlist.
    """

    joined: float
    came: float
    black: list[tuple[float, float]] = field(default_factory=list)
    held: bool = True
    stamps: bool = True
    plan: Plan = field(default_factory=plan)
    stream: str = "prod/sports/one"

    def __post_init__(self) -> None:
        self.at = self.joined
        self.events: list[Event] = []
        self.watchers = Watchers(self.plan, self, self.events.append, held=self.held)

    def watch(self, until: float) -> None:
        while self.at < until - 1e-9:
            black = any(begin <= self.at < end for begin, end in self.black)
            media_s = self.at - self.joined
            picture = Picture(
                LUMA[black], (GREY, GREY), track="video:0", time=media_s, duration=STEP_S
            )
            self.watchers.observe(picture)
            self.at += STEP_S

    def own(self, left_open: Iterable[OpenIncident] = (), closed: Iterable[Incident] = ()) -> None:
        self.watchers.own(left_open, closed)

    def told(self) -> list[str]:
        return [event.kind for event in self.events if event.kind != "updated"]

    # telling.Clock

    session = "session"

    def _wall(self, media_s: float) -> float:
        return NOON_S + max(self.came, self.joined + media_s)

    def media_moment(self, media_s: float) -> Moment:
        return Moment(media_s, wall_time(self._wall(media_s)))

    def clock_moment(self, now: float) -> Moment:
        return Moment(self.at - self.joined, wall_time(NOON_S + self.came + now))

    def wall_now(self) -> str:
        return wall_time(self._wall(self.at - self.joined))

    def source_time(self, media_s: float) -> float | None:
        return 1000.0 + self.joined + media_s if self.stamps else None

    def media_at(self, wall_s: float, source_s: float | None) -> float:
        if source_s is not None and self.stamps:
            return source_s - 1000.0 - self.joined
        return wall_s - NOON_S - self.joined

    def clock_at(self, wall_s: float) -> float:
        return wall_s - NOON_S - self.came

    def reached(self) -> tuple[float, float]:
        return self.at - self.joined, max(0.0, self.at - self.came)


def first_owner(*black: tuple[float, float], until: float) -> Owner:
    owner = Owner(joined=0.0, came=0.0, black=list(black))
    owner.own()
    owner.watch(until)
    return owner


def test_nothing_is_told_before_the_stream_is_owned() -> None:
    owner = Owner(joined=0.0, came=0.0, black=[(2.0, 8.0)])

    owner.watch(12.0)

    assert owner.events == []
    assert owner.watchers.left_open == ()


def test_new_owner_continues_the_incident_of_the_old_one() -> None:
    black = (10.0, 30.0)
    old = first_owner(black, until=20.0)
    new = Owner(joined=15.0, came=15.0, black=[black])
    new.watch(20.0)

    new.own(old.watchers.left_open)
    new.watch(35.0)

    assert [event.kind for event in new.events] == ["updated", "closed"]
    assert [event.revision for event in (*old.events, *new.events)] == [1, 2, 3, 4]
    opened, closed = old.events[0].incident, new.events[-1].incident
    assert closed.id == opened.id
    assert closed.onset == opened.onset
    assert closed.duration_s == pytest.approx(20.0)
    assert closed.recovery == Moment(30.0, wall_time(NOON_S + 30.0))


def test_incident_that_ended_unwatched_is_closed_once_with_the_first_good_picture() -> None:
    old = first_owner((10.0, 17.0), until=15.0)
    new = Owner(joined=20.0, came=20.0, held=True)

    new.own(old.watchers.left_open)
    new.watch(25.0)

    assert new.told() == ["closed"]
    assert new.events[-1].incident.recovery == Moment(20.0, wall_time(NOON_S + 20.0))


@pytest.mark.parametrize("owned_at", [12.0, 14.5, 20.0], ids=["before", "amid", "after"])
def test_what_is_read_again_before_the_onset_is_no_recovery(owned_at: float) -> None:
    """The new owner joins a playlist 6 s before the place at which the old one died."""
    black = (15.0, 26.0)
    old = first_owner(black, until=18.0)
    new = Owner(joined=12.0, came=20.0, black=[black])

    new.watch(owned_at)
    new.own(old.watchers.left_open)
    new.watch(30.0)

    assert new.told() == ["closed"]
    assert new.events[-1].incident.duration_s == pytest.approx(11.0)


def test_incident_that_the_old_owner_closed_is_not_told_again() -> None:
    black = (13.0, 16.0)
    old = first_owner(black, until=18.0)
    new = Owner(joined=12.0, came=20.0, black=[black, (25.0, 28.0)])

    new.own((), [old.events[-1].incident])
    new.watch(24.0)
    assert new.events == []

    new.watch(32.0)
    assert new.told() == ["opened", "closed"]


@pytest.mark.parametrize("end", [16.0, 300.0], ids=["short", "long"])
def test_old_incident_seen_in_its_middle_is_not_told_again(end: float) -> None:
    black = (8.0, end)
    old = first_owner(black, until=end + 2.0)
    new = Owner(joined=end - 4.0, came=end + 4.0, black=[black])

    new.own((), [old.events[-1].incident])
    new.watch(end + 8.0)

    assert new.events == []


def test_what_only_the_new_owner_opened_is_told_when_it_owns() -> None:
    new = Owner(joined=0.0, came=0.0, black=[(10.0, 20.0)])
    new.watch(15.0)

    new.own()
    new.watch(24.0)

    assert new.told() == ["opened", "closed"]
    assert new.events[0].incident.onset.media_s == 10.0


def test_what_the_old_owner_was_too_late_for_is_told_whole() -> None:
    new = Owner(joined=0.0, came=0.0, black=[(10.0, 13.0)])
    new.watch(16.0)

    new.own()

    assert [(event.kind, event.revision) for event in new.events] == [("opened", 1), ("closed", 2)]
    assert new.events[0].incident.recovery is None
    assert new.events[1].incident.duration_s == pytest.approx(3.0)


def test_what_both_saw_from_beginning_to_end_is_told_by_the_old_one() -> None:
    black = (10.0, 13.0)
    old = first_owner(black, until=16.0)
    new = Owner(joined=5.0, came=5.0, black=[black])
    new.watch(16.0)

    new.own((), [old.events[-1].incident])

    assert new.events == []


def test_end_seen_before_owning_is_the_recovery() -> None:
    """The old owner is behind: it has not seen the end of what the new one has seen end."""
    black = (10.0, 14.0)
    old = first_owner(black, until=13.0)
    new = Owner(joined=5.0, came=5.0, black=[black])
    new.watch(18.0)

    new.own(old.watchers.left_open)
    new.watch(20.0)

    assert new.told() == ["closed"]
    assert new.events[0].incident.duration_s == pytest.approx(4.0)


def test_incident_of_a_track_that_is_gone_is_closed() -> None:
    old = first_owner((10.0, 30.0), until=15.0)
    new = Owner(joined=16.0, came=16.0)
    new.own(old.watchers.left_open)

    new.watchers.expire()
    new.at += ORPHAN_S - 1
    new.watchers.expire()
    assert new.events == []
    new.at += 1
    new.watchers.expire()

    assert new.told() == ["closed"]
    assert new.events[0].incident.recovery is None
    assert "track is gone" in str(new.events[0].incident.evidence["cancelled"])


def test_cancelled_stream_closes_what_is_open_without_a_recovery() -> None:
    owner = first_owner((10.0, 30.0), until=15.0)

    owner.watchers.cancel("the stream is no longer wanted")

    assert owner.told() == ["opened", "closed"]
    closed = owner.events[-1].incident
    assert closed.recovery is None
    assert closed.evidence["cancelled"] == "the stream is no longer wanted"


def test_changed_settings_keep_the_incident_and_disabling_closes_it() -> None:
    owner = first_owner((10.0, 60.0), until=15.0)

    owner.watchers.change(plan("video-black.severity=warning", "video-black.clearAfter=5s"))
    assert [event.kind for event in owner.events] == ["opened", "updated"]
    assert owner.events[-1].incident.severity == "warning"
    owner.watchers.change(plan("video-black.level=0.12"))
    owner.watch(17.0)
    assert owner.told() == ["opened"]
    owner.watchers.change(plan(only=["video-flat"]))
    owner.watch(25.0)

    assert owner.told() == ["opened", "closed"]
    assert "disabled" in str(owner.events[-1].incident.evidence["cancelled"])
    owner.watchers.change(plan())
    owner.watch(30.0)
    assert owner.told() == ["opened", "closed", "opened"]


def test_adopted_incident_of_a_disabled_detector_is_closed() -> None:
    old = first_owner((10.0, 30.0), until=15.0)
    new = Owner(joined=16.0, came=16.0, plan=plan(only=["video-flat"]))

    new.own(old.watchers.left_open)

    assert new.told() == ["closed"]
    assert [event.revision for event in new.events] == [2]
