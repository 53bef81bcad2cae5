"""What notifications look like."""

from __future__ import annotations

import json

from streammonitor_api.names import FleetName
from streammonitor_worker.notify.alerts import alerts_url, as_body, firing, resolved
from streammonitor_worker.notify.cloudevents import as_cloudevent, request_headers, sign
from streammonitor_worker.notify.lanes import LONGEST_REST_S, Rest
from tests.support.builders import NOON_S
from tests.support.fleet_contract import STREAM, a_told

FLEET = FleetName("test")


def test_signature_is_that_of_standard_webhooks() -> None:
    """The example that the libraries of Standard Webhooks are tested with."""
    signature = sign(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )

    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_cloudevent_carries_the_event_as_it_is_documented() -> None:
    told = a_told("closed", 2, recovery_s=9)

    envelope = json.loads(as_cloudevent(FLEET, told))

    assert envelope["data"] == told.event.as_json()
    assert (envelope["id"], envelope["subject"]) == ("a1.2", "a1")
    assert envelope["sequence"] == "0000000002"


def test_request_without_a_key_is_not_signed() -> None:
    headers = request_headers(a_told(), b"{}", "", NOON_S)

    assert "webhook-signature" not in headers
    assert headers["webhook-id"] == "a1.1"


def test_alert_ends_with_the_recovery_or_when_the_end_was_told() -> None:
    seen = resolved(FLEET, STREAM, a_told("closed", 2, recovery_s=9).event)
    unseen = resolved(FLEET, STREAM, a_told("closed", 2, at_s=30).event)

    assert seen["endsAt"] == "2026-11-22T12:00:09.000Z"
    assert unseen["endsAt"] == "2026-11-22T12:00:30.000Z"


def test_alert_never_ends_before_it_starts() -> None:
    alert = resolved(FLEET, STREAM, a_told("closed", 2, onset_s=40, at_s=30).event)

    assert alert["endsAt"] == alert["startsAt"]


def test_firing_alert_ends_by_itself() -> None:
    alert = firing(FLEET, STREAM, a_told().event.incident, NOON_S)

    assert alert["endsAt"] == "2026-11-22T12:04:00.000Z"
    assert json.loads(as_body([alert])) == [alert]


def test_address_of_an_alertmanager_may_have_a_path() -> None:
    assert alerts_url("http://host/am/") == "http://host/am/api/v2/alerts"
    assert alerts_url("http://host/#/alerts") == "http://host/api/v2/alerts"


def test_failing_target_rests_longer_and_longer() -> None:
    rest, now = Rest(), 0.0
    rests = []
    for _ in range(10):
        rest.note_failure(now, None)
        rests.append(rest.until - now)
        now = rest.until

    assert rests[0] <= 1.0
    assert rests[5] > rests[2] > rests[0]
    assert LONGEST_REST_S / 2 <= rests[-1] <= LONGEST_REST_S
    rest.note_success()
    assert not rest.is_resting(now)


def test_target_that_asks_for_time_gets_it() -> None:
    rest = Rest()

    rest.note_failure(0.0, 120.0)

    assert rest.is_resting(119.0)
