"""The history of incidents on a real Redis: nothing is lost, nothing is doubled."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from streammonitor_api.fleet.records import (
    CoverageTotal,
    FleetEvent,
    Gap,
    NotifyTarget,
    Publication,
)
from streammonitor_api.fleet.store import WorkerStore
from streammonitor_api.names import Epoch
from tests.support.fleet_contract import (
    STREAM,
    Fleet,
    a_told,
    seconds_since_noon,
    take_ownership,
)


def test_event_is_recorded_once(fleet: Fleet) -> None:
    worker = fleet.worker("w1")
    epoch = take_ownership(fleet, fleet.operator.start_term("home", "a"), worker)
    target = NotifyTarget(name="pager", kind="webhook", url="http://pager/hook")
    told = a_told(epoch=epoch, notify=(target,))

    outcomes = [worker.publish(told).outcome for _ in range(3)]

    assert outcomes == ["recorded", "seen", "seen"]
    (recorded,) = fleet.reader.read_events()
    assert (recorded.told, recorded.worker) == (told, "w1")
    assert recorded.told.id == "a1.1"


def test_incident_is_open_until_closed(fleet: Fleet) -> None:
    worker = fleet.worker("w1")
    epoch = take_ownership(fleet, fleet.operator.start_term("home", "a"), worker)
    worker.publish(a_told(epoch=epoch))
    worker.publish(a_told("updated", 2, epoch=epoch))

    (incident,) = fleet.operator.read_open_incidents()
    assert (incident.id, incident.revision, incident.event.kind) == ("a1", 2, "updated")
    assert incident.event.incident.evidence == {"empty": [], "text": 'a "quoted" ü'}

    assert worker.publish(a_told("closed", 3, epoch=epoch, recovery_s=9)).outcome == "recorded"
    assert worker.publish(a_told("updated", 4, epoch=epoch)).outcome == "seen"
    assert fleet.operator.read_open_incidents() == []


def test_new_owner_adopts_open_incident(fleet: Fleet) -> None:
    term = fleet.operator.start_term("home", "a")
    old, new = fleet.worker("w1"), fleet.worker("w2")
    first = take_ownership(fleet, term, old)
    old.publish(a_told(epoch=first))
    old.publish(a_told(epoch=first, incident="b1", detector="video-black"))
    old.publish(a_told("closed", 2, epoch=first, incident="b1", detector="video-black"))
    second = take_ownership(fleet, term, new)

    claimed = new.claim(STREAM, second)

    assert [one.id for one in claimed.open_incidents] == ["a1"]
    assert new.publish(a_told("closed", 2, epoch=second)).outcome == "recorded"


def test_second_incident_of_a_track_is_to_adopt_the_first(fleet: Fleet) -> None:
    worker = fleet.worker("w1")
    epoch = take_ownership(fleet, fleet.operator.start_term("home", "a"), worker)
    worker.publish(a_told(epoch=epoch))

    answer = worker.publish(a_told(epoch=epoch, incident="a2"))
    other_track = worker.publish(a_told(epoch=epoch, incident="b1", detector="video-black"))

    assert (answer.outcome, answer.into, answer.revision) == ("adopt", "a1", 1)
    assert answer.incident is not None
    assert answer.incident.id == "a1"
    assert other_track.outcome == "recorded"


def test_adopted_incident_goes_by_the_same_id_ever_after(fleet: Fleet) -> None:
    """Its events are sent again after the incident that it was adopted into has ended."""
    worker = fleet.worker("w1")
    epoch = take_ownership(fleet, fleet.operator.start_term("home", "a"), worker)
    worker.publish(a_told(epoch=epoch))
    first = worker.publish(a_told(epoch=epoch, incident="a2"))
    worker.publish(a_told("closed", 3, epoch=epoch))

    again = worker.publish(a_told(epoch=epoch, incident="a2"))

    assert (again.outcome, again.into, again.revision) == ("adopt", "a1", first.revision)
    assert again.incident is None


def test_history_is_read_from_a_time_and_followed(fleet: Fleet) -> None:
    worker = fleet.worker("w1")
    epoch = take_ownership(fleet, fleet.operator.start_term("home", "a"), worker)
    last = fleet.reader.last_entry()
    assert fleet.reader.follow_events(last, wait_s=0.01) == ([], "0-0")
    worker.publish(a_told(epoch=epoch))

    events, last = fleet.reader.follow_events(last, wait_s=1)

    assert [one.told.id for one in events] == ["a1.1"]
    assert list(fleet.reader.read_events(events[0].recorded_ms)) == events
    assert list(fleet.reader.read_events(events[0].recorded_ms + 1)) == []
    assert fleet.reader.last_entry() == last == events[0].entry


def test_history_longer_than_a_page_is_read_whole(fleet: Fleet) -> None:
    worker = fleet.worker("w1")
    epoch = take_ownership(fleet, fleet.operator.start_term("home", "a"), worker)
    worker.publish(a_told(epoch=epoch))
    for revision in range(2, 1203):
        worker.publish(a_told("updated", revision, epoch=epoch))

    revisions = [one.told.revision for one in fleet.reader.read_events()]

    assert revisions == list(range(1, 1203))


def test_what_is_known_of_a_flapping_stream_is_bounded(fleet: Fleet) -> None:
    worker = fleet.worker("w1")
    epoch = take_ownership(fleet, fleet.operator.start_term("home", "a"), worker)
    for number in range(450):
        worker.publish(a_told(epoch=epoch, incident=f"i{number}"))
        worker.publish(a_told("closed", 2, epoch=epoch, incident=f"i{number}", recovery_s=9))

    assert fleet.scripts.client.hlen(worker.keys.incidents_of(STREAM)) <= 401
    again = worker.publish(a_told("closed", 2, epoch=epoch, incident="i449", recovery_s=9))
    assert again.outcome == "seen"


@dataclass
class Failover:
    """A stream whose owner `old` was cut off, and that `new` has taken over at `at_s`."""

    old: WorkerStore
    old_epoch: Epoch
    new: WorkerStore
    new_epoch: Epoch
    at_s: float

    def merge(self, told: FleetEvent, *, over_s: float | None = None) -> Publication:
        at_ms = None
        if over_s is not None:
            at_ms = told.event.incident.onset.wall_ms + round(1000 * over_s)
        return self.old.merge(told, over_ms=at_ms)


@pytest.fixture
def failover(fleet: Fleet) -> Failover:
    term = fleet.operator.start_term("home", "a")
    old, new = fleet.worker("w1"), fleet.worker("w2")
    first = take_ownership(fleet, term, old)
    second = take_ownership(fleet, term, new)
    return Failover(old, first, new, second, seconds_since_noon())


def _ids(fleet: Fleet) -> list[tuple[str, str]]:
    return [(one.told.event.kind, one.told.id) for one in fleet.reader.read_events()]


def test_incident_that_only_the_older_owner_saw_is_kept(fleet: Fleet, failover: Failover) -> None:
    onset_s = failover.at_s - 60

    opened = failover.merge(a_told(epoch=1, onset_s=onset_s), over_s=10)
    closed = failover.merge(a_told("closed", 2, onset_s=onset_s, recovery_s=onset_s + 10))
    repeated = failover.merge(a_told("closed", 2, onset_s=onset_s, recovery_s=onset_s + 10))

    assert [opened.outcome, closed.outcome, repeated.outcome] == ["recorded", "recorded", "seen"]
    assert _ids(fleet) == [("opened", "a1.1"), ("closed", "a1.2")]
    assert fleet.operator.read_open_incidents() == []


def test_same_defect_of_both_owners_is_one_incident(fleet: Fleet, failover: Failover) -> None:
    """The older owner saw it begin, lost Redis before it could tell, and the newer one took it
    for new when it came."""
    new_onset_s = failover.at_s + 1
    failover.new.publish(a_told(epoch=2, incident="new", onset_s=new_onset_s))

    answer = failover.merge(a_told(epoch=1, incident="old", onset_s=failover.at_s - 5))
    end = failover.merge(a_told("closed", 2, epoch=1, incident="old", onset_s=failover.at_s - 5))

    assert [(answer.outcome, answer.into), (end.outcome, end.into)] == [("merged", "new")] * 2
    assert _ids(fleet) == [("opened", "new.1")]
    assert [one.merged_into for one in fleet.reader.read_events(merged=True)] == [None, "new"]


def test_merged_incident_has_the_earlier_onset(fleet: Fleet, failover: Failover) -> None:
    failover.new.publish(a_told(epoch=2, incident="new", onset_s=failover.at_s + 1))
    early = a_told(epoch=1, incident="old", onset_s=failover.at_s - 5)
    failover.merge(early)

    late = a_told("updated", 2, epoch=2, incident="new", onset_s=failover.at_s + 1)
    answer = failover.new.publish(late)
    corrected = a_told("updated", 2, epoch=2, incident="new", onset_s=failover.at_s - 5)

    onset_ms = early.event.incident.onset.wall_ms
    assert (answer.outcome, answer.onset_ms) == ("earlier", onset_ms)
    assert failover.new.publish(corrected).outcome == "recorded"
    (incident,) = fleet.operator.read_open_incidents()
    assert incident.onset_ms == onset_ms


def test_newer_owner_adopts_what_the_older_one_told_late(fleet: Fleet, failover: Failover) -> None:
    """The older owner's word comes before the newer owner's alarm."""
    failover.merge(a_told(epoch=1, incident="old", onset_s=failover.at_s - 5))

    answer = failover.new.publish(a_told(epoch=2, incident="new", onset_s=failover.at_s + 1))

    assert answer.outcome == "adopt"
    assert answer.incident is not None
    assert answer.incident.id == "old"
    adopted = a_told("updated", 2, epoch=2, incident="old", onset_s=failover.at_s - 5)
    assert failover.new.publish(adopted).outcome == "recorded"
    late_end = a_told("closed", 3, epoch=1, incident="old", onset_s=failover.at_s - 5)
    assert failover.merge(late_end).outcome == "merged"


def test_newer_owner_that_begins_further_back_tells_nothing_again(
    fleet: Fleet, failover: Failover
) -> None:
    """What the older owner told after the newer one's claim, its end included, was not there to
    be read with the claim."""
    onset_s = failover.at_s - 6
    failover.merge(a_told(epoch=1, incident="old", onset_s=onset_s), over_s=2)
    failover.merge(
        a_told("closed", 2, epoch=1, incident="old", onset_s=onset_s, recovery_s=onset_s + 2)
    )

    again = failover.new.publish(a_told(epoch=2, incident="again", onset_s=onset_s + 0.5))
    next_one = failover.new.publish(a_told(epoch=2, incident="next", onset_s=onset_s + 3))

    assert (again.outcome, again.into) == ("merged", "old")
    assert next_one.outcome == "recorded"
    assert _ids(fleet) == [("opened", "old.1"), ("closed", "old.2"), ("opened", "next.1")]


def test_older_owner_may_close_what_nobody_adopted(fleet: Fleet, failover: Failover) -> None:
    failover.merge(a_told(epoch=1, onset_s=failover.at_s - 5))

    end = failover.merge(a_told("closed", 2, epoch=1, onset_s=failover.at_s - 5))

    assert end.outcome == "recorded"
    assert fleet.operator.read_open_incidents() == []


def test_older_owner_does_not_close_what_was_adopted(fleet: Fleet) -> None:
    term = fleet.operator.start_term("home", "a")
    old, new = fleet.worker("w1"), fleet.worker("w2")
    take_ownership(fleet, term, old)
    old.publish(a_told(epoch=1))
    take_ownership(fleet, term, new)

    end = old.merge(a_told("closed", 2, epoch=1, recovery_s=9))

    assert (end.outcome, end.into) == ("merged", "a1")
    assert new.publish(a_told("closed", 2, epoch=2, recovery_s=9)).outcome == "recorded"
    assert _ids(fleet) == [("opened", "a1.1"), ("closed", "a1.2")]


def test_older_owner_does_not_close_what_the_next_owner_adopted(
    fleet: Fleet, failover: Failover
) -> None:
    failover.merge(a_told(epoch=1, onset_s=failover.at_s - 5))
    third = fleet.worker("w3")
    take_ownership(fleet, fleet.operator.start_term("home", "a"), third)

    end = failover.merge(a_told("closed", 2, epoch=1, onset_s=failover.at_s - 5))

    assert (end.outcome, end.into) == ("merged", "a1")
    assert [one.id for one in third.claim(STREAM, Epoch(3)).open_incidents] == ["a1"]


def test_newer_owners_word_counts_from_its_claim_on(fleet: Fleet, failover: Failover) -> None:
    """A worker that was paused wakes up and takes its own absence for a defect."""
    answer = failover.merge(a_told(epoch=1, onset_s=failover.at_s + 100))

    assert (answer.outcome, answer.into) == ("merged", None)
    assert _ids(fleet) == []


def test_first_claim_after_the_older_owners_decides(fleet: Fleet, failover: Failover) -> None:
    between_s = failover.at_s + 0.01
    while seconds_since_noon() < between_s + 0.01:
        fleet.reader.read_operator()
    take_ownership(fleet, fleet.operator.start_term("home", "a"), fleet.worker("w3"))

    answer = failover.merge(a_told(epoch=1, onset_s=between_s))

    assert (answer.outcome, answer.into) == ("merged", None)


def test_different_defects_are_not_merged(fleet: Fleet, failover: Failover) -> None:
    failover.new.publish(a_told(epoch=2, incident="new", onset_s=failover.at_s + 20))

    over_before = a_told(epoch=1, incident="old", onset_s=failover.at_s - 50)
    other = a_told(epoch=1, incident="b", detector="video-black", onset_s=failover.at_s - 5)

    assert failover.merge(over_before, over_s=10).outcome == "recorded"
    assert failover.merge(other).outcome == "recorded"


def test_spool_of_the_start_before_is_merged_without_a_claim(fleet: Fleet) -> None:
    """A worker died while Redis was away; its next start sends what it left behind."""
    after = fleet.worker("w1")
    term = fleet.operator.start_term("home", "a")

    assert after.merge(a_told(epoch=1)).outcome == "recorded"
    assert after.merge(a_told("updated", 2, epoch=1)).outcome == "recorded"
    epoch = take_ownership(fleet, term, after)

    assert [one.id for one in after.claim(STREAM, epoch).open_incidents] == ["a1"]


def test_gap_is_noted_once_and_ended(fleet: Fleet) -> None:
    term = fleet.operator.start_term("home", "a")
    fleet.operator.open_gaps(term, [Gap(STREAM, 1000, None, "no worker")])
    fleet.operator.open_gaps(term, [Gap(STREAM, 2000, None, "unavailable")])

    ended = fleet.operator.close_gaps(term, {STREAM: 5000})

    assert ended == [Gap(STREAM, 1000, 5000, "no worker")]
    assert fleet.operator.close_gaps(term, {STREAM: 6000}) == []
    assert fleet.reader.read_gaps() == ended
    assert fleet.operator.read_open_gaps() == {}
    fleet.operator.put_coverage(term, {STREAM: CoverageTotal(10, 9)})
    assert fleet.reader.read_coverage()[STREAM].coverage == 0.9
