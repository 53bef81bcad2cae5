"""The inventory is as the resources are, whatever comes how often and in whichever order."""

from __future__ import annotations

import base64
from typing import Any

from streammonitor_api.sealing import FleetKey, generate_key
from streammonitor_operator.feed import Feed, SecretKey
from streammonitor_operator.inventory import Inventory, MonitorKey
from streammonitor_operator.specs import SecretSeen
from tests.support.resources import a_monitor, a_stream

KEY = MonitorKey("default/sports")
CDN = SecretKey("default/cdn")
MISSING = SecretSeen(None, "does not exist; create it")
LOGIN: dict[str, Any] = {"credentialsSecretRef": {"name": "cdn"}}


def query(text: str) -> SecretSeen:
    return SecretSeen({"query": base64.b64encode(text.encode()).decode()})


def written(generation: int = 1, uid: str = "u1", **spec: Any) -> dict[str, Any]:
    resource = a_monitor(**spec)
    resource["metadata"] |= {"generation": generation, "uid": uid, "resourceVersion": "5"}
    return resource


def a_feed() -> tuple[Inventory, Feed]:
    inventory = Inventory()
    return inventory, Feed(inventory, FleetKey(generate_key()))


def test_resource_is_wanted_until_it_is_gone() -> None:
    inventory, feed = a_feed()

    feed.see(written(streams=[a_stream("a"), a_stream("b")]))
    assert set(inventory.streams) == {"default/sports/a", "default/sports/b"}

    feed.forget(KEY)
    assert not inventory.streams
    assert not inventory.monitors


def test_generation_that_is_known_changes_nothing() -> None:
    inventory, feed = a_feed()
    feed.see(written())
    inventory.take_changes()

    feed.see(written() | {"status": {"streams": {"total": 1}}})

    assert not inventory.take_changes()


def test_resource_made_anew_under_its_name_is_another() -> None:
    inventory, feed = a_feed()
    feed.see(written())

    feed.see(written(uid="u2", streams=[a_stream("other")]))

    assert set(inventory.streams) == {"default/sports/other"}
    assert feed.uid(KEY) == "u2"


def test_monitor_waits_until_its_secrets_were_looked_at() -> None:
    inventory, feed = a_feed()

    feed.see(written(streams=[a_stream("a", **LOGIN)]))
    assert feed.waits
    assert not inventory.monitors

    feed.see_secret(CDN, MISSING)
    assert not feed.waits
    fault = inventory.monitors[KEY].fault
    assert fault is not None
    assert fault.message == "Secret default/cdn: does not exist; create it"


def test_secret_that_appears_later_is_taken() -> None:
    inventory, feed = a_feed()
    feed.see(written(streams=[a_stream("a", **LOGIN)]))
    feed.see_secret(CDN, MISSING)

    feed.see_secret(CDN, query("token=1"))

    assert inventory.monitors[KEY].fault is None
    assert set(inventory.streams) == {"default/sports/a"}


def test_secret_that_changes_changes_its_streams_only() -> None:
    inventory, feed = a_feed()
    feed.see(written(streams=[a_stream("a", **LOGIN), a_stream("b")]))
    feed.see_secret(CDN, query("token=1"))
    inventory.take_changes()

    feed.see_secret(CDN, query("token=2"))

    assert set(inventory.take_changes().streams) == {"default/sports/a"}


def test_secret_that_is_deleted_stops_nothing() -> None:
    inventory, feed = a_feed()
    feed.see(written(streams=[a_stream("a", **LOGIN)]))
    feed.see_secret(CDN, query("token=1"))
    before = inventory.streams["default/sports/a"]  # type: ignore[index]

    feed.see_secret(CDN, MISSING)

    assert inventory.streams["default/sports/a"] == before  # type: ignore[index]
    assert inventory.monitors[KEY].fault is not None


def test_secret_that_nobody_uses_any_more_is_forgotten() -> None:
    _, feed = a_feed()
    feed.see(written(streams=[a_stream("a", **LOGIN)]))
    feed.see_secret(CDN, query("token=1"))

    feed.see(written(2))

    assert dict(feed.needed_secrets()) == {}


def test_monitor_that_goes_while_it_waits_leaves_nothing() -> None:
    inventory, feed = a_feed()
    feed.see(written(streams=[a_stream("a", **LOGIN)]))

    feed.forget(KEY)

    assert not feed.waits
    feed.see_secret(CDN, query("token=1"))
    assert not inventory.monitors


def test_last_status_comes_along() -> None:
    inventory, feed = a_feed()
    status = {
        "observedGeneration": 1, "streams": {"total": 1, "watched": 1, "degraded": 0},
        "incidents": {"open": 0, "newest": []}, "conditions": [],
    }  # fmt: skip

    feed.see(written() | {"status": status})

    last = inventory.monitors[KEY].last_status
    assert last is not None
    assert last.watched == 1
