"""A connection to a web server that can be given up at any time, whatever it is waiting for."""

from __future__ import annotations

import http.client
import ssl
import threading

from streammonitor_worker.source.dial import Connected, dial
from streammonitor_worker.source.waiting import Waiting

HEAD_S = 15.0
"""For connecting and the head of an answer, so that one that comes drop by drop ends too."""


class HttpConnection(http.client.HTTPConnection):
    """A connection to one server that can be stopped; with TLS where a context is given."""

    def __init__(
        self, host: str, port: int, where: str, waiting: Waiting, context: ssl.SSLContext | None
    ) -> None:
        super().__init__(host, port)
        self.where = where
        self._waiting = waiting
        self._context = context
        self._connected: Connected | None = None
        self.was_late = False
        """Whether the head of an answer was cut off, which reads like its end."""

    def connect(self) -> None:
        self._connected = dial(self.host, self.port, self.where, self._waiting)
        self.sock = self._connected.socket
        if self._context is not None:
            self.sock = self._context.wrap_socket(self.sock, server_hostname=self.host)

    def release(self) -> None:
        """Let go of it for good.

        Not in `close`, which the base class calls as soon as the server says that this answer is
        its last: the answer itself is still to be read, and stopped.
        """
        self.close()
        if self._connected is not None:
            self._connected.close()
            self._connected = None

    def shut_down_if_late(self) -> threading.Timer:
        """Make sure that the head of an answer does not come drop by drop; cancel it in time."""
        timer = threading.Timer(HEAD_S, self._shut_down)
        timer.daemon = True
        timer.start()
        return timer

    def _shut_down(self) -> None:
        self.was_late = True
        if self._connected is not None:
            self._connected.shut_down()
