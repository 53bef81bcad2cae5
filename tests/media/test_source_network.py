"""Streams and files from the network, on loopback: each protocol, and how it comes back."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from streammonitor_api.errors import SourceError
from streammonitor_worker.source import Source, SourceOptions, Waiting
from streammonitor_worker.source.datagrams import DatagramReader
from streammonitor_worker.source.lost import LostError
from streammonitor_worker.source.url import parse
from streammonitor_worker.synth import Injection, Recipe, write_clip
from tests.support.hls_server import Exchange, ScriptedServer, scripted_server
from tests.support.rtsp_server import rtsp_server
from tests.support.tls import tls_proxy, write_certificate
from tests.support.watching import Watched, times, watch

SECONDS = 3
PICTURES = 25 * SECONDS
DATAGRAM = 188 * 7


def make(path: Path, **recipe: Any) -> bytes:
    fields: dict[str, Any] = {
        "duration_s": SECONDS,
        "width": 96,
        "height": 64,
        "fps": Fraction(25),
        "gop_s": 0.5,
        "injections": (Injection("video-black", 1.0, 0.52),),
        **recipe,
    }
    write_clip(Recipe(**fields), path)
    return path.read_bytes()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("network")


@pytest.fixture(scope="module")
def ts(folder: Path) -> bytes:
    return make(folder / "clip.ts")


@pytest.fixture(scope="module")
def mp4(folder: Path) -> bytes:
    """With its index at the end."""
    data = make(folder / "clip.mp4", duration_s=SECONDS)
    assert data.index(b"moov") > data.index(b"mdat")
    return data


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as running:
        yield running


def is_whole(watched: Watched) -> None:
    assert len(watched.pictures) == PICTURES
    assert watched.jumps == []
    assert watched.failures == []
    begin, end = watched.black_s()
    assert begin == pytest.approx(1.0, abs=0.03)
    assert end - begin == pytest.approx(0.52, abs=0.001)


# Files on a web server


def test_file_with_its_index_at_the_end_is_read_by_parts(
    mp4: bytes, server: ScriptedServer
) -> None:
    server.routes["clip.mp4"] = mp4

    watched = watch(server.url("clip.mp4"))

    is_whole(watched)
    assert watched.source.live is False
    assert watched.source.duration_s == pytest.approx(SECONDS, abs=0.05)
    assert watched.source.progress == pytest.approx(1.0, abs=0.02)
    assert watched.connections == []


def test_file_on_a_server_that_gives_no_parts_is_read_all_the_same(
    mp4: bytes, server: ScriptedServer
) -> None:
    server.routes["clip.mp4"] = lambda exchange: exchange.send(200, mp4)

    is_whole(watch(server.url("clip.mp4")))


def test_transport_stream_file_is_asked_for_once(ts: bytes, server: ScriptedServer) -> None:
    server.routes["clip.ts"] = ts

    watched = watch(server.url("clip.ts"))

    is_whole(watched)
    assert watched.losses == 0
    assert server.requests == ["clip.ts"]
    assert watched.source.progress == pytest.approx(1.0)


def test_transfer_of_a_file_that_breaks_off_goes_on(ts: bytes, server: ScriptedServer) -> None:
    broken = iter([True, True, False])

    def breaks(exchange: Exchange) -> None:
        if not next(broken):
            exchange.send_ranges(ts)
            return
        first = int((exchange.headers.get("Range") or "bytes=0-")[6:].partition("-")[0])
        rest = ts[first:]
        exchange.start(206, Content_Length=str(len(rest)),
                       Content_Range=f"bytes {first}-{len(ts) - 1}/{len(ts)}")  # fmt: skip
        exchange.write(rest[: len(rest) // 2])
        exchange.hang_up()

    server.routes["clip.ts"] = breaks

    watched = watch(server.url("clip.ts"))

    is_whole(watched)
    assert watched.losses == 0
    assert watched.connections == []


def test_file_whose_server_stays_away_is_told(ts: bytes, server: ScriptedServer) -> None:
    def dies(exchange: Exchange) -> None:
        exchange.start(206, Content_Length=str(len(ts)),
                       Content_Range=f"bytes 0-{len(ts) - 1}/{len(ts)}")  # fmt: skip
        exchange.write(ts[: len(ts) // 2])
        server.routes["clip.ts"] = lambda later: later.send(404)
        exchange.hang_up()

    server.routes["clip.ts"] = dies

    watched = watch(server.url("clip.ts"))

    assert 0 < len(watched.pictures) < PICTURES
    assert [connection.up for connection in watched.connections] == [False]
    assert "404" in watched.connections[0].reason


def test_redirects_are_followed(ts: bytes, server: ScriptedServer) -> None:
    server.routes["clip.ts"] = ts
    server.routes["a"] = lambda exchange: exchange.send(302, Location="/b")
    server.routes["b"] = lambda exchange: exchange.send(307, Location=server.url("clip.ts"))

    is_whole(watch(server.url("a")))


@pytest.mark.parametrize("target", ["file:///etc/passwd", "rtmp://127.0.0.1/x", "data:,x"])
def test_redirect_out_of_http_is_refused(target: str, server: ScriptedServer) -> None:
    server.routes["a"] = lambda exchange: exchange.send(302, Location=target)

    with pytest.raises(SourceError, match="it redirects to") as caught:
        watch(server.url("a"))

    assert caught.value.permanent


def test_redirect_to_itself_is_given_up(server: ScriptedServer) -> None:
    server.routes["a"] = lambda exchange: exchange.send(302, Location="/a")

    watched = watch(server.url("a"), give_up_after_s=2.0)

    assert "redirects more than" in watched.connections[0].reason


def test_page_of_text_is_no_media(server: ScriptedServer) -> None:
    server.routes["clip.mp4"] = b"<html>Please log in</html>" * 100

    with pytest.raises(SourceError, match="no media") as caught:
        watch(server.url("clip.mp4", user="me:secret@") + "?token=hidden")

    assert caught.value.permanent
    assert "secret" not in str(caught.value)
    assert "hidden" not in str(caught.value)


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


# Live streams


def paced(ts: bytes, send: Callable[[bytes], None], stop: threading.Event, speed: float) -> None:
    """Send a clip at a multiple of its own speed."""
    step_s = SECONDS / speed / (len(ts) / DATAGRAM)
    for begin in range(0, len(ts), DATAGRAM):
        send(ts[begin : begin + DATAGRAM])
        if stop.wait(step_s):
            return


@contextmanager
def background(work: Callable[[threading.Event], None]) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=work, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def enough(watched: Watched) -> bool:
    return len(watched.pictures) >= PICTURES // 2


def is_live(watched: Watched) -> None:
    assert watched.source.live is True
    assert watched.source.progress is None
    assert watched.failures == []
    assert watched.losses == 0
    assert times(watched.pictures) == sorted(times(watched.pictures))


@pytest.mark.parametrize("kind", ["udp", "rtp", "udp multicast"])
def test_datagrams_are_received(kind: str, ts: bytes) -> None:
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
            paced(ts, send, stop, speed=4.0)

    scheme = kind.partition(" ")[0]
    query = "?localaddr=127.0.0.1" if "multicast" in kind else ""
    with sender, background(repeat):
        watched = watch(f"{scheme}://{group}:{port}{query}", until=enough)

    assert watched.source.live is True
    assert len(watched.pictures) >= PICTURES // 2
    assert watched.failures == []
    assert watched.source.waited_s > 0


def test_second_watch_of_a_port_is_refused_and_the_first_undisturbed(ts: bytes) -> None:
    port = free_port()
    waiting = Waiting()
    first = DatagramReader(parse(f"udp://127.0.0.1:{port}", local_files=False), "first", waiting)

    with pytest.raises(LostError, match="address already in use"):
        DatagramReader(parse(f"udp://127.0.0.1:{port}", local_files=False), "second", waiting)

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(ts[:DATAGRAM], ("127.0.0.1", port))
        assert first.read(65536) == ts[:DATAGRAM]
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


def test_tcp_stream_that_is_cut_comes_back(ts: bytes) -> None:
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
                    paced(ts, connection.sendall, stop, speed=20.0)
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


def test_http_stream_without_an_end_is_live_and_comes_back(
    ts: bytes, server: ScriptedServer
) -> None:
    beginnings = iter((0, len(ts) // DATAGRAM // 3 * DATAGRAM))

    def stream(exchange: Exchange) -> None:
        exchange.start(200, Connection="close")
        exchange.handler.close_connection = True
        for begin in range(next(beginnings, 0), len(ts), DATAGRAM):
            exchange.write(ts[begin : begin + DATAGRAM])

    server.routes["live.ts"] = stream

    watched = watch(server.url("live.ts"), until=lambda seen: len(seen.pictures) >= PICTURES + 10)

    is_live(watched)
    assert [connection.up for connection in watched.connections][:2] == [False, True]
    assert server.requests.count("live.ts") >= 2


@pytest.mark.parametrize("name", ["clip.ts", "clip.mkv"])
def test_http_file_of_unknown_length_is_watched_once(
    name: str, folder: Path, server: ScriptedServer
) -> None:
    data = make(folder / f"sent-{name}")

    def send(exchange: Exchange) -> None:
        exchange.start(200, Connection="close")
        exchange.handler.close_connection = True
        exchange.write(data)

    server.routes[name] = send

    watched = watch(server.url(name))

    assert PICTURES - 1 <= len(watched.pictures) <= PICTURES
    assert watched.failures == []


def test_picture_that_a_broken_connection_cut_off_is_no_damage(
    ts: bytes, server: ScriptedServer
) -> None:
    beginnings = iter((0, len(ts) // DATAGRAM // 3 * DATAGRAM))

    def stream(exchange: Exchange) -> None:
        exchange.start(200, Connection="close")
        exchange.handler.close_connection = True
        exchange.write(ts[next(beginnings, 0) : len(ts) // 2 + DATAGRAM // 2])

    server.routes["live.ts"] = stream

    watched = watch(server.url("live.ts"), until=lambda seen: len(seen.connections) >= 3)

    assert watched.failures == []
    assert not any(picture.corrupt for picture in watched.pictures[:30])


def test_stop_ends_the_wait_for_a_silent_http_stream(ts: bytes, server: ScriptedServer) -> None:
    silent = threading.Event()

    def stream(exchange: Exchange) -> None:
        exchange.start(200, Connection="close")
        exchange.write(ts[: len(ts) // 2])
        silent.set()
        exchange.wait(30)

    server.routes["live.ts"] = stream
    source = Source(server.url("live.ts"))
    stopped_at = []

    def stop() -> None:
        silent.wait(20)
        source_waits = threading.Event()
        source_waits.wait(0.3)  # until it has read what there is
        stopped_at.append(time.monotonic())
        source.stop()

    thread = threading.Thread(target=stop)
    thread.start()
    watch("", source=source)
    thread.join()

    assert time.monotonic() - stopped_at[0] < 1.0


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


def test_rtsp_stream_is_watched(ts: bytes) -> None:
    with rtsp_server(ts * 3, packets_per_s=len(ts) / 188 / SECONDS * 4) as url:
        watched = watch(url, until=enough)

    assert watched.source.live is True
    assert len(watched.pictures) >= PICTURES // 2
    assert watched.failures == []
    assert {form.codec for form in watched.formats} == {"h264", "aac"}


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of a server that this machine trusts."""
    write_certificate(tmp_path / "server.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "server.pem"))
    return tmp_path / "server.pem"


def test_rtsp_stream_over_tls_is_watched(ts: bytes, certificate: Path) -> None:
    with (
        rtsp_server(ts * 3, packets_per_s=len(ts) / 188 / SECONDS * 4) as plain,
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
def test_rtmp_stream_is_watched(folder: Path) -> None:
    with rtmp_server(folder / "clip.ts") as port:
        watched = watch(f"rtmp://127.0.0.1:{port}/live/key", until=enough, give_up_after_s=20.0)

    assert watched.source.live is True
    assert len(watched.pictures) >= PICTURES // 2
    assert watched.failures == []
    assert times(watched.pictures) == sorted(times(watched.pictures))


@needs_ffmpeg
def test_rtmp_stream_over_tls_is_watched(folder: Path, certificate: Path) -> None:
    with rtmp_server(folder / "clip.ts") as plain, tls_proxy(plain, certificate) as port:
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
