"""Live streams from the network, on loopback: each protocol, and how it comes back."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from streammonitor_worker.source import Source, SourceOptions, Waiting
from streammonitor_worker.source.datagrams import DatagramReader
from streammonitor_worker.source.lost import LostError
from streammonitor_worker.source.url import parse
from tests.support.remote_clips import (
    DATAGRAM,
    PICTURES,
    SECONDS,
    background,
    enough,
    free_port,
    is_live,
    paced,
)
from tests.support.rtsp_server import rtsp_server
from tests.support.tls import tls_proxy, write_certificate
from tests.support.watching import Watched, times, watch


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://127.0.0.1:9/clip.mp4", "cannot connect"),
        ("tcp://127.0.0.1:9", "cannot connect"),
        ("http://nowhere.invalid/clip.mp4", "cannot resolve"),
        ("rtmp://127.0.0.1:9/app/key", "cannot be opened"),
        ("rtsp://127.0.0.1:9/stream", "cannot be opened"),
        ("rtsp://nowhere.invalid/stream", "cannot be opened"),
    ],
)
def test_server_that_is_not_there_is_told_at_once_and_given_up(url: str, reason: str) -> None:
    began = time.monotonic()

    watched = watch(url, give_up_after_s=0.5)

    assert time.monotonic() - began < 10
    assert [connection.up for connection in watched.connections] == [False]
    assert reason in watched.connections[0].reason


@pytest.mark.parametrize("kind", ["udp", "rtp", "udp multicast"])
def test_datagrams_are_received(kind: str, clip: bytes) -> None:
    port = free_port()
    group = "239.255.77.1" if "multicast" in kind else "127.0.0.1"
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
    numbers = iter(range(1 << 16))

    def send(payload: bytes) -> None:
        header = b""
        if kind == "rtp":
            header = bytes([0x80, 33]) + next(numbers).to_bytes(2, "big") + bytes(8)
        sender.sendto(header + payload, (group, port))

    def repeat(stop: threading.Event) -> None:
        while not stop.is_set():
            paced(clip, send, stop, speed=4.0)

    scheme = kind.partition(" ")[0]
    query = "?localaddr=127.0.0.1" if "multicast" in kind else ""
    with sender, background(repeat):
        watched = watch(f"{scheme}://{group}:{port}{query}", until=enough)

    assert watched.source.live is True
    assert len(watched.pictures) >= PICTURES // 2
    assert watched.failures == []
    assert watched.source.waited_s > 0


def test_second_watch_of_a_port_is_refused_and_the_first_undisturbed(clip: bytes) -> None:
    port = free_port()
    waiting = Waiting()
    first = DatagramReader(parse(f"udp://127.0.0.1:{port}", local_files=False), "first", waiting)

    with pytest.raises(LostError, match="address already in use"):
        DatagramReader(parse(f"udp://127.0.0.1:{port}", local_files=False), "second", waiting)

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(clip[:DATAGRAM], ("127.0.0.1", port))
        assert first.read(65536) == clip[:DATAGRAM]
    first.close()


def test_port_in_use_by_another_is_told() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]

        watched = watch(f"udp://127.0.0.1:{port}", give_up_after_s=0.1)

    assert "cannot listen" in watched.connections[0].reason


def test_silent_port_is_given_up_in_time() -> None:
    began = time.monotonic()

    watched = watch(f"udp://127.0.0.1:{free_port()}", open_timeout_s=0.6, give_up_after_s=1.0)

    assert time.monotonic() - began < 5
    assert [connection.up for connection in watched.connections] == [False]


def test_stop_ends_the_wait_for_datagrams() -> None:
    source = Source(f"udp://127.0.0.1:{free_port()}")
    threading.Timer(0.3, source.stop).start()
    began = time.monotonic()

    watched = watch("", source=source)

    assert time.monotonic() - began < 2.0
    assert watched.packets == []


def test_tcp_stream_that_is_cut_comes_back(clip: bytes) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"tcp://127.0.0.1:{listener.getsockname()[1]}"

    def serve(stop: threading.Event) -> None:
        listener.settimeout(0.1)
        while not stop.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            with connection:
                try:
                    paced(clip, connection.sendall, stop, speed=20.0)
                except OSError:
                    continue  # the client left

    with listener, background(serve):
        watched = watch(url, until=lambda seen: len(seen.pictures) >= 2 * PICTURES)

    is_live(watched)
    ups = [connection.up for connection in watched.connections]
    assert ups[:2] == [False, True]
    assert watched.connections[0].reason == "the connection was closed"
    assert watched.source.reconnects >= 1
    assert watched.connections[0].time == pytest.approx(SECONDS, abs=0.1)


def test_server_that_accepts_and_says_nothing_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        for scheme in ("http", "tcp", "rtmp", "rtsp"):
            began = time.monotonic()

            watched = watch(
                f"{scheme}://127.0.0.1:{port}/x", open_timeout_s=0.5, give_up_after_s=0.6
            )

            assert time.monotonic() - began < 6, scheme
            assert [connection.up for connection in watched.connections] == [False], scheme


def test_rtsp_stream_is_watched(clip: bytes) -> None:
    with rtsp_server(clip * 3, packets_per_s=len(clip) / 188 / SECONDS * 4) as url:
        watched = watch(url, until=enough)

    assert watched.source.live is True
    assert len(watched.pictures) >= PICTURES // 2
    assert watched.failures == []
    assert {form.codec for form in watched.formats} == {"h264", "aac"}


def test_remote_stream_counts_its_own_work_and_only_real_waiting(clip: bytes) -> None:
    """Its packets come through another thread, of which neither clock may be taken for ours."""
    held = threading.Event()
    began, held_s = time.process_time(), 0.0

    def watch_slowly(watched: Watched) -> bool:
        nonlocal held_s
        since = time.monotonic()
        held.wait(0.01)  # a viewer who takes longer than the sender
        held_s += time.monotonic() - since
        return enough(watched)

    with rtsp_server(clip * 3, packets_per_s=1e6) as url:
        source = watch(url, until=watch_slowly).source

    assert sum(source.cpu_s.values()) <= time.process_time() - began
    assert source.waited_s < held_s / 2


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of a server that this machine trusts."""
    write_certificate(tmp_path / "server.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "server.pem"))
    return tmp_path / "server.pem"


def test_rtsp_stream_over_tls_is_watched(clip: bytes, certificate: Path) -> None:
    with (
        rtsp_server(clip * 3, packets_per_s=len(clip) / 188 / SECONDS * 4) as plain,
        tls_proxy(urlsplit(plain).port or 0, certificate) as port,
    ):
        watched = watch(f"rtsps://127.0.0.1:{port}/stream", until=enough)

    assert len(watched.pictures) >= PICTURES // 2
    assert watched.failures == []


@contextmanager
def rtmp_server(clip: Path) -> Iterator[int]:
    """FFmpeg, which waits for one client and plays it the clip over and over."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    command = ["ffmpeg", "-v", "error", "-re", "-stream_loop", "-1", "-i", str(clip)]
    command += ["-c", "copy", "-bsf:a", "aac_adtstoasc", "-f", "flv", "-listen", "1"]
    command += [f"rtmp://127.0.0.1:{port}/live/key"]
    sender = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield port
    finally:
        sender.kill()
        sender.wait()


needs_ffmpeg = pytest.mark.skipif(
    shutil.which("ffmpeg") is None, reason="ffmpeg is not installed: nothing here sends RTMP"
)


@needs_ffmpeg
def test_rtmp_stream_is_watched(clip_path: Path) -> None:
    with rtmp_server(clip_path) as port:
        watched = watch(f"rtmp://127.0.0.1:{port}/live/key", until=enough, give_up_after_s=20.0)

    assert watched.source.live is True
    assert len(watched.pictures) >= PICTURES // 2
    assert watched.failures == []
    assert times(watched.pictures) == sorted(times(watched.pictures))


@needs_ffmpeg
def test_rtmp_stream_over_tls_is_watched(clip_path: Path, certificate: Path) -> None:
    with rtmp_server(clip_path) as plain, tls_proxy(plain, certificate) as port:
        watched = watch(f"rtmps://127.0.0.1:{port}/live/key", until=enough, give_up_after_s=20.0)

    assert len(watched.pictures) >= PICTURES // 2
    assert watched.failures == []


@pytest.mark.parametrize("scheme", ["rtmps", "rtsps"])
def test_certificate_that_nobody_vouches_for_is_refused(scheme: str, tmp_path: Path) -> None:
    write_certificate(tmp_path / "server.pem")
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        tls_proxy(server.getsockname()[1], tmp_path / "server.pem") as port,
    ):
        watched = watch(f"{scheme}://127.0.0.1:{port}/live/key", give_up_after_s=0.5)

    assert watched.packets == []
    assert "cannot be opened" in watched.connections[0].reason


@pytest.mark.parametrize("url", ["rtmp://127.0.0.1:{port}/app/x", "rtsp://127.0.0.1:{port}/x"])
def test_stop_ends_the_opening_of_a_remote_stream(url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        source = Source(url.format(port=listener.getsockname()[1]), SourceOptions())
        threading.Timer(0.3, source.stop).start()
        began = time.monotonic()

        watched = watch("", source=source)

    assert time.monotonic() - began < 2.0
    assert watched.packets == []
