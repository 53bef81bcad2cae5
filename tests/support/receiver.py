"""An HTTP server on loopback that takes notifications; a function decides what it answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any


@dataclass(frozen=True)
class Request:
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Response:
    status: int = 200
    headers: Mapping[str, str] | None = None


Answer = Callable[[Request], Response]


class Receiver:
    """Answers 200 unless told otherwise. Everything that came is in `requests`."""

    def __init__(self, answer: Answer = lambda request: Response()) -> None:
        self.answer = answer
        self.requests: list[Request] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                request = Request(self.path, dict(self.headers.items()), body)
                receiver.requests.append(request)
                response = receiver.answer(request)
                self.send_response(response.status)
                for name, value in (response.headers or {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Receiver:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def ids(self) -> list[str]:
        """The ids of the CloudEvents that came, in their order."""
        return [str(request.json["id"]) for request in self.requests]


def check_cloudevent(request: Request) -> None:
    """What CloudEvents 1.0.2 and its JSON format and HTTP binding demand of structured mode."""
    content_type = request.headers["Content-Type"]
    assert content_type.split(";")[0].strip() == "application/cloudevents+json"
    envelope = json.loads(request.body.decode("utf-8"))
    assert envelope["specversion"] == "1.0"
    for name in ("id", "source", "type"):
        assert isinstance(envelope[name], str)
        assert envelope[name]
    for name in envelope:  # spec, "Naming Conventions"
        assert name == name.lower()
        assert name.isalnum()
        assert len(name) <= 20
    for name, value in envelope.items():  # extensions and attributes are scalars
        if name != "data":
            assert isinstance(value, str | int | bool)
    _check_time(envelope["time"])
    assert " " not in envelope["source"]  # a URI-reference, RFC 3986
    assert envelope["datacontenttype"] == "application/json"
    assert isinstance(envelope["data"], dict)  # JSON data stands there as it is, not as a text
    assert "data_base64" not in envelope


def _check_time(text: str) -> None:
    assert "T" in text
    assert datetime.fromisoformat(text).tzinfo is not None  # RFC 3339 has an offset
