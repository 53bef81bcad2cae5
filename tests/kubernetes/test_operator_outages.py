"""What the operator does while the API server is away, or its watch is dead and nobody says so."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from streammonitor_operator import cluster, delivery
from streammonitor_operator.clients.kubernetes import Kubernetes, log_in
from streammonitor_operator.inventory import Inventory, MonitorKey
from tests.support.apiserver import ApiServer
from tests.support.fleet_contract import Fleet
from tests.support.monitors import WITHIN_S, Monitors
from tests.support.operator_process import operator_process
from tests.support.pretend_worker import pretend_workers
from tests.support.proxy import Proxy, proxy_to
from tests.support.redis_server import RedisServer
from tests.support.resources import a_stream
from tests.support.waiting import eventually, wait_until


@pytest.fixture
def proxy(apiserver: ApiServer) -> Iterator[Proxy]:
    port = urlsplit(apiserver.url).port
    assert port is not None
    with proxy_to(port) as made:
        yield made


def through(apiserver: ApiServer, proxy: Proxy) -> ApiServer:
    """The API server as it is reached through the proxy."""
    return ApiServer(f"https://127.0.0.1:{proxy.port}", apiserver.authority, apiserver.token)


def test_fleet_is_looked_after_while_the_apiserver_is_away(
    apiserver: ApiServer, proxy: Proxy, namespace: str, redis_server: RedisServer, fleet: Fleet,
    tmp_path: Path,
) -> None:  # fmt: skip
    monitors = Monitors(apiserver, namespace)
    with (
        pretend_workers(fleet.scripts, fleet.name, "local-0", "local-1") as (lost, other),
        operator_process(
            through(apiserver, proxy), tmp_path, redis_server.url,
            *("--namespaces", namespace, "--watch-nodes", "false"),
            fleet=fleet.name, namespace=namespace,
        ) as operator,
    ):  # fmt: skip
        monitors.create("sports", streams=[a_stream("a"), a_stream("b")])
        monitors.create("news", streams=[a_stream("c"), a_stream("d")])
        monitors.await_condition("sports", "Ready", "AllStreamsWatched")

        proxy.cut()
        lost.die()
        wait_until(lambda: len(other.has) == 4, "failover without an API server", within_s=WITHIN_S)
        assert operator.ask("/healthz")[0] == 200
        monitors.delete("news")
        monitors.change("sports", streams=[a_stream("a"), a_stream("e")])
        proxy.restore()

        wanted = {f"{namespace}/sports/a", f"{namespace}/sports/e"}
        wait_until(
            lambda: set(other.has) == wanted, "what happened meanwhile is followed", within_s=60
        )
        monitors.await_condition("sports", "Ready", "AllStreamsWatched")


def test_dead_watch_is_found_out(
    apiserver: ApiServer,
    proxy: Proxy,
    namespace: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(delivery, "LATE_S", 1.0)
    monkeypatch.setattr(cluster, "_BEGIN_AGAIN_S", 0.1)
    config = through(apiserver, proxy).kubeconfig(tmp_path / "kubeconfig", namespace)
    monkeypatch.setenv("KUBECONFIG", str(config))
    monitors = Monitors(apiserver, namespace)
    monitors.create("sports")
    options = cluster.ClusterOptions(
        namespaces=(namespace,), home=namespace, watch_nodes=False, compare_s=0.2
    )

    before = threading.enumerate()
    asyncio.run(_freeze_and_look(monitors, proxy, options))

    left = [one for one in threading.enumerate() if one not in before and not one.daemon]
    assert left == [], "a watch that ended has left threads"


async def _freeze_and_look(
    monitors: Monitors, proxy: Proxy, options: cluster.ClusterOptions
) -> None:
    inventory = Inventory()
    async with Kubernetes(log_in()) as kubernetes:
        followed = cluster.Cluster(inventory, None, options, kubernetes)
        task = asyncio.create_task(followed.run())
        try:
            await eventually(lambda: inventory.is_complete, "all is read", within_s=60)
            key = MonitorKey(f"{monitors.namespace}/sports")
            assert inventory.monitors[key].generation == 1

            proxy.freeze()
            await asyncio.to_thread(monitors.change, "sports", suspend=True)
            await eventually(followed.problem, "the watch is dead", within_s=60)

            assert "the watch of StreamMonitors is dead: 1 changed" in str(followed.problem())
        finally:
            proxy.cut()  # what is frozen could not be closed
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
