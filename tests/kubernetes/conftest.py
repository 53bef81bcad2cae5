"""Tests against a real API server; there is one for all of them, and a namespace each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from streammonitor_api.resource.crd import build_crd
from tests.support.apiserver import ApiServer, running_apiserver, skip_without_server
from tests.support.fleet_contract import Fleet, fleet_in
from tests.support.redis_server import RedisServer, any_binary, running


@pytest.fixture(scope="session")
def apiserver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """An API server that knows StreamMonitor."""
    skip_without_server()
    with running_apiserver(tmp_path_factory.mktemp("apiserver")) as server:
        server.install_crd(build_crd())
        yield server


@pytest.fixture
def namespace(apiserver: ApiServer) -> str:
    """A namespace of this test's own."""
    return apiserver.namespace()


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with running(any_binary(), tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def fleet(redis_server: RedisServer) -> Iterator[Fleet]:
    """A fleet of this test's own."""
    scripts = redis_server.scripts()
    yield fleet_in(scripts)
    scripts.client.close()
