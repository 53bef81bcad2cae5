"""The operator's loop and what it serves, on a real Redis and with real time."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientSession
from prometheus_client.parser import text_string_to_metric_families

from streammonitor_api.errors import FencedError
from streammonitor_api.fleet.records import Heartbeat
from streammonitor_operator.inventory import Inventory
from streammonitor_operator.loop import OperatorLoop
from streammonitor_operator.reconcile import Reconciler
from streammonitor_operator.serve import OperatorServer
from streammonitor_operator.settings import OperatorSettings
from tests.support.fleet_contract import Fleet, fleet_in
from tests.support.fleet_rig import a_monitor
from tests.support.redis_server import RedisServer, any_binary, running
from tests.support.waiting import eventually

SETTINGS = OperatorSettings(identity="test", name="here", host="127.0.0.1", port=0)


class Served:
    """A running loop with its server."""

    def __init__(self, fleet: Fleet) -> None:
        self.inventory = Inventory()
        reconciler = Reconciler(
            self.inventory, fleet.operator, fleet.reader, identity="test", name="here"
        )
        self.loop = OperatorLoop(reconciler)
        self.server = OperatorServer(self.loop, SETTINGS)

    async def get(self, path: str) -> tuple[int, str]:
        url = f"http://127.0.0.1:{self.server.port}{path}"
        async with ClientSession() as session, session.get(url) as answer:
            return answer.status, await answer.text()

    async def demand(self) -> dict[str, float]:
        status, text = await self.get("/demand")
        return dict(json.loads(text)) if status == 200 else {}


@asynccontextmanager
async def serving(fleet: Fleet) -> AsyncIterator[Served]:
    served = Served(fleet)
    task = asyncio.create_task(served.loop.run())
    await served.server.start()
    try:
        yield served
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await served.server.stop()


def test_demand_and_metrics_follow_the_fleet(fleet: Fleet) -> None:
    async def story() -> None:
        async with serving(fleet) as served:
            assert (await served.get("/readyz"))[0] == 503
            assert (await served.get("/demand"))[0] == 503
            served.inventory.put_monitor(a_monitor(streams=20))
            served.inventory.complete()

            async def called_for() -> bool:
                return (await served.demand()).get("workers_wanted") == 3

            await eventually(called_for)
            worker = fleet.worker("a")
            beat = Heartbeat(
                worker=worker.worker, incarnation=worker.incarnation, capacity_cores=8.0
            )
            worker.beat(beat, None, serial=0)

            async def seen() -> bool:
                return (await served.demand()).get("workers_wanted") == 1

            await eventually(seen)
            assert await served.get("/readyz") == (200, "ok\n")
            assert await served.get("/healthz") == (200, "ok\n")

            _, text = await served.get("/metrics")
            samples = {
                (sample.name, *sample.labels.values()): sample.value
                for family in text_string_to_metric_families(text)
                for sample in family.samples
            }
            assert samples["streammonitor_fleet_workers_wanted",] == 1
            assert samples["streammonitor_fleet_streams", "opening"] == 20
            assert samples["streammonitor_fleet_workers", "ready"] == 1
            assert samples["streammonitor_fleet_streams_unwatched",] == 20
            assert all(value == value for value in samples.values())

    asyncio.run(story())


def test_change_is_acted_on_at_once(fleet: Fleet) -> None:
    async def story() -> None:
        async with serving(fleet) as served:
            served.inventory.complete()
            await eventually(lambda: served.loop.has_decided)
            served.inventory.put_monitor(a_monitor(streams=3))
            began = time.monotonic()
            await eventually(lambda: len(fleet.operator.read_specs()) == 3)
            assert time.monotonic() - began < 0.45

    asyncio.run(story())


def test_loop_ends_when_another_operator_takes_over(fleet: Fleet) -> None:
    async def story() -> None:
        served = Served(fleet)
        served.inventory.complete()
        task = asyncio.create_task(served.loop.run())
        await eventually(lambda: served.loop.has_decided)
        fleet.operator.start_term("test", "elsewhere")
        served.inventory.put_monitor(a_monitor())
        with pytest.raises(FencedError, match="elsewhere"):
            await asyncio.wait_for(task, 15)

    asyncio.run(story())


def test_redis_that_goes_away_is_waited_for(tmp_path_factory: pytest.TempPathFactory) -> None:
    async def story(server: RedisServer) -> None:
        scripts = server.scripts()
        async with serving(fleet_in(scripts)) as served:
            served.inventory.put_monitor(a_monitor(streams=20))
            served.inventory.complete()
            await eventually(lambda: served.loop.is_ready)

            server.kill()
            await eventually(lambda: not served.loop.is_ready)
            status, text = await served.get("/readyz")
            assert status == 503
            assert "Redis" in text
            assert (await served.get("/healthz"))[0] == 200
            assert (await served.demand())["workers_wanted"] == 3

            server.start()
            await eventually(lambda: served.loop.is_ready)
        scripts.client.close()

    with running(any_binary(), tmp_path_factory.mktemp("redis")) as server:
        asyncio.run(story(server))
