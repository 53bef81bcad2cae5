"""The process of an engine: `python -m streammonitor_worker.engine FD`.

It ends with its supervisor, however that dies: the kernel kills it with the thread that started
it, and where that is not to be had it sees the end of its socket. The main thread takes orders,
ticks the streams and tells how they are; each stream is a thread. A crash writes the thread that
it happened in to standard error, and the supervisor was told whose that is.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import logging
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from functools import partial

from streammonitor_worker.engine.hosted import Hosted
from streammonitor_worker.engine.messages import (
    ClockOrder,
    Ended,
    EndOrder,
    LimitOrder,
    Order,
    OwnOrder,
    Ready,
    Report,
    Stats,
    StreamOrder,
    WatchOrder,
    read_order,
    write_report,
)
from streammonitor_worker.fleetclock import FleetClock

logger = logging.getLogger(__name__)

TICK_S = 0.1
"""How often streams are looked at from outside: the precision of alarms that only the clock can
raise."""
STATS_S = 0.5
"""How often it tells how streams are: the interval of heartbeats."""
_PR_SET_PDEATHSIG = 1
_CHUNK = 1 << 16


class Engine:
    """Streams, and the socket to the supervisor."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._sending = threading.Lock()
        self._streams: dict[str, Hosted] = {}
        self._clock = FleetClock()

    def run(self) -> None:
        """Do as ordered until the supervisor is gone."""
        self._send(Ready())
        rest = b""
        next_tick = next_stats = time.monotonic()
        while True:
            wait_s = max(0.0, next_tick - time.monotonic())
            if select.select([self._connection], [], [], wait_s)[0]:
                data = self._connection.recv(_CHUNK)
                if not data:
                    return
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    self._obey(read_order(line))
            now = time.monotonic()
            if now >= next_tick:
                next_tick = max(next_tick + TICK_S, now)
                for hosted in list(self._streams.values()):
                    self._guarded(hosted.stream, partial(hosted.tick, now))
            if now >= next_stats:
                next_stats = max(next_stats + STATS_S, now)
                self._send(Stats(tuple(one.stats(now) for one in self._streams.values())))

    def _obey(self, order: Order) -> None:
        if isinstance(order, ClockOrder):
            self._clock.offset_s = order.offset_s
        else:
            self._guarded(order.stream, partial(self._follow, order))

    def _follow(self, order: StreamOrder) -> None:
        hosted = self._streams.get(order.stream)
        match order:
            case WatchOrder():
                if hosted is None:
                    self._streams[order.stream] = Hosted(order, self._send, self._clock.wall)
                else:
                    hosted.change(order)
            case EndOrder():
                self._streams.pop(order.stream, None)
                if hosted is None:
                    self._send(Ended(order.stream))
                else:
                    hosted.end(order.cancelled)
            case OwnOrder() if hosted is not None:
                hosted.own(order)
            case LimitOrder() if hosted is not None:
                hosted.limit(order.fidelity)

    def _guarded(self, stream: str, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception:  # a bug with one stream may not end the others
            logger.exception("%s: internal error; please report it", stream)

    def _send(self, report: Report) -> None:
        line = write_report(report)
        with self._sending:
            try:
                self._connection.sendall(line)
            except OSError:  # the supervisor is gone, and so are we
                os._exit(0)


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent dies; at once if that is so already."""
    with contextlib.suppress(OSError, AttributeError):  # no Linux: the socket's end remains
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)


def run_process(arguments: list[str]) -> None:
    """Be an engine: FD is the socket to the supervisor, PARENT the supervisor's process."""
    descriptor, parent = int(arguments[0]), int(arguments[1])
    die_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to the whole group
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # whoever stops us closes the socket
    faulthandler.enable(sys.stderr, all_threads=True)
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    with socket.socket(fileno=descriptor) as connection:
        Engine(connection).run()
    os._exit(0)  # threads may block in a resolver or a media library
