"""What is edited with kubectl takes effect, and leaves alone what it does not concern."""

from __future__ import annotations

import time

import pytest

from tests.support.kind.gaps import was_reopened
from tests.support.kind.programs import Manifest
from tests.support.kind.scenery import Notification, a_monitor, a_stream
from tests.support.kind.watching import Watching

PULSES_S = 70.0
"""Two of the half minutes in which `pulsing` turns black once."""
TAKEN_S = 15.0
"""Within this what was edited is in effect."""
SHARE = 0.9
"""Of the pixels that are to be black; 0.98 unless edited."""


def black(**fields: object) -> Manifest:
    return {"name": "video-black", **fields}


def test_edited_threshold_takes_effect_without_reopening(watching: Watching) -> None:
    """The stream is watched on by the same worker, through the same opening."""
    watching.apply("news", [a_stream("pulsing")])
    watching.wait("news")
    stream = f"{watching.namespace}/news/pulsing"
    before = await_opened(watching, after=0.0)
    edited = time.time()

    watching.apply(
        "news", [a_stream("pulsing")], detectors=[black(settings={"share": SHARE}, alarmAfter="1s")]
    )
    watching.wait("news", "Ready", TAKEN_S)
    after = await_opened(watching, after=edited + TAKEN_S)

    assert before.incident["measure"]["threshold"] == pytest.approx(0.98)
    assert after.incident["measure"]["threshold"] == pytest.approx(SHARE)
    assert not was_reopened(watching.scenery.seen(stream), edited)
    assert watching.unwatched_s(edited) == 0


def await_opened(watching: Watching, after: float) -> Notification:
    """The first incident that is told of after a moment."""

    def is_there() -> Notification | None:
        found = watching.notifications("opened")
        return next((one for one in found if one.time > after), None)

    return watching.cluster.await_true(is_there, "an incident came to the webhook", PULSES_S)


def test_changed_url_reopens_only_that_stream(watching: Watching) -> None:
    watching.apply("news", [a_stream("sound", "stays"), a_stream("sound", "changes")])
    watching.wait("news")
    watching.await_rest()
    stays, changes = (f"{watching.namespace}/news/{one}" for one in ("stays", "changes"))
    edited = time.time()

    watching.apply("news", [a_stream("sound", "stays"), a_stream("frozen", "changes")])
    incident = watching.await_open("news")

    assert (incident["stream"], incident["detector"]) == ("changes", "video-freeze")
    assert was_reopened(watching.scenery.seen(changes), edited)
    assert not was_reopened(watching.scenery.seen(stays), edited)
    assert watching.unwatched_s(edited, "news/stays") == 0


@pytest.mark.parametrize(
    ("wrong", "advice"),
    [
        ({"streams": []}, "spec.streams: Invalid value"),
        (
            {"streams": [{"name": "a", "url": "file:///etc/passwd"}]},
            "not an allowed protocol; write an address with http",
        ),
        ({"detectors": [black(alarmAfter="2")]}, '"2" has no unit; write a duration such as "2s"'),
        ({"detectors": [{"name": "video-blak"}]}, 'Unsupported value: "video-blak": supported'),
        ({"suspended": True}, 'unknown field "spec.suspended"'),
    ],
)
def test_bad_monitor_is_refused_with_what_to_write(
    watching: Watching, wrong: Manifest, advice: str
) -> None:
    monitor = a_monitor("bad", watching.namespace, [a_stream("sound")])
    monitor["spec"].update(wrong)

    assert advice in watching.cluster.refusal(monitor)


def test_describe_tells_of_conditions_and_events(watching: Watching) -> None:
    watching.apply("news", [a_stream("frozen")])
    watching.wait("news")
    watching.wait("news", "Alerting")

    told = watching.cluster.kubectl("describe", "smon/news", "-n", watching.namespace)

    for word in ("Ready", "Degraded", "Alerting", "video-freeze", "Events:", "OpenIncidents"):
        assert word in told
