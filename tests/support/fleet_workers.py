"""Real worker processes on a real Redis, and a test that plays their operator."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from streammonitor_api.fleet.operator_store import OperatorStore
from streammonitor_api.fleet.reader_store import ReaderStore
from streammonitor_api.fleet.records import Assign, RecordedEvent, StreamRow, StreamSpec, Withdraw
from streammonitor_api.names import FleetName, StreamKey, WorkerId, stream_key
from streammonitor_api.plan import Plan, resolve_plan
from streammonitor_worker.synth.live import LiveStream
from tests.support.redis_server import RedisServer
from tests.support.waiting import wait_until

FLEET = FleetName("test")
WITHIN_S = 60.0
"""Workers start in 2 s and defects last 9 s on an idle machine."""
PLAN = resolve_plan(only=["video-black", "stream-unavailable"])


def a_spec(name: str, url: str, *, plan: Plan = PLAN, **known: Any) -> StreamSpec:
    stream = stream_key("prod", "sports", name)
    values: dict[str, Any] = {"overlap_s": 2.0, **known}
    return StreamSpec(stream=stream, url=url, detectors=tuple(plan.values()), **values)


class HastenedStream(LiveStream):
    """A broadcast whose rest comes at once when a test has seen enough of what is on.

    So a defect can last as long as the test needs it, however slow the machine is, and no longer.
    """

    _hastened = False

    def hasten(self) -> None:
        """Broadcast all that is left as fast as it can be encoded."""
        self._hastened = True

    def _pace(self, due_s: float) -> bool:
        return not self._stop.is_set() if self._hastened else super()._pace(due_s)


class WorkerProcess:
    """`streammonitor worker`, as a user starts it."""

    def __init__(self, name: str, redis_url: str, folder: Path, *options: str) -> None:
        self.name = WorkerId(name)
        self.log = folder / f"{name}.log"
        command = [
            *(sys.executable, "-m", "streammonitor_cli.main", "worker", "--redis", redis_url),
            *("--fleet", FLEET, "--worker-id", name, *options),
        ]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)

    @property
    def pid(self) -> int:
        return self.process.pid

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self) -> None:
        """Leave nothing behind."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)

    def said(self) -> str:
        return self.log.read_text(errors="replace")


Start = Callable[..., WorkerProcess]
"""Starts a worker of that name, with these options."""
Broadcast = Callable[[], str]
"""Begins a live stream; gives its URL."""


class PlayedOperator:
    """Assigns by hand, and looks at what becomes of it."""

    def __init__(self, redis: RedisServer) -> None:
        self.scripts = redis.scripts()
        self.store = OperatorStore(self.scripts, FLEET)
        self.reader = ReaderStore(self.scripts, FLEET)
        self.term = self.store.start_term("test", "played")

    def want(self, *specs: StreamSpec) -> None:
        self.store.put_specs(self.term, specs)

    def assign(self, worker: WorkerId, *specs: StreamSpec, overlap_s: float = 0.0) -> None:
        changes = [Assign(one.stream, one.revision, overlap_s) for one in specs]
        self.store.assign(self.term, worker, changes)

    def give(self, worker: WorkerId, *specs: StreamSpec) -> None:
        """Have new streams watched by a worker."""
        self.want(*specs)
        self.assign(worker, *specs)

    def withdraw(self, worker: WorkerId, *specs: StreamSpec) -> None:
        self.store.assign(self.term, worker, [Withdraw(one.stream) for one in specs])

    def rows(self, worker: WorkerId) -> dict[StreamKey, StreamRow]:
        tables = self.reader.read_fleet().tables
        return {one.stream: one for one in tables[worker].rows} if worker in tables else {}

    def await_row(
        self,
        worker: WorkerId,
        spec: StreamSpec,
        state: str,
        *,
        claimed: bool = True,
        within_s: float = WITHIN_S,
    ) -> StreamRow:
        def look() -> StreamRow | None:
            row = self.rows(worker).get(spec.stream)
            return row if row and row.state == state and row.claimed is claimed else None

        return wait_until(look, f"{spec.stream} {state} on {worker}", within_s=within_s)

    def events(self) -> list[RecordedEvent]:
        return list(self.reader.read_events())

    def told(self) -> list[tuple[str, int]]:
        events = [one.told for one in self.events() if one.told.event.kind != "updated"]
        return [(one.event.kind, one.revision) for one in events]

    def await_event(self, kind: str, *, within_s: float = WITHIN_S) -> RecordedEvent:
        def look() -> RecordedEvent | None:
            found = [one for one in self.events() if one.told.event.kind == kind]
            return found[-1] if found else None

        return wait_until(look, f"event {kind}", within_s=within_s, every_s=0.05)

    def port(self, worker: WorkerId) -> int:
        def look() -> int:
            seen = self.reader.read_fleet().workers.get(worker)
            return seen.beat.http_port if seen else 0

        return wait_until(look, f"{worker} is there", within_s=60.0)


def ask(port: int, path: str) -> tuple[int, str]:
    """What a worker answers over HTTP."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with contextlib.closing(error):
            return error.code, error.read().decode()


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and is not buried does not."""
    try:
        state = (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def engines_of(port: int) -> dict[int, int]:
    """Process ids of a worker's engines, by number."""
    shown: Mapping[str, Any] = json.loads(ask(port, "/streams")[1])
    return {one["engine"]: one["pid"] for one in shown["engines"]}
