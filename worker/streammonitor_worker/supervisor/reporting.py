"""How a worker is, for heartbeats, HTTP and metrics: put together by one thread, read by others."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from streammonitor_api.fleet.records import TABLE_EVERY_S, Heartbeat, StreamRow, StreamTable
from streammonitor_api.names import Incarnation
from streammonitor_worker.engine.messages import StreamStats
from streammonitor_worker.status import StreamStatus, WorkerStatus
from streammonitor_worker.supervisor.crew import Crew
from streammonitor_worker.supervisor.duties import Duty
from streammonitor_worker.supervisor.liaison import Beat
from streammonitor_worker.supervisor.rows import is_news, row_of, shown, status_of
from streammonitor_worker.supervisor.settings import WorkerSettings

STUCK_S = 2.0
"""A worker whose own thread has not moved for so long is as good as dead, whatever its heartbeat
thread says: with the 3 s of the fleet that is 5 s."""
HUNG_S = 30.0
"""And after so long it is to be restarted."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the worker's thread knows."""

    draining: bool
    unready: str
    engines: Mapping[int, int]
    duties: tuple[Duty, ...]
    stats: Mapping[str, StreamStats]
    trouble: Mapping[str, str]
    """Streams in quarantine, and why."""
    notes: Mapping[str, str]
    """What else is wrong with streams."""
    waiting_events: int
    redis_up: bool
    engine_deaths: int
    lowered: int
    """Streams that are watched less closely than is wanted."""


class Reporter:
    """The latest facts, and what of the table the fleet has been told."""

    def __init__(self, settings: WorkerSettings, incarnation: Incarnation) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._pulse = time.monotonic()
        self.http_port = 0
        self._heartbeat = Heartbeat(
            worker=settings.worker,
            incarnation=incarnation,
            capacity_cores=round(settings.capacity_cores, 3),
            ready=False,
            pid=os.getpid(),
            host=settings.host,
            pod=settings.pod,
            node=settings.node,
        )
        self._rows: dict[str, StreamRow] = {}
        self._told: dict[str, StreamRow] = {}
        self._told_at = float("-inf")
        self._serial = 0
        self._statuses: tuple[StreamStatus, ...] = ()
        self._shown: dict[str, Any] = {"streams": []}
        self._unready = "it is starting"
        self._status = WorkerStatus()

    def pulse(self) -> None:
        """The worker's thread is alive."""
        self._pulse = time.monotonic()

    def update(self, facts: Facts, crew: Crew) -> None:
        """Take how the worker is now."""
        stats, trouble = facts.stats, facts.trouble
        rows = {
            duty.stream: row_of(
                duty,
                stats.get(duty.stream),
                trouble.get(duty.stream),
                facts.notes.get(duty.stream),
            )
            for duty in facts.duties
        }
        load = sum(one.cores or 0.0 for one in stats.values())
        heartbeat = replace(
            self._heartbeat,
            load_cores=round(load, 3),
            streams=len(rows),
            ready=not facts.unready,
            draining=facts.draining,
            http_port=self.http_port,
        )
        streams = [
            shown(rows[duty.stream], duty, stats.get(duty.stream), crew.engine_of(duty.stream))
            for duty in facts.duties
        ]
        with self._lock:
            self._heartbeat, self._rows, self._unready = heartbeat, rows, facts.unready
            self._statuses = tuple(status_of(d, stats.get(d.stream)) for d in facts.duties)
            self._status = WorkerStatus(
                capacity_cores=heartbeat.capacity_cores,
                load_cores=heartbeat.load_cores,
                ready=heartbeat.ready,
                draining=facts.draining,
                redis_up=facts.redis_up,
                waiting_events=facts.waiting_events,
                engines=len(facts.engines),
                engine_deaths=facts.engine_deaths,
                claimed_streams=sum(row.claimed for row in rows.values()),
                quarantined_streams=len(trouble),
                lowered_streams=facts.lowered,
            )
            self._shown = {
                "worker": heartbeat.worker,
                "incarnation": heartbeat.incarnation,
                "pid": heartbeat.pid,
                "ready": heartbeat.ready,
                "unready": facts.unready,
                "draining": facts.draining,
                "capacity_cores": heartbeat.capacity_cores,
                "load_cores": heartbeat.load_cores,
                "waiting_events": facts.waiting_events,
                "engines": [
                    {"engine": number, "pid": pid, "streams": len(crew.members(number))}
                    for number, pid in sorted(facts.engines.items())
                ],
                "streams": streams,
            }

    def beat(self, *, whole: bool) -> Beat | None:
        """The heartbeat of this moment, with the table where it is due; None for a worker whose
        own thread is stuck."""
        now = time.monotonic()
        if now - self._pulse > STUCK_S:
            return None
        with self._lock:
            table = None
            if whole or now - self._told_at >= TABLE_EVERY_S or self._has_news():
                self._serial += 1
                self._told, self._told_at = self._rows, now
                table = StreamTable(self._serial, tuple(self._rows.values()))
            return Beat(replace(self._heartbeat, table_serial=self._serial), table)

    def _has_news(self) -> bool:
        if self._rows.keys() != self._told.keys():
            return True
        return any(is_news(row, self._told[stream]) for stream, row in self._rows.items())

    # For HTTP and metrics

    @property
    def alive(self) -> bool:
        return time.monotonic() - self._pulse < HUNG_S

    @property
    def unready(self) -> str:
        """Why nothing is to be given to this worker; empty where it is ready."""
        return self._unready

    def statuses(self) -> Iterable[StreamStatus]:
        return self._statuses

    def status(self) -> WorkerStatus:
        return self._status

    def show(self) -> Mapping[str, Any]:
        """What `/streams` shows."""
        return self._shown
