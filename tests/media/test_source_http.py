"""Files and live streams over HTTP, on loopback: read by parts, broken off, sent elsewhere."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from streammonitor_api.errors import SourceError
from streammonitor_worker.source import Source
from tests.support.hls_server import Exchange, ScriptedServer
from tests.support.remote_clips import (
    DATAGRAM,
    PICTURES,
    SECONDS,
    is_live,
    is_whole,
    make,
)
from tests.support.watching import watch


@pytest.fixture(scope="module")
def mp4(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """With its index at the end."""
    data = make(tmp_path_factory.mktemp("http") / "clip.mp4")
    assert data.index(b"moov") > data.index(b"mdat")
    return data


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


def test_transport_stream_file_is_asked_for_once(clip: bytes, server: ScriptedServer) -> None:
    server.routes["clip.ts"] = clip

    watched = watch(server.url("clip.ts"))

    is_whole(watched)
    assert watched.losses == 0
    assert server.requests == ["clip.ts"]
    assert watched.source.progress == pytest.approx(1.0)


def test_transfer_of_a_file_that_breaks_off_goes_on(clip: bytes, server: ScriptedServer) -> None:
    broken = iter([True, True, False])

    def breaks(exchange: Exchange) -> None:
        if not next(broken):
            exchange.send_ranges(clip)
            return
        first = int((exchange.headers.get("Range") or "bytes=0-")[6:].partition("-")[0])
        rest = clip[first:]
        exchange.start(206, Content_Length=str(len(rest)),
                       Content_Range=f"bytes {first}-{len(clip) - 1}/{len(clip)}")  # fmt: skip
        exchange.write(rest[: len(rest) // 2])
        exchange.hang_up()

    server.routes["clip.ts"] = breaks

    watched = watch(server.url("clip.ts"))

    is_whole(watched)
    assert watched.losses == 0
    assert watched.connections == []


def test_file_whose_server_stays_away_is_told(clip: bytes, server: ScriptedServer) -> None:
    def dies(exchange: Exchange) -> None:
        exchange.start(206, Content_Length=str(len(clip)),
                       Content_Range=f"bytes 0-{len(clip) - 1}/{len(clip)}")  # fmt: skip
        exchange.write(clip[: len(clip) // 2])
        server.routes["clip.ts"] = lambda later: later.send(404)
        exchange.hang_up()

    server.routes["clip.ts"] = dies

    watched = watch(server.url("clip.ts"))

    assert 0 < len(watched.pictures) < PICTURES
    assert [connection.up for connection in watched.connections] == [False]
    assert "404" in watched.connections[0].reason


def test_redirects_are_followed(clip: bytes, server: ScriptedServer) -> None:
    server.routes["clip.ts"] = clip
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


def test_http_stream_without_an_end_is_live_and_comes_back(
    clip: bytes, server: ScriptedServer
) -> None:
    beginnings = iter((0, len(clip) // DATAGRAM // 3 * DATAGRAM))

    def stream(exchange: Exchange) -> None:
        exchange.start(200, Connection="close")
        for begin in range(next(beginnings, 0), len(clip), DATAGRAM):
            exchange.write(clip[begin : begin + DATAGRAM])

    server.routes["live.ts"] = stream

    watched = watch(server.url("live.ts"), until=lambda seen: len(seen.pictures) >= PICTURES + 10)

    is_live(watched)
    assert [connection.up for connection in watched.connections][:2] == [False, True]
    assert server.requests.count("live.ts") >= 2


@pytest.mark.parametrize("name", ["clip.ts", "clip.mkv"])
def test_http_file_of_unknown_length_is_watched_once(
    name: str, tmp_path: Path, server: ScriptedServer
) -> None:
    data = make(tmp_path / name)

    def send(exchange: Exchange) -> None:
        exchange.start(200, Connection="close")
        exchange.write(data)

    server.routes[name] = send

    watched = watch(server.url(name))

    assert PICTURES - 1 <= len(watched.pictures) <= PICTURES
    assert watched.failures == []


def test_picture_that_a_broken_connection_cut_off_is_no_damage(
    clip: bytes, server: ScriptedServer
) -> None:
    beginnings = iter((0, len(clip) // DATAGRAM // 3 * DATAGRAM))

    def stream(exchange: Exchange) -> None:
        exchange.start(200, Connection="close")
        exchange.write(clip[next(beginnings, 0) : len(clip) // 2 + DATAGRAM // 2])

    server.routes["live.ts"] = stream

    watched = watch(server.url("live.ts"), until=lambda seen: len(seen.connections) >= 3)

    assert watched.failures == []
    assert not any(picture.corrupt for picture in watched.pictures[:30])


def test_stop_ends_the_wait_for_a_silent_http_stream(clip: bytes, server: ScriptedServer) -> None:
    silent = threading.Event()

    def stream(exchange: Exchange) -> None:
        exchange.start(200, Connection="close")
        exchange.write(clip[: len(clip) // 2])
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
