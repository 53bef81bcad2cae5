from __future__ import annotations

import pytest

from streammonitor_api.incident import Incident, Moment
from streammonitor_worker.synth.score import score
from streammonitor_worker.synth.truth import Defect, Truth

BLACK = Defect("video-black", "video:0", 5.0, 8.0)


def an_incident(
    onset_s: float, recovery_s: float | None, detector: str = "video-black", track: str = "video:0"
) -> Incident:
    return Incident(
        id=f"{detector} {onset_s}",
        stream="clip",
        detector=detector,
        severity="critical",
        track=track,
        onset=Moment(onset_s, ""),
        recovery=None if recovery_s is None else Moment(recovery_s, ""),
        duration_s=None,
        value=1.0,
        threshold=1.0,
        unit="",
    )


def test_report_at_the_right_time_is_a_hit_with_its_errors() -> None:
    result = score(Truth({}, (BLACK,)), [an_incident(5.04, 7.9)])

    (hit,) = result.hits
    assert (result.missed, result.false_alarms) == ((), ())
    assert hit.onset_error_s == pytest.approx(0.04)
    assert hit.recovery_error_s == pytest.approx(-0.1)


@pytest.mark.parametrize(
    "incident",
    [
        an_incident(10.0, 12.0),
        an_incident(1.0, 3.0),
        an_incident(5.0, 8.0, detector="video-freeze"),
        an_incident(5.0, 8.0, track="video:1"),
    ],
    ids=["later", "earlier", "other detector", "other track"],
)
def test_report_of_something_else_is_a_false_alarm(incident: Incident) -> None:
    result = score(Truth({}, (BLACK,)), [incident])

    assert (result.missed, result.false_alarms) == ((BLACK,), (incident,))


def test_second_report_of_a_defect_is_a_false_alarm() -> None:
    first, second = an_incident(5.0, 6.0), an_incident(6.5, 8.0)
    result = score(Truth({}, (BLACK,)), [second, first])

    assert result.hits[0].incident is first
    assert result.false_alarms == (second,)


def test_tolerated_report_is_neither() -> None:
    tolerated = Defect("decode-error", "video:0", 5.0, 8.0)
    incident = an_incident(5.5, 6.0, detector="decode-error")
    result = score(Truth({}, (BLACK,), (tolerated,)), [incident])

    assert (result.hits, result.missed, result.false_alarms) == ((), (BLACK,), ())


def test_open_ends_overlap_whatever_comes_later() -> None:
    open_end = Defect("video-black", "video:0", 5.0, None)

    assert len(score(Truth({}, (open_end,)), [an_incident(5.0, None)]).hits) == 1
