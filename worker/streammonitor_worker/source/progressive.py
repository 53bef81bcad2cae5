"""Files on a web server: read with range requests, so that the media library can seek.

An mp4 whose index is at its end is read like one from a disk. From a server that does not give
parts it is read again from the beginning, which is slow but works. A connection that breaks is
made again where it broke; only when the server stays away does the file end early.
"""

from __future__ import annotations

import io
import time

from streammonitor_api.errors import SourceError
from streammonitor_worker.source.backoff import Backoff
from streammonitor_worker.source.http import HttpClient, HttpResponse
from streammonitor_worker.source.lost import LostError, problem_of
from streammonitor_worker.source.reader import Reader
from streammonitor_worker.source.url import redact
from streammonitor_worker.source.waiting import LATE, Waiting

_SKIP = 256 << 10
"""Bytes that are read and dropped rather than asked for anew: half a round trip of 40 ms at
100 Mb/s."""

_HEAD_BYTES = 64 << 10
"""Bytes at the beginning that are kept, because everybody who wants to know what it is reads them
again."""
_BEGINNINGS = 8
"""Times that a file is read again from its beginning, where a server does not give parts: one is
needed to find the index, some more for tables elsewhere."""


class HttpFile(Reader):
    """A file of known length; `response` is the answer that showed it."""

    def __init__(
        self,
        client: HttpClient,
        response: HttpResponse,
        waiting: Waiting,
        patience_s: float,
    ) -> None:
        self._client = client
        self._url = response.url
        self._response: HttpResponse | None = response
        self._at = 0
        """Where the answer goes on."""
        self._position = 0
        """Where the next read is to begin."""
        self._head = bytearray()
        self._length = _length_of(response)
        self._ranges = response.status == 206
        self._beginnings = _BEGINNINGS
        self._waiting = waiting
        self._patience_s = patience_s
        self._furthest = 0

    def read(self, size: int) -> bytes:
        if self._position >= self._length:
            return b""
        backoff = Backoff()
        began = time.monotonic()
        while not self._waiting.stopped:
            try:
                with self._waiting.counted():
                    data = self._read(size)
            except SourceError as error:
                self._forget()
                self._waiting.trouble = problem_of(error)
                patience = time.monotonic() - began < self._patience_s
                if not patience or not self._can_retry(error) or self._waiting.overdue:
                    self.failure = problem_of(error)
                    return b""
                self._waiting.sleep(backoff.next_s())
                continue
            self._waiting.trouble = ""
            self._position += len(data)
            self._furthest = max(self._furthest, self._position)
            return data
        return b""

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._length}[whence]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        return self._position

    @property
    def progress(self) -> float | None:
        return min(1.0, self._furthest / self._length) if self._length else None

    def close(self) -> None:
        self._forget()
        self._client.close()

    def _can_retry(self, error: SourceError) -> bool:
        gone = not isinstance(error, LostError) or error.status in (403, 404, 410, 416)
        return not gone

    def _read(self, size: int) -> bytes:
        if self._position < len(self._head):
            return bytes(self._head[self._position : self._position + size])
        response = self._response
        ahead = self._position - self._at
        if response is None or ahead < 0 or (ahead > _SKIP and self._ranges):
            response = self._ask()
        while self._at < self._position:
            self._at += len(self._receive(response, min(self._position - self._at, _SKIP)))
        data = self._receive(response, size)
        if self._at == len(self._head) < _HEAD_BYTES:
            self._head += data
        self._at += len(data)
        return data

    def _ask(self) -> HttpResponse:
        self._forget()
        if not self._ranges:
            self._beginnings -= 1
            if self._beginnings < 0:
                raise self._useless("the server does not give parts of the file")
        response = self._client.get(self._url, self._position if self._ranges else None)
        self._response = response
        self._at = self._position if response.status == 206 else 0
        return response

    def _receive(self, response: HttpResponse, size: int) -> bytes:
        data = response.read(size)
        if not data or self._waiting.stopped:
            raise LostError(redact(self._url), "the file ended early")
        return data

    def _useless(self, problem: str) -> SourceError:
        return SourceError(f"{redact(self._url)}: {problem}; copy the file", permanent=True)

    def _forget(self) -> None:
        if self._response is not None:
            self._response.close()
            self._response = None


def _length_of(response: HttpResponse) -> int:
    """Bytes of the whole file: RFC 9110, 14.4, where the answer is a part of it."""
    total = response.header("Content-Range").rpartition("/")[2].strip()
    if response.status == 206 and total.isascii() and total.isdigit() and len(total) < 19:
        return int(total)
    return response.length or 0


class HttpLive(Reader):
    """An answer without an end: a live stream."""

    def __init__(self, client: HttpClient, response: HttpResponse, waiting: Waiting) -> None:
        self._client = client
        self._response = response
        self._waiting = waiting

    def read(self, size: int) -> bytes:
        if self._waiting.stopped:
            return b""
        if self._waiting.overdue:
            self.failure = LATE
            return b""
        try:
            with self._waiting.counted():
                return self._response.read(size)
        except LostError as error:
            self.failure = error.problem
            return b""

    def close(self) -> None:
        self._response.close()
        self._client.close()
