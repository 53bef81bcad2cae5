"""An RTSP server of one stream, as small as FFmpeg's client puts up with.

Gives an MPEG transport stream in RTP packets that are interleaved with the requests on one TCP
connection (RFC 2326, 10.12; payload type 33 of RFC 3551). Meant for tests on loopback.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

PACKETS_EACH = 7
CLOCK = 90_000


@contextmanager
def rtsp_server(stream: bytes, packets_per_s: float = 2000.0) -> Iterator[str]:
    """Serve the stream once to each client; gives the address."""
    listener = socket.create_server(("127.0.0.1", 0))
    closing = threading.Event()
    connections: list[socket.socket] = []

    def accept() -> None:
        while not closing.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connections.append(connection)
            arguments = (connection, stream, packets_per_s, closing)
            threading.Thread(target=_serve, args=arguments, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"rtsp://127.0.0.1:{listener.getsockname()[1]}/stream"
    finally:
        closing.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for connection in connections:
            connection.close()


def _serve(
    connection: socket.socket, stream: bytes, packets_per_s: float, closing: threading.Event
) -> None:
    requests = connection.makefile("rb")
    try:
        while request := requests.readline().decode().split():
            headers = {}
            while (line := requests.readline().decode().strip()) != "":
                name, _, value = line.partition(":")
                headers[name.lower()] = value.strip()
            _answer(connection, request[0], request[1], headers)
            if request[0] == "PLAY":
                _play(connection, stream, packets_per_s, closing)
                return
    except OSError:
        return  # the client left
    finally:
        connection.close()


def _answer(connection: socket.socket, method: str, url: str, headers: dict[str, str]) -> None:
    extra, body = "", ""
    if method == "OPTIONS":
        extra = "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n"
    elif method == "DESCRIBE":
        body = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=test\r\nt=0 0\r\nm=video 0 RTP/AVP 33\r\n"
        body += "a=control:track\r\n"
        extra = f"Content-Type: application/sdp\r\nContent-Base: {url}/\r\n"
    elif method == "SETUP":
        extra = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1\r\n"
    elif method == "PLAY":
        extra = "Session: 1\r\n"
    head = f"RTSP/1.0 200 OK\r\nCSeq: {headers.get('cseq', '1')}\r\n{extra}"
    if body:
        head += f"Content-Length: {len(body)}\r\n"
    connection.sendall(f"{head}\r\n{body}".encode())


def _play(
    connection: socket.socket, stream: bytes, packets_per_s: float, closing: threading.Event
) -> None:
    size = 188 * PACKETS_EACH
    for number, begin in enumerate(range(0, len(stream), size)):
        payload = stream[begin : begin + size]
        stamp = int(number * PACKETS_EACH / packets_per_s * CLOCK)
        header = struct.pack(">BBHII", 0x80, 33, number & 0xFFFF, stamp & 0xFFFFFFFF, 1)
        packet = header + payload
        connection.sendall(b"$\0" + len(packet).to_bytes(2, "big") + packet)
        if closing.wait(PACKETS_EACH / packets_per_s):
            return
