"""What a worker answers over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from streammonitor_api.errors import InputError
from streammonitor_worker.serve import HttpServer
from tests.support.fleet_workers import ask


@dataclass
class Told:
    alive: bool = True
    unready: str = ""

    def show(self) -> Mapping[str, Any]:
        return {"worker": "one", "streams": []}


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def port(told: Told) -> Iterator[int]:
    server = HttpServer(("127.0.0.1", 0), told, lambda: b"up 1\n")
    yield server.port
    server.close()


def test_healthy_worker(port: int) -> None:
    assert ask(port, "/healthz") == (200, "alive\n")
    assert ask(port, "/readyz") == (200, "ready\n")
    assert ask(port, "/metrics") == (200, "up 1\n")
    assert json.loads(ask(port, "/streams?x=1")[1]) == {"worker": "one", "streams": []}


def test_hanging_worker_is_to_be_restarted(port: int, told: Told) -> None:
    told.alive = False

    assert ask(port, "/healthz")[0] == 503


def test_reason_is_told_why_it_is_not_ready(port: int, told: Told) -> None:
    told.unready = "draining"

    assert ask(port, "/readyz") == (503, "draining\n")
    assert ask(port, "/healthz")[0] == 200


def test_unknown_path_tells_what_there_is(port: int) -> None:
    status, text = ask(port, "/status")

    assert status == 404
    assert "/streams" in text


def test_address_that_is_taken_is_bad_input(port: int, told: Told) -> None:
    with pytest.raises(InputError, match=f"--listen 127.0.0.1:{port}"):
        HttpServer(("127.0.0.1", port), told, lambda: b"")
