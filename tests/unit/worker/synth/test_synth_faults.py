"""The plan of a server's faults: which segments are hidden, lost, and when it is away."""

from __future__ import annotations

from streammonitor_worker.synth import Recipe, parse_injection
from streammonitor_worker.synth.faults import ServerFaults


def faults(*injections: str) -> ServerFaults:
    recipe = Recipe(duration_s=60, injections=[parse_injection(text) for text in injections])
    return ServerFaults(recipe, 2.0)


def test_without_faults_nothing_is_hidden() -> None:
    plan = faults("video-black@3+2")

    assert plan.newest(10) is None
    assert not any(plan.is_lost(number) for number in range(30))
    assert plan.absences == []
    assert plan.longest_s == 0
    assert list(plan.defects()) == []


def test_stall_shows_what_was_complete_when_it_began() -> None:
    plan = faults("stream-stall@11+6")

    assert plan.newest(10.9) is None
    assert plan.newest(11) == 4, "segment 4 ends at 10 s, segment 5 at 12 s"
    assert plan.newest(16.9) == 4
    assert plan.newest(17) is None


def test_stall_is_true_from_the_end_of_the_media() -> None:
    ((defect, required),) = faults("stream-stall@11+6").defects()

    assert (defect.detector, defect.onset_s, defect.recovery_s) == ("stream-stall", 10, 17)
    assert required


def test_loss_takes_each_segment_that_it_touches() -> None:
    plan = faults("segment-error@5+3", "segment-error@20+2")

    assert [number for number in range(30) if plan.is_lost(number)] == [2, 3, 10]
    required = [defect for defect, must in plan.defects() if must]
    assert [(d.onset_s, d.recovery_s) for d in required] == [(4, 8), (20, 22)]


def test_absence_may_be_reported_as_a_stall() -> None:
    plan = faults("stream-unavailable@8+5")

    assert [(d.detector, required) for d, required in plan.defects()] == [
        ("stream-unavailable", True),
        ("stream-stall", False),
    ]
    assert plan.longest_s == 5
