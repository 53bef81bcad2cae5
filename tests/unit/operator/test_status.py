"""From facts to conditions: what people read, and when it is written."""

from __future__ import annotations

import pytest

from streammonitor_api import conditions
from streammonitor_api.fidelity import Fidelity
from streammonitor_api.resource import MonitorStatus
from streammonitor_api.resource.status import MOST_INCIDENTS
from streammonitor_operator.status import (
    Fault,
    MonitorFacts,
    StreamFacts,
    judge,
    read_status,
    transitions,
)
from tests.support.builders import NOON_S, an_incident

WATCHED = StreamFacts("ch1", True, "watching", Fidelity.FULL, Fidelity.FULL)
OPENING = StreamFacts("ch2", True, "opening")
WAITING = StreamFacts("ch3", False)
AWAY = StreamFacts("ch4", True, "reconnecting", error="404 Not Found")
KILLER = StreamFacts("ch5", True, "quarantined")
REDUCED = StreamFacts("ch6", True, "watching", Fidelity.FULL, Fidelity.KEYFRAMES)
ASKED_LESS = StreamFacts("ch7", True, "watching", Fidelity.KEYFRAMES, Fidelity.KEYFRAMES)


@pytest.mark.parametrize(
    ("facts", "ready", "degraded"),
    [
        pytest.param(MonitorFacts(1, (WATCHED,)), "AllStreamsWatched", "AsAsked", id="watched"),
        pytest.param(MonitorFacts(1, ()), "AllStreamsWatched", "AsAsked", id="no streams"),
        pytest.param(MonitorFacts(1, (WATCHED, OPENING)), "Starting", "AsAsked", id="opening"),
        pytest.param(
            MonitorFacts(1, (WAITING,), any_worker=False), "NoWorkers", "AsAsked", id="no workers"
        ),
        pytest.param(
            MonitorFacts(1, (WATCHED, AWAY)), "AllStreamsWatched", "SourceUnavailable", id="source"
        ),
        pytest.param(
            MonitorFacts(1, (AWAY, KILLER)),
            "AllStreamsWatched",
            "StreamQuarantined",
            id="quarantined",
        ),
        pytest.param(
            MonitorFacts(1, (REDUCED,)), "AllStreamsWatched", "FidelityReduced", id="reduced"
        ),
        pytest.param(
            MonitorFacts(1, (ASKED_LESS,)), "AllStreamsWatched", "AsAsked", id="asked less"
        ),
        pytest.param(MonitorFacts(1, suspended=True), "Suspended", "Suspended", id="suspended"),
        pytest.param(
            MonitorFacts(1, fault=Fault(conditions.INVALID, "spec.streams: missing")),
            "Invalid",
            "Invalid",
            id="invalid",
        ),
        pytest.param(
            MonitorFacts(1, (WATCHED,), fault=Fault(conditions.CREDENTIALS_MISSING, "no Secret")),
            "AllStreamsWatched",
            "CredentialsMissing",
            id="credentials",
        ),
        pytest.param(
            MonitorFacts(1, (WATCHED,), redis_problem="no answer"),
            "RedisUnavailable",
            "AsAsked",
            id="redis",
        ),
    ],
)
def test_reasons(facts: MonitorFacts, ready: str, degraded: str) -> None:
    status = judge(facts, None, NOON_S)

    assert status[conditions.READY].verdict.reason == ready
    assert status[conditions.DEGRADED].verdict.reason == degraded
    assert {ready, degraded} <= set(conditions.REASONS)


def test_messages_name_streams_and_causes() -> None:
    status = judge(MonitorFacts(1, (WATCHED, AWAY)), None, NOON_S)

    assert "ch4 (404 Not Found)" in status[conditions.DEGRADED].verdict.message
    assert status[conditions.READY].verdict.message.startswith("each of 2 streams has a worker")


def test_time_changes_with_the_status_alone() -> None:
    first = judge(MonitorFacts(1, (WATCHED,)), None, NOON_S)
    second = judge(MonitorFacts(2, (WATCHED, AWAY)), first, NOON_S + 60)
    third = judge(MonitorFacts(2, (WATCHED, KILLER)), second, NOON_S + 120)

    assert second[conditions.READY].since == first[conditions.READY].since
    assert second[conditions.DEGRADED].since == "2026-11-22T12:01:00.000Z"
    assert third[conditions.DEGRADED].since == second[conditions.DEGRADED].since


def test_same_facts_give_an_equal_status() -> None:
    facts = MonitorFacts(1, (WATCHED, AWAY), (an_incident(stream="prod/sports/ch1"),))
    first = judge(facts, None, NOON_S)

    assert judge(facts, first, NOON_S + 3600) == first


def test_at_most_twenty_newest_incidents() -> None:
    incidents = tuple(an_incident(onset_s=float(second)) for second in range(30))

    status = judge(MonitorFacts(1, (WATCHED,), incidents), None, NOON_S)

    assert status.open_incidents == 30
    assert len(status.newest) == MOST_INCIDENTS
    assert status.newest[0][5] == "2026-11-22T12:00:29.000Z"


def test_written_form_is_the_resources_and_reads_back() -> None:
    facts = MonitorFacts(3, (WATCHED, REDUCED), (an_incident(stream="prod/sports/ch1"),))
    status = judge(facts, None, NOON_S)

    model = MonitorStatus.model_validate(status.as_json())

    assert model.streams is not None
    assert (model.streams.total, model.streams.watched, model.streams.degraded) == (2, 2, 1)
    assert read_status(status.as_json()) == status


@pytest.mark.parametrize("data", [None, {}, {"conditions": 3}, {"observedGeneration": 1}])
def test_status_of_another_form_is_none(data: dict[str, object] | None) -> None:
    assert read_status(data) is None


def test_transitions_tell_what_changed_once() -> None:
    first = judge(MonitorFacts(1, (WATCHED,)), None, NOON_S)
    second = judge(MonitorFacts(1, (AWAY,)), first, NOON_S)
    third = judge(MonitorFacts(1, (WATCHED,)), second, NOON_S)

    assert [(one.kind, one.reason) for one in transitions(None, first)] == [
        ("Normal", "AllStreamsWatched")
    ]
    assert [(one.kind, one.reason) for one in transitions(first, second)] == [
        ("Warning", "SourceUnavailable")
    ]
    assert [(one.kind, one.reason) for one in transitions(second, third)] == [("Normal", "AsAsked")]
    assert transitions(third, third) == []
