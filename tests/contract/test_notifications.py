"""Events from a real Redis to real HTTP servers: each at least once, with an id that stays."""

from __future__ import annotations

import base64
import hashlib
import hmac
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from streammonitor_api.fleet.records import NotifyTarget, TargetKind
from streammonitor_api.fleet.store import WorkerStore
from streammonitor_api.names import Epoch
from streammonitor_api.sealing import Credentials, FleetKey, TargetSecrets, generate_key
from streammonitor_worker.notify.messages import Messenger
from streammonitor_worker.notify.notifier import Notifier
from streammonitor_worker.notify.refresher import Refresher
from tests.support.fleet_contract import STREAM, Fleet, a_told, take_ownership
from tests.support.receiver import Receiver, Request, Response, check_cloudevent
from tests.support.redis_server import RedisServer
from tests.support.waiting import wait_until

QUICK_S = 0.2
"""How soon, in tests, unfinished events are taken over."""


@dataclass
class Desk:
    """A fleet whose stream is owned, and notifiers that end with the test."""

    fleet: Fleet
    owner: WorkerStore
    epoch: Epoch
    key: FleetKey = field(default_factory=lambda: FleetKey(generate_key()))
    stack: ExitStack = field(default_factory=ExitStack)

    def start(self, name: str = "w1", *, give_up_s: float = 3600.0) -> Notifier:
        messenger = Messenger(self.fleet.name, self.key)
        notifier = Notifier(
            self.fleet.notifier(name), messenger, take_over_s=QUICK_S, give_up_s=give_up_s
        )
        self.stack.callback(messenger.close)
        self.stack.callback(notifier.close)
        notifier.start()
        return notifier

    def tell(self, *targets: NotifyTarget, incident: str = "a1") -> None:
        self.owner.publish(a_told(epoch=self.epoch, incident=incident, notify=targets))

    def close(self, *targets: NotifyTarget, incident: str = "a1") -> None:
        told = a_told(
            "closed", 2, epoch=self.epoch, incident=incident, recovery_s=9, notify=targets
        )
        self.owner.publish(told)

    def unfinished(self) -> int:
        pending = self.fleet.scripts.client.xpending(self.owner.keys.events, "notify")
        return int(pending["pending"])


@pytest.fixture
def desk(fleet: Fleet) -> Iterator[Desk]:
    owner = fleet.worker("w1")
    epoch = take_ownership(fleet, fleet.operator.start_term("home", "a"), owner)
    fleet.notifier("nobody").take(count=1, wait_s=0.001)  # makes the group
    desk = Desk(fleet, owner, epoch)
    with desk.stack:
        yield desk


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def webhook(receiver: Receiver, name: str = "pager", sealed: str | None = None) -> NotifyTarget:
    return NotifyTarget(name=name, kind="webhook", url=f"{receiver.url}/hook", sealed=sealed)


def test_webhook_gets_cloudevents(desk: Desk, receiver: Receiver) -> None:
    target = webhook(receiver)
    desk.start()
    desk.tell(target)
    desk.close(target)

    wait_until(lambda: len(receiver.requests) == 2 and not desk.unfinished())

    for request in receiver.requests:
        check_cloudevent(request)
    opened = receiver.requests[0].json
    assert opened["id"] == "a1.1"
    assert opened["type"] == "dev.streammonitor.incident.opened"
    assert opened["source"] == f"/streammonitor/{desk.fleet.name}/prod/sports/ch4"
    assert opened["data"]["incident"]["detector"] == "video-freeze"
    assert receiver.ids() == ["a1.1", "a1.2"]


def test_requests_are_signed_and_authorised(desk: Desk, receiver: Receiver) -> None:
    key = "whsec_" + base64.b64encode(b"sesame").decode()
    secrets = TargetSecrets("", key, Credentials("u", "p"))
    target = webhook(receiver)
    sealed = desk.key.seal(secrets.as_json(), target.sealed_for(STREAM))
    desk.start()
    desk.tell(webhook(receiver, sealed=sealed))

    wait_until(lambda: receiver.requests)

    (request,) = receiver.requests
    signed = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode()
    digest = hmac.new(b"sesame", signed + request.body, hashlib.sha256).digest()
    assert request.headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"
    assert request.headers["webhook-id"] == "a1.1"
    assert request.headers["Authorization"] == f"Basic {base64.b64encode(b'u:p').decode()}"


@pytest.mark.parametrize(
    ("kind", "path"),
    [("webhook", "/services/T0/geheim?token=x"), ("alertmanager", "/am/api/v2/alerts")],
)
def test_sealed_address_is_where_events_go(
    desk: Desk, receiver: Receiver, kind: TargetKind, path: str
) -> None:
    target = NotifyTarget(name="chat", kind=kind, url=receiver.url)
    secrets = TargetSecrets(receiver.url + path.removesuffix("/api/v2/alerts"))
    sealed = desk.key.seal(secrets.as_json(), target.sealed_for(STREAM))
    desk.start()
    desk.tell(replace(target, sealed=sealed))

    wait_until(lambda: receiver.requests)

    assert receiver.requests[0].path == path


def test_failing_target_is_tried_again_with_the_same_id(desk: Desk, receiver: Receiver) -> None:
    receiver.answer = lambda request: Response(503 if len(receiver.requests) < 5 else 204)
    desk.start()
    desk.tell(webhook(receiver))

    wait_until(lambda: len(receiver.requests) == 5 and not desk.unfinished())

    assert set(receiver.ids()) == {"a1.1"}


def test_dead_target_does_not_hold_up_the_others(desk: Desk, receiver: Receiver) -> None:
    dead = NotifyTarget(name="dead", kind="webhook", url="http://127.0.0.1:9/hook")
    notifier = desk.start()
    for number in range(20):
        desk.tell(dead, webhook(receiver), incident=f"i{number}")
        desk.close(dead, webhook(receiver), incident=f"i{number}")

    wait_until(lambda: len(set(receiver.ids())) == 40)

    wait_until(lambda: notifier.status.resting == ("prod/sports#dead",))


def test_target_that_has_an_event_is_spared_when_others_are_tried_again(
    desk: Desk, receiver: Receiver
) -> None:
    with Receiver(lambda request: Response(500)) as bad:
        desk.start()
        desk.tell(webhook(receiver), webhook(bad, "bad"))
        wait_until(lambda: len(bad.requests) >= 4)
        bad.answer = lambda request: Response()
        wait_until(lambda: not desk.unfinished())

    assert receiver.ids() == ["a1.1"]


def test_event_that_is_refused_for_good_is_given_up(
    desk: Desk, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.answer = lambda request: Response(422 if request.json["id"] == "bad.1" else 200)
    notifier = desk.start()
    desk.tell(webhook(receiver), incident="bad")
    desk.close(webhook(receiver), incident="bad")

    wait_until(lambda: len(receiver.requests) == 2 and not desk.unfinished())

    assert notifier.status.given_up == 1
    assert "event bad.1 is not sent, it answers with status 422; given up" in caplog.text


def test_event_that_is_too_old_is_given_up(desk: Desk, receiver: Receiver) -> None:
    receiver.answer = lambda request: Response(500)
    notifier = desk.start(give_up_s=0.5)
    desk.tell(webhook(receiver))

    wait_until(lambda: notifier.status.given_up == 1 and not desk.unfinished())


def test_redirects_are_not_followed(desk: Desk, receiver: Receiver) -> None:
    with Receiver(lambda request: Response(307, {"Location": receiver.url})) as moved:
        notifier = desk.start()
        desk.tell(webhook(moved))
        wait_until(lambda: notifier.status.given_up == 1)

    assert receiver.requests == []


@pytest.mark.parametrize("url", ["http://169.254.169.254/latest", "ftp://127.0.0.1/", "file:///x"])
def test_forbidden_addresses_get_nothing(desk: Desk, url: str) -> None:
    notifier = desk.start(give_up_s=0.2)
    desk.tell(NotifyTarget(name="evil", kind="webhook", url=url))

    wait_until(lambda: notifier.status.given_up == 1)

    assert notifier.status.delivered == 0


def test_event_that_cannot_be_read_does_not_stop_the_rest(desk: Desk, receiver: Receiver) -> None:
    desk.fleet.scripts.client.xadd(desk.owner.keys.events, {"stream": "x", "event": "{"})
    desk.start()
    desk.tell(webhook(receiver))

    wait_until(lambda: receiver.requests and not desk.unfinished())


def test_severity_below_the_targets_is_not_sent(desk: Desk, receiver: Receiver) -> None:
    target = NotifyTarget(
        name="pager", kind="webhook", url=f"{receiver.url}/hook", min_severity="critical"
    )
    warning = a_told(epoch=desk.epoch, incident="minor", detector="video-black", notify=(target,))
    object.__setattr__(warning.event.incident, "severity", "warning")
    desk.start()
    desk.owner.publish(warning)
    desk.tell(target)

    wait_until(lambda: receiver.requests and not desk.unfinished())

    assert receiver.ids() == ["a1.1"]


def test_lost_group_is_made_anew(desk: Desk, receiver: Receiver) -> None:
    desk.start()
    desk.fleet.scripts.client.xgroup_destroy(desk.owner.keys.events, "notify")
    desk.tell(webhook(receiver))

    wait_until(lambda: receiver.requests)


def test_worker_that_ends_leaves_the_group(desk: Desk, receiver: Receiver) -> None:
    def consumers() -> set[str]:
        known: Any = desk.fleet.scripts.client.xinfo_consumers(desk.owner.keys.events, "notify")
        return {one["name"] for one in known}

    notifier = desk.start("leaving")
    desk.tell(webhook(receiver))
    wait_until(lambda: receiver.requests and not desk.unfinished())
    assert "leaving" in consumers()

    notifier.close()

    assert "leaving" not in consumers()


SENDER = """
import sys
from streammonitor_api.fleet.connect import RedisSettings
from streammonitor_api.fleet.scripts import Scripts
from streammonitor_api.fleet.store import NotifierStore
from streammonitor_worker.notify.messages import Messenger
from streammonitor_worker.notify.notifier import Notifier
url, fleet = sys.argv[1:]
store = NotifierStore(Scripts.open(RedisSettings(url=url)), fleet, "doomed")
Notifier(store, Messenger(fleet, None)).start()
sys.stdin.read()
"""


def test_what_a_killed_sender_left_is_sent_by_another(
    desk: Desk, receiver: Receiver, redis_server: RedisServer
) -> None:
    """It is killed while it waits for the target's answer: perhaps that has the event already."""
    command = [sys.executable, "-c", SENDER, redis_server.url, desk.fleet.name]
    doomed = subprocess.Popen(command, stdin=subprocess.PIPE)

    def kill_first(request: Request) -> Response:
        if len(receiver.requests) == 1:
            doomed.kill()
            doomed.wait()
        return Response()

    receiver.answer = kill_first
    desk.tell(webhook(receiver))
    wait_until(lambda: receiver.requests)
    assert desk.unfinished() == 1

    desk.start("survivor")

    wait_until(lambda: not desk.unfinished())
    assert receiver.ids() == ["a1.1", "a1.1"]
    assert doomed.stdin is not None
    doomed.stdin.close()


def alertmanager(receiver: Receiver) -> NotifyTarget:
    return NotifyTarget(name="am", kind="alertmanager", url=f"{receiver.url}/")


def test_alert_fires_and_resolves(desk: Desk, receiver: Receiver) -> None:
    target = alertmanager(receiver)
    desk.start()
    desk.tell(target)
    wait_until(lambda: len(receiver.requests) == 1)
    desk.close(target)
    wait_until(lambda: len(receiver.requests) == 2)

    assert {request.path for request in receiver.requests} == {"/api/v2/alerts"}
    (fired,), (ended,) = (request.json for request in receiver.requests)
    assert fired["labels"] == ended["labels"]
    assert fired["labels"]["stream"] == "ch4"
    assert fired["startsAt"] == ended["startsAt"] == a_told().event.incident.onset.wall
    assert ended["endsAt"] == a_told(recovery_s=9).event.incident.recovery.wall  # type: ignore[union-attr]


def test_open_alerts_are_told_again_by_one_worker(desk: Desk, receiver: Receiver) -> None:
    target = alertmanager(receiver)
    desk.tell(target)
    messenger = Messenger(desk.fleet.name, None)
    refreshers = [
        Refresher(desk.fleet.notifier(name), messenger, again_s=0.3) for name in ("w1", "w2", "w3")
    ]
    for one in refreshers:
        one.start()

    wait_until(lambda: len(receiver.requests) >= 3)

    holder = desk.fleet.scripts.client.get(desk.owner.keys.alerting)
    refreshers[["w1", "w2", "w3"].index(str(holder))].close()
    before = len(receiver.requests)
    wait_until(lambda: len(receiver.requests) >= before + 2)  # another one goes on
    for one in refreshers:
        one.close()
    messenger.close()
    assert all(len(request.json) == 1 for request in receiver.requests)


def test_late_retry_does_not_fire_for_what_is_over(desk: Desk, receiver: Receiver) -> None:
    target = alertmanager(receiver)
    desk.tell(target)
    desk.close(target)

    desk.start()

    wait_until(lambda: receiver.requests and not desk.unfinished())
    assert len(receiver.requests) == 1  # the end of it
