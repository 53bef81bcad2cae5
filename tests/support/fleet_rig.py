"""The operator's loop and toy workers on a real Redis, with a clock that the test moves.

The scripts read the time from a key instead of from Redis, and nothing sleeps: a minute of the
fleet takes as long as its calls. A toy worker keeps the contract and decodes nothing: it opens
what it is given after `opening_s`, watches it for the overlap, and claims.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

import redis

from streammonitor_api.errors import FencedError, LostError, UnavailableError
from streammonitor_api.fleet.records import (
    TABLE_EVERY_S,
    Assignment,
    Heartbeat,
    StreamRow,
    StreamSpec,
    StreamState,
    StreamTable,
)
from streammonitor_api.fleet.scripts import Scripts
from streammonitor_api.fleet.store import OperatorStore, ReaderStore, WorkerStore
from streammonitor_api.incident import wall_time
from streammonitor_api.names import (
    FleetName,
    StreamKey,
    WorkerId,
    new_incarnation,
    stream_key,
)
from streammonitor_operator.inventory import Inventory, Monitor, MonitorKey
from streammonitor_operator.reconcile import Mode, Outcome, Reconciler
from streammonitor_operator.reporting import Update
from tests.support.redis_server import RedisServer

CLOCK = "clock-of-the-test"
PREAMBLE = f"local function now_ms() return tonumber(redis.call('GET', '{CLOCK}')) end\n"
BEGIN_S = 1_800_000_000.0
_numbers = count()


@dataclass
class ToyWorker:
    """A worker that watches what it is given."""

    rig: FleetRig
    name: str
    capacity_cores: float = 4.0
    opening_s: float = 0.25
    weight_cores: float = 0.2
    ready: bool = True
    draining: bool = False
    paused: bool = False
    dead: bool = False
    broken: Callable[[StreamKey], StreamState | None] = lambda _: None
    """What is wrong with a stream here, if anything is: the state it stays in."""
    frozen: bool = False
    """It goes on as if it watched, and has no new pictures."""
    has: dict[StreamKey, Assignment] = field(default_factory=dict)
    claims: dict[StreamKey, int] = field(default_factory=dict)
    opened: dict[StreamKey, float] = field(default_factory=dict)
    opens: int = 0
    """How many streams it opened since it began."""

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Begin anew, as another incarnation that has nothing."""
        self.store = WorkerStore(
            self.rig.scripts, self.rig.name, WorkerId(self.name), new_incarnation()
        )
        self.has, self.claims, self.opened = {}, {}, {}
        self._serial = self._beats = 0
        self._revision = 0
        self._told_at = 0.0
        self._unclaimed: set[StreamKey] = set()
        self._rows: tuple[StreamRow, ...] | None = None
        self.dead = self.paused = self.draining = False

    def kill(self) -> None:
        self.dead = True

    @property
    def watched(self) -> set[StreamKey]:
        """Streams that it decodes and tells of."""
        if self.dead or self.paused:
            return set()
        return {one for one in self.claims if self._state(one) == "watching"}

    def beat(self) -> None:
        if self.dead or self.paused:
            return
        try:
            self._advance()
            self._send()
        except UnavailableError:
            return
        except FencedError:
            self.dead = True

    def _advance(self) -> None:
        for stream, assignment in list(self.has.items()):
            since = self.opened[stream] + self.opening_s
            waits = assignment.overlap_s > 0
            if waits and (self._state(stream) != "watching" or self.rig.now < since):
                continue
            if self.claims.get(stream) == assignment.epoch:
                continue
            if not waits or self.rig.now - since >= assignment.overlap_s:
                self._claim(stream, assignment)

    def _claim(self, stream: StreamKey, assignment: Assignment, *, again: bool = False) -> None:
        try:
            self.store.claim(stream, assignment.epoch, again=again)
        except LostError:
            self._unclaimed |= {stream} if again else set()
        except FencedError:
            self._end(stream)
        else:
            self.claims[stream] = assignment.epoch

    def _end(self, stream: StreamKey) -> None:
        for kept in (self.has, self.claims, self.opened):
            kept.pop(stream, None)

    def _send(self) -> None:
        rows = tuple(self._row(stream) for stream in sorted(self.has))
        changed = rows != self._rows or self.rig.now - self._told_at >= TABLE_EVERY_S
        self._told_at = self.rig.now if changed else self._told_at
        self._serial += changed
        self._rows = rows
        heartbeat = Heartbeat(
            worker=self.store.worker,
            incarnation=self.store.incarnation,
            capacity_cores=self.capacity_cores,
            ready=self.ready and not self.draining,
            draining=self.draining,
            streams=len(rows),
            table_serial=self._serial,
        )
        table = StreamTable(self._serial, rows) if changed else None
        answer = self.store.beat(heartbeat, table, serial=self._beats)
        self._beats += 1
        unclaimed, self._unclaimed = self._unclaimed, set()
        for stream in unclaimed & self.claims.keys():
            self._claim_again(stream, self.claims[stream])
        if answer.lost:
            self._rows = None
            for stream, epoch in list(self.claims.items()):
                self._claim_again(stream, epoch)
        if answer.revision not in (0, self._revision):
            self._read()
            self._advance()

    def _claim_again(self, stream: StreamKey, epoch: int) -> None:
        assignment = self.has.get(stream)
        if assignment is not None and assignment.epoch == epoch:
            self._claim(stream, assignment, again=True)

    def _read(self) -> None:
        assignments = self.store.read_assignments()
        self._revision = assignments.revision
        for stream in set(self.has) - set(assignments.by_stream):
            self._end(stream)
        for stream, assignment in assignments.by_stream.items():
            if stream not in self.has:
                self.opened[stream] = self.rig.now
                self.opens += 1
            self.has[stream] = assignment

    def _state(self, stream: StreamKey) -> StreamState:
        wrong = self.broken(stream)
        if wrong is not None:
            return wrong
        opened = self.rig.now - self.opened[stream] >= self.opening_s
        return "watching" if opened else "opening"

    def _row(self, stream: StreamKey) -> StreamRow:
        state, assignment = self._state(stream), self.has[stream]
        return StreamRow(
            stream=stream,
            epoch=assignment.epoch,
            state=state,
            claimed=self.claims.get(stream) == assignment.epoch,
            weight_cores=self.weight_cores if state == "watching" else None,
            last_picture_wall=wall_time(0 if self.frozen else int(self.rig.now / 5) * 5.0),
            spec_revision=assignment.spec_revision,
        )


class FleetRig:
    """A fleet: `run` lets time pass, `operator` is the loop's body."""

    def __init__(self, server: RedisServer) -> None:
        self.server = server
        self.scripts = Scripts(server.client(), server.url, PREAMBLE)
        self.name = FleetName(f"rig-{next(_numbers)}")
        self.now = BEGIN_S
        self.inventory = Inventory()
        self.store = OperatorStore(self.scripts, self.name)
        self.reader = ReaderStore(self.scripts, self.name)
        self.workers: dict[str, ToyWorker] = {}
        self.updates: list[Update] = []
        self.steps = 0
        self.step_s = self.step_cpu_s = 0.0
        """What the cycles took: wall clock, and CPU."""
        self.operator = self.new_operator()
        self._set_clock()

    def new_operator(self, name: str = "operator-0") -> Reconciler:
        return Reconciler(self.inventory, self.store, self.reader, identity="test", name=name)

    def restart_operator(self, inventory: Inventory | None = None) -> None:
        """End the operator without a word, and start another."""
        if inventory is not None:
            self.inventory = inventory
        self.operator = self.new_operator()

    def start(self, *workers: str, **fields: float) -> list[ToyWorker]:
        started = [ToyWorker(self, name, **fields) for name in workers]  # type: ignore[arg-type]
        self.workers.update({one.name: one for one in started})
        return started

    def apply(self, *monitors: Monitor) -> None:
        for monitor in monitors:
            self.inventory.put_monitor(monitor)
        self.inventory.complete()

    def run(self, seconds: float) -> None:
        """Let time pass: a heartbeat each 0.5 s, cycles as the loop asks for them."""
        end = self.now + seconds
        beat_at = step_at = self.now
        while self.now < end:
            if self.now >= beat_at:
                for worker in self.workers.values():
                    worker.beat()
                beat_at = self.now + 0.5
            if self.now >= step_at:
                step_at = self.now + self.step().again_s
            self.now = min(end, beat_at, max(step_at, self.now + 0.01))
            self._set_clock()

    def until(self, condition: Callable[[], bool], within_s: float = 60.0) -> float:
        """Let time pass until something holds; returns how long that took."""
        began = self.now
        while not condition():
            assert self.now - began < within_s, f"not so within {within_s} s"
            self.run(0.25)
        return self.now - began

    def step(self) -> Outcome:
        began, cpu = time.perf_counter(), time.process_time()
        outcome = self.operator.step(self.now)
        self.steps += 1
        self.step_s += time.perf_counter() - began
        self.step_cpu_s += time.process_time() - cpu
        self.updates += outcome.updates
        return outcome

    def flush(self) -> None:
        """Redis loses all that it has of this fleet."""
        client = self.scripts.client
        for key in list(client.scan_iter(f"{self.store.keys.prefix}*")):
            client.delete(key)

    def watchers(self, stream: StreamKey) -> list[str]:
        """Who watches a stream and holds its claim."""
        claim = self.store.read_claims().get(stream)
        return [
            worker.name
            for worker in self.workers.values()
            if stream in worker.watched and claim is not None and claim.worker == worker.name
        ]

    def owners(self) -> dict[StreamKey, str | None]:
        ledger = self.operator.state.ledger
        return {one: ledger[one].owner for one in ledger}

    def all_watched(self) -> bool:
        watched = {one for worker in self.workers.values() for one in worker.watched}
        return self.operator.mode is Mode.RUNNING and set(self.inventory.streams) <= watched

    def _set_clock(self) -> None:
        try:
            self.scripts.client.set(CLOCK, round(self.now * 1000))
        except redis.RedisError:
            return  # it is away in this test, and its clock with it


def a_monitor(
    name: str = "sports",
    streams: int = 3,
    *,
    generation: int = 1,
    priority: int = 0,
    overlap_s: float = 2.0,
    suspended: bool = False,
    url: str = "http://origin/{}.m3u8",
) -> Monitor:
    specs = tuple(
        StreamSpec(
            stream=stream_key("prod", name, f"ch{number}"),
            url=url.format(number),
            detectors=(),
            priority=priority,
            overlap_s=overlap_s,
            generation=generation,
        )
        for number in range(streams)
    )
    return Monitor(MonitorKey(f"prod/{name}"), generation, specs, suspended)
