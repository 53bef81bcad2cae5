"""Tests against a real API server; there is one for all of them, and a namespace each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from streammonitor_api.resource.crd import build_crd
from tests.support.apiserver import ApiServer, running_apiserver, skip_without_server


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
