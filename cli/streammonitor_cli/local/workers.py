"""The workers of a local fleet: processes that are started again when they die, as a ReplicaSet
would do it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from streammonitor_api.fleet.connect import RedisSettings
from streammonitor_api.names import FleetName, WorkerId
from streammonitor_cli.local.children import Revival, end, last_words, spawn
from streammonitor_cli.local.state import StateFolder

_END_S = 8.0
"""More than what a worker takes at most for its last events and streams."""


@dataclass(slots=True)
class _Worker:
    process: subprocess.Popen[bytes] | None = None
    revival: Revival = field(default_factory=Revival)


class Workers:
    """The worker processes. `on_death` is called with each that has died unasked."""

    def __init__(
        self,
        state: StateFolder,
        redis: RedisSettings,
        fleet: FleetName,
        *,
        cores_each: float,
        tell: Callable[[str], None],
        on_death: Callable[[WorkerId], None],
    ) -> None:
        self._state = state
        self._redis = redis
        self._fleet = fleet
        self._cores_each = cores_each
        self._tell = tell
        self._on_death = on_death
        self._workers: dict[WorkerId, _Worker] = {}

    @property
    def pids(self) -> dict[WorkerId, int]:
        """Of the workers that run."""
        return {
            name: one.process.pid
            for name, one in self._workers.items()
            if one.process is not None and one.process.poll() is None
        }

    def add(self) -> WorkerId:
        """Start one more; returns its name."""
        name = WorkerId(f"worker-{len(self._workers) + 1}")
        self._workers[name] = _Worker()
        self._start(name)
        return name

    def kill(self, name: WorkerId) -> None:
        """Take a worker's life as a crash would: nothing is told, nothing is tidied up."""
        process = self._workers[name].process
        if process is not None and process.poll() is None:
            process.kill()

    def look(self, now: float) -> None:
        """Start those again that have died."""
        for name, one in self._workers.items():
            if one.process is not None and one.process.poll() is not None:
                self._note_death(name, one, one.process, now)
            if one.revival.is_due(now):
                self._start(name)

    def stop(self) -> None:
        """End them all, at once."""
        running = [one.process for one in self._workers.values() if one.process is not None]
        self._workers.clear()
        for process in running:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
        until = time.monotonic() + _END_S
        for process in running:
            end(process, signal.SIGINT, max(0.1, until - time.monotonic()))

    def _start(self, name: WorkerId) -> None:
        one = self._workers[name]
        command = [
            *(sys.executable, "-m", "streammonitor_cli.main", "worker"),
            *("--fleet", self._fleet, "--worker-id", name, "--listen", "127.0.0.1:0"),
            *("--capacity", f"{self._cores_each:.2f}"),
            *("--spool", str(self._state.spool(name))),
        ]
        log = self._state.log(name)
        one.process = spawn(command, log, environment=self._environment())
        one.revival.note_start(time.monotonic())

    def _note_death(
        self, name: WorkerId, one: _Worker, process: subprocess.Popen[bytes], now: float
    ) -> None:
        one.process = None
        delay = one.revival.note_death(now)
        code = process.returncode
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        words = last_words(self._state.log(name)) if code > 0 else ""
        later = f" in {delay:g} s" if delay else ""
        self._tell(
            f"{name} has ended ({how}{f': {words}' if words else ''}); it is started again{later}"
        )
        self._on_death(name)

    def _environment(self) -> Mapping[str, str]:
        """Secrets go by the environment: a command line is shown to everybody."""
        redis = {
            f"STREAMMONITOR_REDIS_{name}": value
            for name, value in (
                ("URL", self._redis.url),
                ("USERNAME", self._redis.username),
                ("PASSWORD", self._redis.password),
            )
            if value
        }
        path = os.pathsep.join(entry for entry in sys.path if entry)
        key = {"STREAMMONITOR_FLEET_KEY_FILE": str(self._state.key)}
        return {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", **redis, **key}
