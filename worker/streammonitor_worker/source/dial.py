"""Opens TCP connections that can be given up at any time.

Neither the resolver nor `connect` of the system can be interrupted, so the one is asked from a
thread that is left behind if need be, and the other does not block.
"""

from __future__ import annotations

import contextlib
import errno
import os
import queue
import select
import socket
import threading
import time
from typing import Any

from streammonitor_worker.source.lost import LostError
from streammonitor_worker.source.waiting import SLICE_S, Waiting

CONNECT_S = 10.0
"""For resolving and connecting: the resolver's own limit is 5 s a server, SYN is sent again after
1, 3 and 7 s."""
SILENCE_S = 10.0
"""A connection on which nothing comes for this long is given up: the alarm duration that
operators of live streams choose (AWS MediaLive), four segments of 2.5 s."""

_Addresses = list[tuple[Any, Any, int, str, Any]]


class Connected:
    """A TCP connection that `waiting.stop()` shuts down, under whatever is layered upon it."""

    def __init__(self, plain: socket.socket, waiting: Waiting) -> None:
        self.socket = plain
        self._waiting = waiting
        # A descriptor of its own: the other may be closed, and its number used again, meanwhile.
        self._handle = plain.dup()
        waiting.on_stop(self.shut_down)

    def close(self) -> None:
        """Let go of the connection; the socket itself is closed by whoever uses it."""
        self._waiting.forget(self.shut_down)
        self._handle.close()

    def shut_down(self) -> None:
        """End whatever is waiting for it."""
        with contextlib.suppress(OSError):  # the other side was faster
            self._handle.shutdown(socket.SHUT_RDWR)


def dial(host: str, port: int, where: str, waiting: Waiting) -> Connected:
    """Connect to the first address of a host that answers.

    Raises LostError, naming `where`.
    """
    until = time.monotonic() + CONNECT_S
    if waiting.deadline is not None:
        until = min(until, waiting.deadline)
    problem = "it has no address"
    for family, kind, protocol, _, address in _resolve(host, port, where, waiting, until):
        with contextlib.ExitStack() as unused:
            connection = unused.enter_context(socket.socket(family, kind, protocol))
            problem = _connect(connection, address, waiting, until)
            if not problem:
                connection.settimeout(SILENCE_S)
                unused.pop_all()
                return Connected(connection, waiting)
    raise LostError(where, f"cannot connect to {host}:{port} ({problem})")


def _resolve(host: str, port: int, where: str, waiting: Waiting, until: float) -> _Addresses:
    answers: queue.SimpleQueue[_Addresses | OSError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            answers.put(error if isinstance(error, OSError) else OSError(str(error)))

    threading.Thread(target=ask, name=f"resolve {host}", daemon=True).start()
    while True:
        with contextlib.suppress(queue.Empty):
            answer = answers.get(timeout=SLICE_S)
            break
        if waiting.stopped or time.monotonic() >= until:
            raise LostError(where, f"cannot resolve {host} (no answer)", "check the name")
    if isinstance(answer, OSError):
        reason = answer.strerror or str(answer)
        raise LostError(where, f"cannot resolve {host} ({reason.lower()})", "check the name")
    return answer


def _connect(connection: socket.socket, address: Any, waiting: Waiting, until: float) -> str:
    """Connect; what went wrong, or nothing."""
    connection.setblocking(False)
    code = connection.connect_ex(address)
    if code == errno.EINPROGRESS:
        if not wait_for(connection, select.POLLOUT, waiting, until):
            return "stopped" if waiting.stopped else "timed out"
        code = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    return os.strerror(code).lower() if code else ""


def wait_for(connection: socket.socket, event: int, waiting: Waiting, until: float) -> bool:
    """Wait until a socket is ready; whether it is."""
    poll = select.poll()
    poll.register(connection, event)
    while not waiting.stopped:
        left = until - time.monotonic()
        if left <= 0:
            return False
        if poll.poll(min(left, SLICE_S) * 1000):
            return True
    return False
