"""A stream of bytes over TCP, mostly an MPEG transport stream."""

from __future__ import annotations

from streammonitor_worker.source.dial import Connected
from streammonitor_worker.source.reader import Reader
from streammonitor_worker.source.waiting import LATE, Waiting


class TcpReader(Reader):
    def __init__(self, connected: Connected, waiting: Waiting) -> None:
        self._connected = connected
        self._waiting = waiting

    def read(self, size: int) -> bytes:
        if self._waiting.stopped:
            return b""
        if self._waiting.overdue:
            self.failure = LATE
            return b""
        try:
            with self._waiting.counted():
                data = self._connected.socket.recv(size)
            if not data and self._waiting.overdue:
                self.failure = LATE
            return data
        except TimeoutError:
            self.failure = "nothing comes any more"
        except OSError as error:
            self.failure = f"the connection broke ({(error.strerror or str(error)).lower()})"
        return b""

    def close(self) -> None:
        self._connected.close()
        self._connected.socket.close()
