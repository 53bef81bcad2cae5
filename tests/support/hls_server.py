"""A web server on loopback whose answers a test scripts, and live HLS made of finished segments.

Every path has an answer: bytes, or a function that says what to send. Requests are remembered.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit


@dataclass
class Exchange:
    """A request, and the means to answer it."""

    handler: BaseHTTPRequestHandler
    closing: threading.Event

    @property
    def headers(self) -> Any:
        return self.handler.headers

    @property
    def query(self) -> str:
        return urlsplit(self.handler.path).query

    def send(self, status: int, body: bytes = b"", **headers: str) -> None:
        """An answer of known length."""
        self.start(status, **{"Content_Length": str(len(body)), **headers})
        self.handler.wfile.write(body)

    def send_ranges(self, body: bytes) -> None:
        """A file, or the part of it that is asked for."""
        asked = self.headers.get("Range")
        if not asked:
            self.send(200, body, Accept_Ranges="bytes")
            return
        first, _, last = asked.removeprefix("bytes=").partition("-")
        begin, end = int(first), min(int(last) if last else len(body), len(body) - 1)
        part = body[begin : end + 1]
        self.send(206, part, Content_Range=f"bytes {begin}-{end}/{len(body)}")

    def start(self, status: int, **headers: str) -> None:
        """Only the head; the body is up to the caller."""
        self.handler.send_response(status)
        for name, value in headers.items():
            self.handler.send_header(name.replace("_", "-"), value)
        self.handler.end_headers()

    def write(self, data: bytes) -> None:
        self.handler.wfile.write(data)
        self.handler.wfile.flush()

    def hang_up(self) -> None:
        """End the connection in the middle of whatever it is doing."""
        self.handler.close_connection = True
        self.handler.connection.shutdown(socket.SHUT_RDWR)

    def wait(self, seconds: float) -> None:
        """Stay silent, until the server is closed at the latest."""
        self.closing.wait(seconds)


Answer = bytes | Callable[[Exchange], None]


class ScriptedServer:
    """Answers requests as `routes` says, 404 for the rest. Can go away and come back."""

    def __init__(self) -> None:
        self.routes: dict[str, Answer] = {}
        self.requests: list[str] = []
        self._closing = threading.Event()
        self._server: _Server | None = None
        self._port = 0

    @property
    def connections(self) -> int:
        """How many there have been since it began to serve."""
        return 0 if self._server is None else len(self._server.connections)

    def url(self, path: str = "", user: str = "") -> str:
        return f"http://{user}127.0.0.1:{self._port}/{path}"

    def serve(self) -> None:
        """Begin, or begin again on the same port."""
        self._server = _Server(("127.0.0.1", self._port), self, self._closing)
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def go_away(self) -> None:
        """Cut all connections and refuse new ones."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server.cut()
            self._server = None

    def close(self) -> None:
        self._closing.set()
        self.go_away()


@contextmanager
def scripted_server() -> Iterator[ScriptedServer]:
    server = ScriptedServer()
    server.serve()
    try:
        yield server
    finally:
        server.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(
        self, address: tuple[str, int], script: ScriptedServer, closing: threading.Event
    ) -> None:
        self.script = script
        self.closing = closing
        self.connections: set[socket.socket] = set()
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections.add(request)
        super().process_request(request, client_address)

    def cut(self) -> None:
        for connection in self.connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # closed already

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients leave whenever they like."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        path = urlsplit(self.path).path.lstrip("/")
        self.server.script.requests.append(path)
        exchange = Exchange(self, self.server.closing)
        answer = self.server.script.routes.get(path)
        if answer is None:
            exchange.send(404)
        elif isinstance(answer, bytes):
            exchange.send_ranges(answer)
        else:
            answer(exchange)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        """Keep quiet."""


@dataclass
class LivePlaylist:
    """A live playlist that shows one more segment each time it is asked for.

    segments: names, in order. shown: how many there are at first. window: how many it holds.
    target_s: what it says its segments last. before: lines to put before a segment, by name.
    """

    segments: list[str]
    shown: int = 3
    window: int = 5
    target_s: float = 0.2
    ended: bool = True
    before: dict[str, str] = field(default_factory=dict)
    stalled: bool = False

    def __call__(self, exchange: Exchange) -> None:
        exchange.send(200, self.text().encode())
        if not self.stalled:
            self.shown += 1

    def text(self) -> str:
        count = min(self.shown, len(self.segments))
        first = max(0, count - self.window)
        return playlist(
            self.segments[first:count],
            sequence=first,
            target_s=self.target_s,
            ended=self.ended and self.shown >= len(self.segments),
            before=self.before,
        )


def playlist(
    segments: list[str],
    *,
    sequence: int = 0,
    target_s: float = 1.0,
    ended: bool = True,
    before: dict[str, str] | None = None,
) -> str:
    lines = ["#EXTM3U", f"#EXT-X-TARGETDURATION:{target_s}", f"#EXT-X-MEDIA-SEQUENCE:{sequence}"]
    for name in segments:
        if before and name in before:
            lines.append(before[name])
        lines += [f"#EXTINF:{target_s},", name]
    return "\n".join([*lines, *(["#EXT-X-ENDLIST"] if ended else []), ""])
