"""An engine process of a simulated worker: it takes the orders that a real one takes, and reports.

Stands where `supervisor.engines.EngineProcess` stands. Each stream is a `SimPipeline`, looked at
only when something can change there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from streammonitor_worker.engine.messages import (
    ClockOrder,
    Ended,
    EndOrder,
    LimitOrder,
    Order,
    OwnOrder,
    Ready,
    Report,
    Seen,
    Stats,
    StreamStats,
    Told,
    WatchOrder,
)
from streammonitor_worker.fleetclock import FleetClock
from streammonitor_worker.supervisor.engines import Died
from tests.support.fleet_sim.clock import Timer
from tests.support.fleet_sim.ledger import Ledger
from tests.support.fleet_sim.machine import Process
from tests.support.fleet_sim.pipeline import PLAYLIST_S, Opening, SimPipeline
from tests.support.fleet_sim.world import World

STARTING_S = 0.4
"""Before an engine that was started can decode."""
OPENING_S = (0.2, 2.0)
BEHIND_S = (2.0, 9.0)
LATE_S = (0.1, 1.0)
ENDING_S = 0.05

Tell = Callable[[Report | Died], None]


@dataclass(slots=True)
class _Seat:
    pipeline: SimPipeline
    timer: Timer | None = None
    watched: bool = False


class SimEngine:
    """One engine. `tell` takes its reports; nothing is told once it is dead."""

    def __init__(
        self,
        number: int,
        pid: int,
        process: Process,
        world: World,
        ledger: Ledger,
        random: Random,
        tell: Tell,
    ) -> None:
        self.number = number
        self.pid = pid
        self.opens_from = 0.0
        """Until then it cannot open anything: no way to the sources."""
        self._process = process
        self._world = world
        self._ledger = ledger
        self._random = random
        self._tell = tell
        self._seats: dict[str, _Seat] = {}
        self._clock = FleetClock()
        self._alive = True
        self._ready_at = process.time.now + STARTING_S
        process.at(self._ready_at, lambda: self._report(Ready()))

    @property
    def streams(self) -> list[str]:
        """What it has, watching or not."""
        return list(self._seats)

    def watching(self, stream: str) -> bool:
        seat = self._seats.get(stream)
        return seat is not None and seat.pipeline.watching

    # ---- what the supervisor calls ----

    def send(self, order: Order) -> None:
        if isinstance(order, ClockOrder):
            self._clock.offset_s = order.offset_s
            return
        seat = self._seats.get(order.stream)
        match order:
            case WatchOrder() if seat is None:
                self._open(order.stream, order.join_s)
            case OwnOrder() if seat is not None:
                seat.pipeline.own(order.left_open, order.closed)
                self._plan(order.stream)
            case EndOrder():
                self._end(order)
            case WatchOrder() | OwnOrder() | LimitOrder():
                pass

    def stop(self) -> None:
        """End without a word, as the supervisor wants or because its machine is gone."""
        self._alive = False
        for stream in list(self._seats):
            self._forget(stream)

    def kill(self) -> None:
        self.die()

    def die(self) -> None:
        """Crash, in the middle of whatever it was doing."""
        was_ready = self._process.time.now >= self._ready_at
        self.stop()
        self._tell(Died("killed by SIGKILL", None, was_ready))

    # ---- inside ----

    def _open(self, stream: str, join_s: float) -> None:
        random, now = self._random, self._process.time.now
        begins = max(self.opens_from, self._ready_at, now)
        opening = Opening(
            begins - now + random.uniform(*OPENING_S),
            min(PLAYLIST_S, max(random.uniform(*BEHIND_S), join_s)),
            random.uniform(*LATE_S),
        )
        pipeline = SimPipeline(
            self._world,
            self._ledger,
            self._process.clock,
            stream,
            self._process.name,
            opening,
            lambda event: self._report(Told(stream, event)),
            held=True,
            wall=self._wall,
        )
        self._seats[stream] = _Seat(pipeline)
        self._plan(stream)

    def _end(self, order: EndOrder) -> None:
        seat = self._seats.get(order.stream)
        if seat is not None and order.cancelled is not None:
            seat.pipeline.cancel(order.cancelled)
        self._forget(order.stream)
        after = self._process.time.now + ENDING_S
        self._process.at(after, lambda: self._report(Ended(order.stream)))

    def _forget(self, stream: str) -> None:
        seat = self._seats.pop(stream, None)
        if seat is not None and seat.timer is not None:
            seat.timer.cancel()

    def _plan(self, stream: str) -> None:
        seat = self._seats[stream]
        if seat.timer is not None:
            seat.timer.cancel()
        at = seat.pipeline.next_at()
        if at < float("inf"):
            seat.timer = self._process.at(at, lambda: self._advance(stream, seat))

    def _advance(self, stream: str, seat: _Seat) -> None:
        if self._seats.get(stream) is not seat:
            return
        seat.pipeline.advance()
        if seat.pipeline.watching and not seat.watched:
            seat.watched = True
            self._report(Stats((self._stats(stream, seat.pipeline),)))
            self._report(Seen(stream))
        if self._seats.get(stream) is seat:
            self._plan(stream)

    def _stats(self, stream: str, pipeline: SimPipeline) -> StreamStats:
        wall = self._wall() - self._process.time.now + pipeline.spans_end
        cores = self._world.weights.get(stream, 0.1)
        return StreamStats(stream=stream, state="watching", cores=cores, last_media=wall)

    def _wall(self) -> float:
        """What a real engine takes for the time of day."""
        offset_s, machine = self._clock.offset_s, self._process.clock
        return machine.wall() if offset_s is None else machine.monotonic() + offset_s

    def _report(self, report: Report) -> None:
        if self._alive:
            self._tell(report)
