"""A small HTTP server for files of media, on loopback, that can be made to fail on purpose.

It does what origins of video do: ranges of bytes, connections kept open, no caching. It can go
away, so that connections are refused, and come back on the same port; and a function may answer
some requests in its own way. `live.py` serves its playlists with it, tests serve finished files.
"""

from __future__ import annotations

import re
import socket
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any
from urllib.parse import unquote, urlsplit

from streammonitor_api.errors import InputError

_TYPES = {
    ".m3u8": "application/vnd.apple.mpegurl",
    ".ts": "video/mp2t",
    ".m4s": "video/iso.segment",
    ".mp4": "video/mp4",
    ".mkv": "video/x-matroska",
    ".webm": "video/webm",
}
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_POLL_S = 0.05
"""How often the accepting thread looks whether it should end."""
_IDLE_S = 30.0
"""How long a connection is kept without a request; common defaults are 15 to 75 s."""


@dataclass(frozen=True)
class Answer:
    """What to say instead of the file's content."""

    status: HTTPStatus = HTTPStatus.OK
    body: bytes = b""


Answerer = Callable[[PurePosixPath], Answer | None]
"""From a path (relative, without `..`) to an answer; None for the file of that path."""


def answer_nothing(_: PurePosixPath) -> Answer | None:
    """Leave all requests to the files."""
    return None


class FileServer:
    """Serves a directory. Start it with `come_back`, or as a context manager."""

    def __init__(
        self,
        directory: Path,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        answer: Answerer = answer_nothing,
    ) -> None:
        self._directory = directory
        self._host = host
        self._port = port
        self._answer = answer
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self._place: socket.socket | None = None
        """Holds the port while it is away: bound but not listening, so connections are refused."""

    @property
    def url(self) -> str:
        """Where the directory is, with a slash at its end; known once it was started."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}/"

    def come_back(self) -> None:
        """Listen; from the second time on, at the same port as before.

        Raises InputError where the address cannot be listened to.
        """
        if self._server is not None:
            return
        try:
            if self._place is None and self._port:
                _check_free(self._host, self._port)
            self._server = _Server((self._host, self._port), self._directory, self._answer)
        except (OSError, OverflowError) as error:
            raise InputError(
                f"{self._host}:{self._port}: cannot listen there ({error}); choose another address"
            ) from error
        self._port = self._server.server_port
        if self._place is None:
            self._place = socket.socket(self._server.address_family, socket.SOCK_STREAM)
            self._place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            self._place.bind(self._server.server_address[:2])
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_POLL_S,), name="origin", daemon=True
        )
        self._thread.start()

    def go_away(self) -> None:
        """Close all connections and refuse new ones; returns when that is so."""
        if self._server is None or self._thread is None:
            return
        self._server.shutdown()
        self._thread.join()
        self._server.cut_connections()
        self._server.server_close()
        self._server = self._thread = None

    def close(self) -> None:
        """Go away for good."""
        self.go_away()
        if self._place is not None:
            self._place.close()
            self._place = None

    def __enter__(self) -> FileServer:
        self.come_back()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _check_free(host: str, port: int) -> None:
    """Raise OSError where somebody listens there already: who shares a port is not told."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
        probe.listen(1)


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # `server_close` waits for them
    allow_reuse_port = True  # with whoever holds the port while this is away

    def __init__(self, address: tuple[str, int], directory: Path, answer: Answerer) -> None:
        self.directory = directory
        self.answer = answer
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def cut_connections(self) -> None:
        """End all connections, whatever they are doing."""
        with self._lock:
            for connection in self._connections:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue  # the client was quicker

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that left and of connections that were cut."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_S

    def do_GET(self) -> None:
        self._reply(with_body=True)

    def do_HEAD(self) -> None:
        self._reply(with_body=False)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base's name
        """Keep quiet: standard error belongs to whoever uses the server."""

    def _reply(self, *, with_body: bool) -> None:
        path = PurePosixPath(unquote(urlsplit(self.path).path).lstrip("/"))
        answer = None if ".." in path.parts else self.server.answer(path) or self._file(path)
        if answer is None:
            answer = Answer(HTTPStatus.NOT_FOUND)
        status, body = answer.status, answer.body
        extra: dict[str, str] = {}
        asked = _RANGE.fullmatch(self.headers.get("Range", ""))
        if status == HTTPStatus.OK and asked:
            status, body, extra = _part(body, asked[1], asked[2])
        self.send_response(status)
        self.send_header("Content-Type", _TYPES.get(path.suffix, "application/octet-stream"))
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Cache-Control", "no-cache")
        for name, value in extra.items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def _file(self, path: PurePosixPath) -> Answer | None:
        try:
            return Answer(body=(self.server.directory / path).read_bytes())
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return None


def _part(body: bytes, first: str, last: str) -> tuple[HTTPStatus, bytes, dict[str, str]]:
    """Cut out the bytes asked for: RFC 9110, 14.1.2."""
    size = len(body)
    if first:
        start, end = int(first), min(int(last) if last else size - 1, size - 1)
    else:
        start, end = max(0, size - int(last or 0)), size - 1
    if start > end:
        return HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, b"", {"Content-Range": f"bytes */{size}"}
    extra = {"Content-Range": f"bytes {start}-{end}/{size}"}
    return HTTPStatus.PARTIAL_CONTENT, body[start : end + 1], extra
