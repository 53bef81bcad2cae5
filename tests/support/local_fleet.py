"""`streammonitor fleet`, as a user starts it, and what it shows to others."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.support.waiting import wait_until

STARTED_S = 40.0
"""With processes that import libraries on a machine that is busy with tests."""


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "streammonitor_cli.main", *map(str, arguments)]


def monitor_text(name: str, urls: Mapping[str, str]) -> str:
    """A StreamMonitor that watches for few defects: its streams move within 2 s."""
    lines = [
        "apiVersion: streammonitor.dev/v1alpha1",
        "kind: StreamMonitor",
        f"metadata: {{namespace: prod, name: {name}}}",
        "spec:",
        "  profile: VideoOnly",
        "  streams:",
        *(f"    - {{name: {stream}, url: '{url}'}}" for stream, url in urls.items()),
    ]
    return "\n".join(lines) + "\n"


class LocalFleetProcess:
    """One run of the command; the folder and the state outlive it."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.monitors = folder / "monitors"
        self.monitors.mkdir(exist_ok=True)
        self.options = options
        self._log = folder / "fleet.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        line = command("fleet", self.monitors, "--state", self.state, *self.options)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(line, stdout=log, stderr=log, env=environment)

    def interrupt(self, within_s: float = 20.0) -> int:
        """End it as Ctrl-C does; returns its exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        return self.wait(within_s)

    def wait(self, within_s: float = 20.0) -> int:
        """Wait for its end; returns its exit code."""
        assert self._process is not None
        return self._process.wait(within_s)

    def kill(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def end(self) -> None:
        """Leave nothing behind."""
        if self._process is not None and self._process.poll() is None:
            self.interrupt()

    def said(self) -> str:
        return self._log.read_text(errors="replace")

    def ask(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command about this fleet."""
        line = command(*arguments, "--fleet", self.state)
        return subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)

    def status(self) -> dict[str, Any]:
        """What `status --output json` says; empty while the fleet cannot be read."""
        done = self.ask("status", "--output", "json")
        found: dict[str, Any] = json.loads(done.stdout) if done.returncode == 0 else {}
        return found

    def await_status(
        self, is_so: Callable[[dict[str, Any]], bool], what: str, within_s: float = STARTED_S
    ) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            found = self.status()
            return found if found and is_so(found) else None

        return wait_until(look, f"{what}; the fleet said\n{self.said()}", within_s=within_s)


def watched(count: int) -> Callable[[dict[str, Any]], bool]:
    """Whether so many streams are there, all of them watched."""

    def is_so(status: dict[str, Any]) -> bool:
        states = [one["state"] for one in status["streams"]]
        return len(states) == count and set(states) == {"watching"}

    return is_so
