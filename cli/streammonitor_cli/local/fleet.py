"""A fleet on this machine: the operator's core over a folder of files, workers, and a Redis.

`look` is to be called again and again from the main thread: it sees to the processes and the
folder. The operator decides in a thread of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streammonitor_api.conditions import INCIDENTS, NO_INCIDENTS, NO_WORKERS
from streammonitor_api.fleet.connect import RedisSettings, examine
from streammonitor_api.fleet.operator_store import OperatorStore
from streammonitor_api.fleet.reader_store import ReaderStore
from streammonitor_api.fleet.scripts import Scripts
from streammonitor_api.names import FleetName, WorkerId
from streammonitor_api.sealing import read_key
from streammonitor_cli.local.manifests import Applied, Folder, fingerprint
from streammonitor_cli.local.redis import EmbeddedRedis
from streammonitor_cli.local.state import Description, StateFolder
from streammonitor_cli.local.workers import Workers
from streammonitor_operator.feed import Feed, SecretKey
from streammonitor_operator.inventory import Inventory, MonitorKey
from streammonitor_operator.loop import OperatorLoop
from streammonitor_operator.reconcile import Reconciler
from streammonitor_operator.reporting import Update
from streammonitor_operator.specs import SecretSeen
from streammonitor_worker.capacity import available_cores

FOLDER_EVERY_S = 0.5
"""How often it is looked whether a file changed: a person who saved one is not kept waiting."""
_END_S = 3.0
_TOLD_OTHERWISE = (INCIDENTS, NO_INCIDENTS, NO_WORKERS)
"""Incidents are events; workers are processes that are seen to here."""
_MISSING = SecretSeen(None, "does not exist; add it to the folder")


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetOptions:
    """What a local fleet is made of."""

    folder: Path
    """Of StreamMonitor files."""
    state: Path
    workers: int = 2
    name: FleetName
    redis: RedisSettings | None = None
    """One's own Redis; None: an embedded one."""


class LocalFleet:
    """One fleet, from `start` to `stop`. `tell` takes what happens, a line at a time."""

    def __init__(self, options: FleetOptions, tell: Callable[[str], None]) -> None:
        self._options = options
        self._tell = tell
        self.state = StateFolder(options.state)
        self._folder = Folder(options.folder)
        self._applied: Applied | None = None
        self._generations: dict[str, tuple[int, str]] = {}
        self._conditions: dict[str, Any] = {}
        self._look_at_folder = 0.0
        self._ended: Exception | None = None
        self.embedded: EmbeddedRedis | None = None
        self.workers: Workers | None = None
        self._thread: threading.Thread | None = None
        self._event_loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Start everything. Raises InputError, UnavailableError."""
        self._read_folder()
        self.state.prepare()
        self.embedded = None if self._options.redis else EmbeddedRedis(self.state, self._tell)
        settings = self._options.redis
        if self.embedded is not None:
            self.embedded.start()
            settings = self.embedded.settings
        assert settings is not None  # noqa: S101  one of the two is there
        self._scripts = Scripts.open(settings)
        for warning in examine(self._scripts.client, settings):
            self._tell(warning)
        self.reader = ReaderStore(self._scripts, self._options.name)
        self._start_operator()
        cores = available_cores() / self._options.workers
        self.workers = Workers(
            self.state,
            settings,
            self._options.name,
            cores_each=cores,
            tell=self._tell,
            on_death=self._inventory.lose_worker,
        )
        for _ in range(self._options.workers):
            self.workers.add()
        self.state.describe(
            Description(
                settings.address if self.embedded is None else settings.url,
                self._options.name,
                os.getpid(),
                str(self._options.folder),
            )
        )

    def look(self) -> None:
        """See to processes and files. Raises FencedError when another operator has taken over,
        and whatever else ended the operator: nobody would assign streams any more."""
        now = time.monotonic()
        if self._ended is not None:
            raise self._ended
        if self.embedded is not None:
            self.embedded.look(now)
        if self.workers is not None:
            self.workers.look(now)
        if now >= self._look_at_folder:
            self._look_at_folder = now + FOLDER_EVERY_S
            if self._read_folder():
                self._feed_all()

    @property
    def pids(self) -> dict[WorkerId, int]:
        """Of the workers that run."""
        return {} if self.workers is None else self.workers.pids

    def add_worker(self) -> WorkerId:
        """Start one more worker; returns its name."""
        assert self.workers is not None  # noqa: S101  it has been started
        return self.workers.add()

    def kill_worker(self, name: WorkerId) -> None:
        """Take a worker's life, as a crash would."""
        assert self.workers is not None  # noqa: S101  it has been started
        self.workers.kill(name)

    def stop(self) -> None:
        """End everything, as far as it was started."""
        if self._thread is not None:
            if self._event_loop is not None and self._thread.is_alive():
                with contextlib.suppress(RuntimeError):  # it has ended in this instant
                    self._event_loop.call_soon_threadsafe(self._end_operator.set)
            self._thread.join(_END_S)
        if self.workers is not None:
            self.workers.stop()
        if self.embedded is not None:
            self.embedded.stop()

    def _start_operator(self) -> None:
        self._inventory = Inventory()
        self._feed = Feed(self._inventory, read_key(self.state.key))
        reconciler = Reconciler(
            self._inventory,
            OperatorStore(self._scripts, self._options.name),
            self.reader,
            identity=f"folder {self.state.path}",
            name=f"streammonitor fleet, process {os.getpid()}",
        )
        self._loop = OperatorLoop(reconciler, self._take_updates)
        self._feed_all()
        self._inventory.complete()
        self._thread = threading.Thread(target=self._operate, name="operator", daemon=True)
        self._thread.start()

    def _operate(self) -> None:
        """What the operator's thread does."""
        try:
            asyncio.run(self._run_operator())
        except Exception as error:  # of a thread: whatever it is, `look` raises it
            self._ended = error

    async def _run_operator(self) -> None:
        self._end_operator = asyncio.Event()
        self._event_loop = asyncio.get_running_loop()
        running = asyncio.create_task(self._loop.run())
        ending = asyncio.create_task(self._end_operator.wait())
        await asyncio.wait({running, ending}, return_when=asyncio.FIRST_COMPLETED)
        running.cancel()
        ending.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running

    def _read_folder(self) -> bool:
        """Whether anything has changed there."""
        applied = self._folder.look()
        if applied is None:
            return False
        before = () if self._applied is None else self._applied.problems
        for problem in applied.problems:
            if problem not in before:
                self._tell(problem)
        self._applied = applied
        return True

    def _feed_all(self) -> None:
        """Say how all monitors are now; what did not change costs nothing."""
        applied = self._applied
        if applied is None:
            return
        for key in [one for one in self._feed.monitors if str(one) not in applied.monitors]:
            self._feed.forget(key)
            self._tell(f"{key}: removed")
            self._generations.pop(key, None)
        for name, content in applied.monitors.items():
            self._feed.see(self._with_generation(name, content))
        for secret, _ in list(self._feed.needed_secrets()):
            data = applied.secrets.get(secret)
            seen = _MISSING if data is None else SecretSeen(data)
            self._feed.see_secret(SecretKey(secret), seen)

    def _with_generation(self, key: str, content: Mapping[str, Any]) -> Mapping[str, Any]:
        """As the API server does: a specification that changed has another generation."""
        text = fingerprint(content)
        generation, before = self._generations.get(key, (0, ""))
        if text != before:
            generation += 1
            self._generations[key] = generation, text
            self._tell(f"{key}: {'applied' if generation == 1 else 'changed'}")
        return {**content, "metadata": {**content["metadata"], "generation": generation}}

    async def _take_updates(self, updates: Sequence[Update]) -> None:
        for update in updates:
            self._conditions[update.monitor] = update.status.as_json()
            for transition in update.transitions:
                if transition.reason not in _TOLD_OTHERWISE:
                    self._tell(f"{update.monitor}: {transition.message}")
        known = self._inventory.monitors
        self._conditions = {
            key: one for key, one in self._conditions.items() if MonitorKey(key) in known
        }
        self.state.write_monitors(self._conditions)
