"""A worker over HTTP: whether it lives, whether it takes streams, what it is doing.

    /healthz   200 while it is alive; 503: restart it
    /readyz    200 while it may be given streams; 503 with the reason while it drains, has not
               reached Redis yet or cannot decode
    /metrics   for Prometheus
    /streams   JSON: the worker, its engines, its streams

On the standard library's server: a few requests a minute.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol
from urllib.parse import urlsplit

from streammonitor_api.errors import InputError

_TEXT = "text/plain; charset=utf-8"
_METRICS = "text/plain; version=0.0.4; charset=utf-8"


class Served(Protocol):
    """What is told of the worker; asked from threads of the server."""

    @property
    def alive(self) -> bool: ...

    @property
    def unready(self) -> str:
        """Why nothing is to be given to it; empty where it is ready."""

    def show(self) -> Mapping[str, Any]:
        """What `/streams` shows."""


class HttpServer:
    """Serves until it is closed. `metrics` gives what `/metrics` shows.

    Raises InputError where the address cannot be listened to.
    """

    def __init__(
        self, address: tuple[str, int], served: Served, metrics: Callable[[], bytes]
    ) -> None:
        host, port = address
        handler = type("Handler", (_Handler,), {"served": served, "metrics": staticmethod(metrics)})
        try:
            self._server = _Server((host, port), handler)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise InputError(f"--listen {host}:{port}: {reason}; choose another address") from None
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, name="http", daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        if ":" in address[0]:
            import socket

            self.address_family = socket.AF_INET6
        super().__init__(address, handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that leave are no news."""


class _Handler(BaseHTTPRequestHandler):
    served: Served
    metrics: Callable[[], bytes]
    protocol_version = "HTTP/1.1"
    timeout = 10

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path == "/healthz":
            alive = self.served.alive
            self._say("alive\n" if alive else "its own thread hangs\n", ok=alive)
        elif path == "/readyz":
            why = self.served.unready
            self._say(f"{why or 'ready'}\n", ok=not why)
        elif path == "/metrics":
            self._reply(HTTPStatus.OK, _METRICS, self.metrics())
        elif path == "/streams":
            text = json.dumps(self.served.show(), ensure_ascii=False)
            self._reply(HTTPStatus.OK, "application/json", text.encode("utf-8", "replace"))
        else:
            known = "there are /healthz, /readyz, /metrics and /streams\n"
            self._reply(HTTPStatus.NOT_FOUND, _TEXT, known.encode())

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base's name
        """Probes are no news."""

    def _say(self, text: str, *, ok: bool) -> None:
        status = HTTPStatus.OK if ok else HTTPStatus.SERVICE_UNAVAILABLE
        self._reply(status, _TEXT, text.encode("utf-8", "replace"))

    def _reply(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)
