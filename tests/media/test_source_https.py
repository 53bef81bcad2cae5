"""HTTPS: a server whose certificate is trusted is read, any other is not."""

from __future__ import annotations

import datetime
import http.server
import ipaddress
import ssl
import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from streammonitor_worker.source import http as client
from streammonitor_worker.synth import Recipe, write_clip
from tests.support.watching import watch

x509 = pytest.importorskip("cryptography.x509")


def write_certificate(path: Path) -> None:
    """A key and a certificate for 127.0.0.1, signed by itself."""
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))


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
