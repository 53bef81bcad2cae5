"""Reading lists and Secrets and writing statuses, one by one, against a real API server."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from streammonitor_api import conditions
from streammonitor_operator import outbox as outbox_module
from streammonitor_operator.clients import kubernetes as client_module
from streammonitor_operator.clients.kubernetes import Kubernetes, KubernetesError, log_in
from streammonitor_operator.delivery import versions
from streammonitor_operator.feed import Feed
from streammonitor_operator.inventory import Inventory, MonitorKey
from streammonitor_operator.outbox import Outbox
from streammonitor_operator.reporting import Update
from streammonitor_operator.secretreader import SecretReader
from streammonitor_operator.status import MonitorFacts, Transition, judge
from tests.support.apiserver import ApiServer
from tests.support.monitors import Monitors
from tests.support.proxy import proxy_to
from tests.support.resources import a_stream
from tests.support.waiting import eventually

NOW_S = 1_800_000_000.0
Body = Callable[[Kubernetes], Awaitable[None]]


def run(body: Body) -> None:
    async def connected() -> None:
        async with Kubernetes(log_in()) as kubernetes:
            await body(kubernetes)

    asyncio.run(connected())


@pytest.fixture
def monitors(
    apiserver: ApiServer, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Monitors:
    """The monitors of a namespace; the environment leads to their API server."""
    config = apiserver.kubeconfig(tmp_path / "kubeconfig", namespace)
    monkeypatch.setenv("KUBECONFIG", str(config))
    return Monitors(apiserver, namespace)


def an_update(monitors: Monitors, name: str, generation: int, *reasons: str) -> Update:
    status = judge(MonitorFacts(generation), None, NOW_S)
    told = tuple(Transition("Normal", reason, "as a test says") for reason in reasons)
    return Update(MonitorKey(f"{monitors.namespace}/{name}"), status, told)


@asynccontextmanager
async def writing(outbox: Outbox) -> AsyncIterator[None]:
    """Have it write meanwhile."""
    task = asyncio.create_task(outbox.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_long_lists_are_read_to_their_end(
    monitors: Monitors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "_PAGE", 2)
    for number in range(5):
        monitors.create(f"m{number}")

    async def body(kubernetes: Kubernetes) -> None:
        listed = versions([one async for one in kubernetes.list_metadata(monitors.path)])
        version = monitors.get("m3")["metadata"]["resourceVersion"]
        assert len(listed) == 5
        assert listed[f"{monitors.namespace}/m3"] == version

    run(body)


def test_answer_of_the_apiserver_is_told(monitors: Monitors) -> None:
    async def body(kubernetes: Kubernetes) -> None:
        with pytest.raises(KubernetesError, match='"nothing" not found') as raised:
            await kubernetes.get(f"{monitors.path}/nothing")
        assert raised.value.status == 404

    run(body)


def test_status_of_another_monitor_of_that_name_is_not_written(monitors: Monitors) -> None:
    uid = monitors.create("sports")["metadata"]["uid"]
    monitors.delete("sports")
    monitors.create("sports")
    monitors.create("news")
    other = monitors.get("news")["metadata"]["uid"]

    async def body(kubernetes: Kubernetes) -> None:
        uids = {f"{monitors.namespace}/sports": uid, f"{monitors.namespace}/news": other}
        outbox = Outbox(kubernetes, uids.get, clock=lambda: NOW_S, name="test")
        async with writing(outbox):
            outbox.put([an_update(monitors, "sports", 1, "A"), an_update(monitors, "news", 1)])
            await eventually(lambda: outbox.tally.refused == 1 and outbox.tally.statuses == 1)
        assert outbox.tally.failures == 0

    run(body)

    assert "status" in monitors.get("news")
    assert "status" not in monitors.get("sports")
    assert monitors.events("sports") == []


def test_statuses_that_could_not_be_written_are_joined_and_written_once(
    monitors: Monitors, apiserver: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "_FIRST_RETRY_S", 0.1)
    uid = monitors.create("sports")["metadata"]["uid"]
    port = urlsplit(apiserver.url).port
    assert port is not None

    async def body(kubernetes: Kubernetes) -> None:
        outbox = Outbox(kubernetes, lambda _: uid, clock=lambda: NOW_S, name="test")
        proxy.cut()
        async with writing(outbox):
            outbox.put([an_update(monitors, "sports", 1, "First")])
            await eventually(lambda: outbox.tally.failures >= 2)
            outbox.put([an_update(monitors, "sports", 2, "Second")])
            outbox.put([an_update(monitors, "sports", 3, "Third")])
            proxy.restore()
            await eventually(lambda: outbox.tally.events == 3)
        assert outbox.tally.statuses == 1

    with proxy_to(port) as proxy:
        url = f"https://127.0.0.1:{proxy.port}"
        reached = ApiServer(url, apiserver.authority, apiserver.token)
        config = reached.kubeconfig(tmp_path / "proxied", monitors.namespace)
        monkeypatch.setenv("KUBECONFIG", str(config))
        run(body)

    assert monitors.get("sports")["status"]["observedGeneration"] == 3
    assert {one["reason"] for one in monitors.events("sports")} == {"First", "Second", "Third"}


def test_status_is_one_that_the_definition_takes(monitors: Monitors) -> None:
    monitors.create("sports")
    status = judge(MonitorFacts(1), None, NOW_S).as_json()

    answer = monitors.server.request(
        "PATCH",
        f"{monitors.path}/sports/status",
        {"status": status},
        "application/merge-patch+json",
        fieldValidation="Strict",
    )

    assert answer.accepted, answer.message
    assert {one["type"] for one in answer.body["status"]["conditions"]} == set(
        conditions.CONDITION_TYPES
    )


def test_account_without_rights_on_secrets_is_told(monitors: Monitors) -> None:
    server, namespace = monitors.server, monitors.namespace
    server.create(f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": "bare"}})
    account = server.account(namespace, "bare")
    inventory = Inventory()
    feed = Feed(inventory, None)
    login = {"name": "cdn"}
    feed.see(monitors.create("sports", streams=[a_stream(credentialsSecretRef=login)]))

    async def body(kubernetes: Kubernetes) -> None:
        await SecretReader(kubernetes, feed, clock=lambda: 0.0).read_due()

    account.kubeconfig(Path(os.environ["KUBECONFIG"]), namespace)
    run(body)

    fault = inventory.monitors[MonitorKey(f"{namespace}/sports")].fault
    assert fault is not None
    assert "the operator may not read it; grant it get on secrets there" in fault.message
