"""The tracker, by example and by property: whatever comes in, incidents stay well-formed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streammonitor_api.incident import Moment
from streammonitor_worker.detectors.base import Measure
from streammonitor_worker.incidents import FIRST_UPDATE_S, State, Tracker, Transition

STEP = 0.1


def a_tracker(alarm_after: float = 2.0, clear_after: float = 1.0, bridge: float = 0.0) -> Tracker:
    return Tracker(
        alarm_after=alarm_after,
        clear_after=clear_after,
        bridge=bridge,
        threshold=0.5,
        moment=lambda at: Moment(at, f"wall {at:.1f}"),
    )


def feed(tracker: Tracker, pattern: str, start: float = 0.0) -> list[tuple[float, Transition]]:
    """Feed a measure of 0.1 s for each character, `#` present; return what was told when."""
    told = []
    for position, mark in enumerate(pattern):
        begin = start + position * STEP
        present = mark == "#"
        measure = Measure(begin, begin + STEP, present, 0.9 if present else 0.1)
        told += [(begin + STEP, transition) for transition in tracker.observe(measure)]
    return told


def events(told: list[tuple[float, Transition]]) -> list[tuple[str, float]]:
    return [(t.kind, round(at, 3)) for at, t in told if t.kind in ("opened", "updated", "closed")]


def test_alarm_comes_as_soon_as_the_defect_has_lasted() -> None:
    told = feed(a_tracker(), "." * 10 + "#" * 30)

    assert events(told) == [("opened", 3.0)]
    assert told[-1][1].defect.onset == pytest.approx(1.0)


def test_defect_shorter_than_the_alarm_is_dropped() -> None:
    told = feed(a_tracker(), "#" * 19 + "." * 40)

    assert [t.kind for _, t in told] == ["pending", "dropped"]


def test_two_short_defects_do_not_add_up_to_an_alarm() -> None:
    assert events(feed(a_tracker(), ("#" * 15 + ".") * 10)) == []


def test_flicker_is_bridged_for_detectors_that_ask_for_it() -> None:
    told = feed(a_tracker(alarm_after=1.0, bridge=0.3), "##..##..##.#####")

    assert [kind for kind, _ in events(told)] == ["opened"]
    assert told[-1][1].defect.onset == 0.0


def test_absence_longer_than_the_bridge_begins_anew() -> None:
    told = feed(a_tracker(alarm_after=1.0, bridge=0.3), "#####....##########")

    assert told[-1][1].defect.onset == pytest.approx(0.9)


def test_flicker_of_an_open_defect_is_one_incident() -> None:
    told = feed(a_tracker(), "#" * 25 + ".....#####" * 5 + "." * 20)

    assert [kind for kind, _ in events(told)] == ["opened", "closed"]


def test_defect_after_a_gap_without_measures_is_another_one() -> None:
    tracker = a_tracker(alarm_after=0.5)

    told = feed(tracker, "#" * 10 + ".....") + feed(tracker, "#" * 10, start=20.0)

    assert events(told) == [("opened", 0.5), ("closed", 20.1), ("opened", 20.5)]
    defects = {kind: t.defect for _, t in told for kind in [t.kind]}
    assert defects["closed"].recovery == pytest.approx(1.0)
    assert defects["opened"].onset == pytest.approx(20.0)


def test_recovery_is_the_first_good_sample() -> None:
    told = feed(a_tracker(), "#" * 25 + "." * 20)

    closed = told[-1][1].defect
    assert told[-1][0] == pytest.approx(3.5), "told once it has been clear for a second"
    assert closed.recovery == pytest.approx(2.5)
    assert closed.duration_s == pytest.approx(2.5)
    assert closed.recovery_moment is not None
    assert closed.recovery_moment.wall == "wall 2.5"


def test_defect_that_began_earlier_has_the_earlier_onset() -> None:
    tracker = a_tracker(alarm_after=1.0)
    told = tracker.observe(Measure(5.0, 5.1, True, 0.9, since=4.0))

    assert [t.kind for t in told] == ["pending", "opened"]
    assert told[-1].defect.onset == 4.0


def test_onset_never_reaches_into_the_incident_before() -> None:
    tracker = a_tracker(alarm_after=0.5, clear_after=0.5)
    feed(tracker, "#" * 10 + "." * 10)

    told = tracker.observe(Measure(2.0, 2.6, True, 0.9, since=0.2))

    assert told[-1].defect.onset == pytest.approx(1.0)


def test_instant_event_opens_at_once_and_closes_after_a_while() -> None:
    tracker = a_tracker(alarm_after=0.0, clear_after=1.0)
    told = [(3.0, t) for t in tracker.observe(Measure(3.0, 3.0, True, 1.0))]
    told += feed(tracker, "." * 20, start=3.0)

    assert events(told) == [("opened", 3.0), ("closed", 4.0)]
    assert told[-1][1].defect.recovery == 3.0


def test_end_of_stream_closes_without_recovery() -> None:
    tracker = a_tracker()
    feed(tracker, "#" * 25)

    (closed,) = tracker.finish()

    assert (closed.kind, closed.defect.recovery, closed.defect.duration_s) == ("closed", None, None)


def test_end_of_stream_keeps_a_recovery_that_was_seen() -> None:
    tracker = a_tracker()
    feed(tracker, "#" * 25 + "..")

    (closed,) = tracker.finish()

    assert closed.defect.recovery == pytest.approx(2.5)


def test_end_of_stream_drops_what_was_no_incident_yet() -> None:
    tracker = a_tracker()
    feed(tracker, "#" * 5)

    assert [t.kind for t in tracker.finish()] == ["dropped"]
    assert tracker.finish() == ()


def test_open_incident_is_told_again_ever_more_rarely() -> None:
    told = feed(a_tracker(), "#" * 900)

    updates = [at for kind, at in events(told) if kind == "updated"]
    assert updates == pytest.approx([FIRST_UPDATE_S, 20.0, 40.0, 80.0])


def test_worst_measure_is_kept_with_its_evidence() -> None:
    tracker = a_tracker(alarm_after=0.0)
    for value in (0.6, 0.95, 0.7):
        tracker.observe(Measure(0.0, 0.1, True, value, evidence={"value": value}))

    (closed,) = tracker.finish()

    assert closed.defect.value == 0.95
    assert closed.defect.evidence == {"value": 0.95}


def test_reordered_measure_does_not_move_the_recovery_before_the_defect() -> None:
    tracker = a_tracker(alarm_after=0.0)
    tracker.observe(Measure(1.0, 1.2, True, 0.9))

    tracker.observe(Measure(0.9, 1.0, False, 0.1))
    (closed,) = tracker.finish()

    assert closed.defect.recovery == 1.2


patterns = st.text(alphabet="#.", max_size=120)
durations = st.integers(0, 30).map(lambda tenths: tenths * STEP)


@given(pattern=patterns, alarm_after=durations, clear_after=durations, bridge=durations)
def test_incidents_are_well_formed(
    pattern: str, alarm_after: float, clear_after: float, bridge: float
) -> None:
    tracker = a_tracker(alarm_after, clear_after, bridge)
    told = feed(tracker, pattern)
    told += [(len(pattern) * STEP, transition) for transition in tracker.finish()]
    public = [(at, t) for at, t in told if t.kind in ("opened", "updated", "closed")]

    is_open = False
    last_end = 0.0
    for at, transition in public:
        defect = transition.defect
        if transition.kind == "opened":
            assert not is_open, "opened twice"
            assert defect.onset >= last_end - 1e-9, "incidents overlap"
            assert at - defect.onset >= alarm_after - 1e-3, "alarm too early"
            first_sample = round(defect.onset / STEP)
            assert pattern[first_sample] == "#", "onset is no defective sample"
            assert first_sample == 0 or pattern[first_sample - 1] == ".", "onset is not the first"
            is_open = True
        else:
            assert is_open, "told of an incident that was never opened"
        if transition.kind == "closed":
            is_open = False
            if defect.recovery is not None:
                good = round(defect.recovery / STEP)
                assert "#" not in pattern[good : round(at / STEP)], "recovered while defective"
                assert pattern[good - 1] == "#", "recovery is not the first good sample"
                last_end = defect.recovery
    assert not is_open, "left open"
    assert tracker.state is State.CLEAR


@given(pattern=patterns)
def test_state_is_the_one_the_table_says(pattern: str) -> None:
    tracker = a_tracker(alarm_after=0.5, clear_after=0.5)
    for position, mark in enumerate(pattern):
        feed(tracker, mark, start=position * STEP)
        if mark == "#":
            assert tracker.state in (State.PENDING, State.OPEN)
        else:
            assert tracker.state in (State.CLEAR, State.CLEARING)
        assert (tracker.open_defect is not None) == (tracker.state in (State.OPEN, State.CLEARING))


@given(pattern=patterns)
def test_long_run_always_alarms(pattern: str) -> None:
    tracker = a_tracker()
    feed(tracker, pattern)

    feed(tracker, "#" * 21, start=len(pattern) * STEP)

    assert tracker.state is State.OPEN
