"""A worker that keeps the contract in real time and decodes nothing, for tests of the rest."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from streammonitor_api.errors import FencedError, UnavailableError
from streammonitor_api.fleet.records import (
    TABLE_EVERY_S,
    Assignment,
    Heartbeat,
    StreamRow,
    StreamSpec,
    StreamTable,
)
from streammonitor_api.fleet.scripts import Scripts
from streammonitor_api.fleet.store import WorkerStore
from streammonitor_api.incident import wall_time
from streammonitor_api.names import FleetName, StreamKey, WorkerId, new_incarnation

BEAT_S = 0.1


class PretendWorker:
    """Watches whatever it is given from the moment on."""

    def __init__(self, scripts: Scripts, fleet: FleetName, name: str, *, pod: str = "") -> None:
        self.name = name
        self.has: dict[StreamKey, Assignment] = {}
        self.specs: dict[StreamKey, StreamSpec] = {}
        self._pod = pod
        self._store = WorkerStore(scripts, fleet, WorkerId(name), new_incarnation())
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self.beats = self._serial = self._revision = 0
        self._table: StreamTable | None = StreamTable(0, ())
        self._written = time.monotonic()

    def start(self) -> PretendWorker:
        self._thread.start()
        return self

    def die(self) -> None:
        """Beat no more."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(BEAT_S):
            try:
                self._beat()
            except UnavailableError:
                continue  # a busy machine: the next beat may do
            except FencedError:
                return

    def _beat(self) -> None:
        store = self._store
        if time.monotonic() - self._written > TABLE_EVERY_S:
            self._write_table()
        beat = Heartbeat(
            worker=store.worker,
            incarnation=store.incarnation,
            capacity_cores=4.0,
            streams=len(self.has),
            pod=self._pod,
            table_serial=self._serial,
        )
        answer = store.beat(beat, self._table, serial=self.beats)
        self._table = None
        self.beats += 1
        if answer.revision != self._revision and answer.revision:
            self._take(answer.revision)

    def _take(self, revision: int) -> None:
        found = self._store.read_assignments()
        self._revision = revision
        self.specs = self._store.read_specs(found.by_stream)
        for stream, assignment in found.by_stream.items():
            self._store.claim(stream, assignment.epoch)
            self.has[stream] = assignment
        for stream in set(self.has) - set(found.by_stream):
            del self.has[stream]
        self._write_table()

    def _write_table(self) -> None:
        """Have the table sent with the next beat."""
        self._serial += 1
        self._written = time.monotonic()
        self._table = StreamTable(self._serial, tuple(map(self._row, self.has.values())))

    def _row(self, assignment: Assignment) -> StreamRow:
        return StreamRow(
            stream=assignment.stream,
            epoch=assignment.epoch,
            state="watching",
            claimed=True,
            weight_cores=0.1,
            last_picture_wall=wall_time(time.time()),
            spec_revision=assignment.spec_revision,
        )


@contextmanager
def pretend_workers(
    scripts: Scripts, fleet: FleetName, *names: str, pods: bool = False
) -> Iterator[list[PretendWorker]]:
    """Workers that live until the end, or until a test ends them."""
    workers = [PretendWorker(scripts, fleet, name, pod=name if pods else "") for name in names]
    for worker in workers:
        worker.start()
    try:
        yield workers
    finally:
        for worker in workers:
            worker.die()
