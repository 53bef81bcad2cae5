"""HTTPS: a server whose certificate is trusted is read, any other is not."""

from __future__ import annotations

import http.server
import ssl
import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from streammonitor_worker.source import http as client
from streammonitor_worker.synth import Recipe, write_clip
from tests.support.tls import write_certificate
from tests.support.watching import watch


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        """Standard error is not for this."""


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    fields: dict[str, Any] = {"width": 96, "height": 64, "fps": Fraction(25)}
    write_clip(Recipe(duration_s=1.0, **fields), tmp_path / "clip.mp4")
    write_certificate(tmp_path / "server.pem")

    def handler(*args: Any) -> Quiet:
        return Quiet(*args, directory=str(tmp_path))

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients that refuse it
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"https://127.0.0.1:{server.server_port}/clip.mp4"
    server.shutdown()
    thread.join()
    server.server_close()


def test_server_with_a_trusted_certificate_is_read(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trusting = ssl.create_default_context(cafile=str(tmp_path / "server.pem"))
    monkeypatch.setattr(client, "_tls", lambda: trusting)

    watched = watch(url)

    assert len(watched.pictures) == 25
    assert watched.connections == []


def test_server_that_nobody_vouches_for_is_not_read(url: str) -> None:
    watched = watch(url, give_up_after_s=0.5)

    assert watched.packets == []
    assert [connection.up for connection in watched.connections] == [False]
    assert "certificate is not valid" in watched.connections[0].reason
