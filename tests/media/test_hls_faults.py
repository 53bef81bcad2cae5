"""HLS that breaks in the ways that HLS breaks: what is there is watched, what is lost is told."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from streammonitor_worker.source import Source, SourceOptions
from tests.support.hls_clips import SECONDS, Cut, cut
from tests.support.hls_server import (
    Exchange,
    LivePlaylist,
    ScriptedServer,
    playlist,
    scripted_server,
)
from tests.support.watching import Watched, times, watch

PICTURES = 25 * SECONDS


@pytest.fixture(scope="module")
def ts(tmp_path_factory: pytest.TempPathFactory) -> Cut:
    return cut(tmp_path_factory.mktemp("ts"), injections=())


@pytest.fixture(scope="module")
def mp4(tmp_path_factory: pytest.TempPathFactory) -> Cut:
    return cut(tmp_path_factory.mktemp("mp4"), "fmp4", injections=())


def missing(exchange: Exchange) -> None:
    exchange.send(404)


class FailsAtFirst:
    """Gives an error a number of times, then the body."""

    def __init__(self, body: bytes, times: int, status: int = 503) -> None:
        self._body, self._left, self._status = body, times, status

    def __call__(self, exchange: Exchange) -> None:
        if self._left:
            self._left -= 1
            exchange.send(self._status)
        else:
            exchange.send_ranges(self._body)


class BreaksOff:
    """Ends the connection in the middle of the body, the first `times` times."""

    def __init__(self, body: bytes, times: int) -> None:
        self._body, self._left = body, times

    def __call__(self, exchange: Exchange) -> None:
        if not self._left:
            exchange.send_ranges(self._body)
            return
        self._left -= 1
        exchange.start(200, Content_Length=str(len(self._body)))
        exchange.write(self._body[: len(self._body) // 2])
        exchange.hang_up()


def test_missing_segment_is_a_gap_and_not_the_end(ts: Cut, server: ScriptedServer) -> None:
    ts.route(server)
    server.routes["s1.ts"] = missing
    server.routes["index.m3u8"] = playlist(ts.names).encode()

    watched = watch(server.url("index.m3u8"))

    assert len(watched.pictures) == PICTURES - 25
    assert watched.jumps == [pytest.approx(1.0, abs=0.1)]
    assert watched.losses == 0
    assert watched.pictures[-1].time == pytest.approx(SECONDS - 0.04 + 0.0213, abs=0.01)
    assert server.requests.count("s1.ts") == 2


def test_missing_segment_of_fragmented_mp4_is_a_gap(mp4: Cut, server: ScriptedServer) -> None:
    mp4.route(server)
    server.routes["s1.ts"] = missing
    text = playlist(mp4.names, before={mp4.names[0]: '#EXT-X-MAP:URI="init.mp4"'})
    server.routes["index.m3u8"] = text.encode()

    watched = watch(server.url("index.m3u8"))

    assert len(watched.pictures) == PICTURES - 25
    assert watched.jumps == [pytest.approx(1.0, abs=0.1)]
    assert watched.failures == []


def test_segment_that_is_late_is_asked_for_again(ts: Cut, server: ScriptedServer) -> None:
    ts.route(server)
    server.routes["s1.ts"] = FailsAtFirst(ts.segments[1], 1, 404)
    server.routes["index.m3u8"] = playlist(ts.names).encode()

    watched = watch(server.url("index.m3u8"))

    assert len(watched.pictures) == PICTURES
    assert watched.jumps == []


def test_gap_that_the_playlist_announces_is_not_asked_for(ts: Cut, server: ScriptedServer) -> None:
    ts.route(server)
    text = playlist(ts.names, before={"s1.ts": "#EXT-X-GAP"})
    server.routes["index.m3u8"] = text.encode()

    watched = watch(server.url("index.m3u8"))

    assert len(watched.pictures) == PICTURES - 25
    assert "s1.ts" not in server.requests


def test_transfer_that_breaks_off_is_gone_on_with(ts: Cut, server: ScriptedServer) -> None:
    ts.route(server)
    server.routes["s1.ts"] = BreaksOff(ts.segments[1], 1)
    server.routes["index.m3u8"] = playlist(ts.names).encode()

    watched = watch(server.url("index.m3u8"))

    assert len(watched.pictures) == PICTURES
    assert watched.jumps == []
    assert watched.losses == 0


@pytest.mark.parametrize("kind", ["ts", "mp4"])
def test_segment_that_breaks_off_each_time_is_watched_as_far_as_it_goes(
    kind: str, ts: Cut, mp4: Cut, server: ScriptedServer
) -> None:
    clip = ts if kind == "ts" else mp4
    clip.route(server)
    server.routes["s1.ts"] = BreaksOff(clip.segments[1], 100)
    header = '#EXT-X-MAP:URI="init.mp4"' if kind == "mp4" else "#"
    text = playlist(clip.names, before={"s0.ts": header})
    server.routes["index.m3u8"] = text.encode()

    watched = watch(server.url("index.m3u8"))

    assert PICTURES - 25 <= len(watched.pictures) < PICTURES
    assert watched.pictures[-1].time == pytest.approx(SECONDS - 0.02, abs=0.03)
    assert times(watched.pictures) == sorted(times(watched.pictures))


def test_segment_that_breaks_off_before_its_first_byte_is_passed_over(
    ts: Cut, server: ScriptedServer
) -> None:
    ts.route(server)

    def empty(exchange: Exchange) -> None:
        exchange.start(200, Content_Length="100000")
        exchange.hang_up()

    server.routes["s1.ts"] = empty
    server.routes["live.m3u8"] = LivePlaylist(ts.names)

    watched = watch(server.url("live.m3u8"))

    assert len(watched.pictures) == PICTURES - 25
    assert watched.pictures[-1].time == pytest.approx(SECONDS - 0.02, abs=0.03)


def test_segment_beyond_the_limit_is_cut(
    ts: Cut, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    largest = max(len(data) for n, data in enumerate(ts.segments) if n != 1)
    monkeypatch.setattr("streammonitor_worker.source.hls.segment.MAX_SEGMENT", largest)
    ts.route(server)
    server.routes["s1.ts"] = ts.segments[1] + bytes(largest)
    server.routes["index.m3u8"] = playlist(ts.names).encode()

    watched = watch(server.url("index.m3u8"))

    assert len(watched.pictures) >= PICTURES - 25
    assert watched.pictures[-1].time == pytest.approx(SECONDS - 0.02, abs=0.03)


def test_playlist_that_fails_now_and_then_is_followed(ts: Cut, server: ScriptedServer) -> None:
    ts.route(server)
    live = LivePlaylist(ts.names)
    count = iter(range(1000))

    def flaky(exchange: Exchange) -> None:
        if next(count) % 2:
            exchange.send(500)
        else:
            live(exchange)

    server.routes["live.m3u8"] = flaky

    watched = watch(server.url("live.m3u8"))

    assert len(watched.pictures) == PICTURES
    assert watched.connections == []


def test_server_that_dies_and_returns_is_told_and_followed_on(
    ts: Cut, server: ScriptedServer
) -> None:
    ts.route(server)
    live = LivePlaylist(ts.names, shown=2)
    server.routes["live.m3u8"] = live
    gone = threading.Event()

    def drive(watched: Watched) -> bool:
        if len(watched.pictures) == 30 and not gone.is_set():
            gone.set()
            server.go_away()
        if watched.connections and not watched.connections[-1].up and not returned.is_set():
            returned.set()
            threading.Timer(0.3, server.serve).start()
        return False

    returned = threading.Event()
    watched = watch(server.url("live.m3u8"), until=drive)

    assert [connection.up for connection in watched.connections] == [False, True]
    assert "cannot connect" in watched.connections[0].reason
    assert watched.source.reconnects == 1
    assert watched.pictures[-1].time == pytest.approx(SECONDS - 0.02, abs=0.03)
    assert times(watched.pictures) == sorted(times(watched.pictures))
    assert len(watched.pictures) >= PICTURES - 50


def test_encoder_that_begins_anew_is_followed(ts: Cut, server: ScriptedServer) -> None:
    ts.route(server)
    texts = iter(
        [
            playlist(ts.names[:3], sequence=900, target_s=0.2, ended=False),
            playlist(ts.names[:2], sequence=0, target_s=0.2, ended=False),
            playlist(ts.names, sequence=0, target_s=0.2),
        ]
    )

    def restarted(exchange: Exchange) -> None:
        exchange.send(200, next(texts).encode())

    server.routes["live.m3u8"] = restarted

    watched = watch(server.url("live.m3u8"))

    assert len(watched.pictures) == 75 + PICTURES
    assert times(watched.pictures) == sorted(times(watched.pictures))
    assert watched.connections == []


def test_stalled_playlist_is_waited_for_and_stop_ends_the_wait(
    ts: Cut, server: ScriptedServer
) -> None:
    ts.route(server)
    live = LivePlaylist(ts.names, shown=2, stalled=True)
    server.routes["live.m3u8"] = live
    source = Source(server.url("live.m3u8"))
    stopped_at = []

    def stop() -> None:
        stopped_at.append(time.monotonic())
        source.stop()

    timer = threading.Timer(1.0, stop)
    timer.start()
    watched = watch("", source=source)

    assert time.monotonic() - stopped_at[0] < 1.0
    assert len(watched.pictures) >= 45
    assert watched.source.waited_s > 0.5
    assert watched.connections == []
    assert server.requests.count("live.m3u8") < 10


def test_segment_that_never_comes_does_not_hold_up_a_stop(ts: Cut, server: ScriptedServer) -> None:
    ts.route(server)
    asked = threading.Event()

    def silent(exchange: Exchange) -> None:
        exchange.start(200, Content_Length="100000")
        exchange.write(ts.segments[2][:188])
        asked.set()
        exchange.wait(30)

    server.routes["s2.ts"] = silent
    server.routes["index.m3u8"] = playlist(ts.names).encode()
    source = Source(server.url("index.m3u8"))
    stopped_at = []

    def stop_when_asked() -> None:
        asked.wait(20)
        stopped_at.append(time.monotonic())
        source.stop()

    thread = threading.Thread(target=stop_when_asked)
    thread.start()
    watch("", source=source)
    thread.join()

    assert time.monotonic() - stopped_at[0] < 1.0


def test_stream_that_stays_away_is_given_up(server: ScriptedServer) -> None:
    server.routes["live.m3u8"] = missing

    watched = watch(server.url("live.m3u8"), give_up_after_s=1.0)

    assert [connection.up for connection in watched.connections] == [False]
    assert "404" in watched.connections[0].reason
    assert watched.packets == []
    assert server.requests.count("live.m3u8") > 1


def test_playlist_that_comes_drop_by_drop_is_given_up(server: ScriptedServer) -> None:
    def drops(exchange: Exchange) -> None:
        exchange.start(200, Content_Length="100000")
        exchange.write(b"#EXTM3U\n")
        for _ in range(200):
            exchange.write(b"#")
            exchange.wait(0.1)

    server.routes["live.m3u8"] = drops
    began = time.monotonic()

    watched = watch(server.url("live.m3u8"), open_timeout_s=1.0, give_up_after_s=1.5)

    assert time.monotonic() - began < 6
    assert [connection.up for connection in watched.connections] == [False]


def test_empty_live_playlist_is_given_up_in_time(server: ScriptedServer) -> None:
    server.routes["live.m3u8"] = b"#EXTM3U\n#EXT-X-TARGETDURATION:0.2\n"
    began = time.monotonic()

    watched = watch(server.url("live.m3u8"), open_timeout_s=1.0, give_up_after_s=1.5)

    assert time.monotonic() - began < 6
    assert [connection.up for connection in watched.connections] == [False]


def test_local_playlist_that_stopped_growing_ends(ts: Cut, tmp_path: Path) -> None:
    for name, data in zip(ts.names, ts.segments, strict=True):
        (tmp_path / name).write_bytes(data)
    path = tmp_path / "index.m3u8"
    path.write_text(playlist(ts.names, ended=False, target_s=0.2))

    watched = watch(path)

    assert len(watched.pictures) == PICTURES
    assert watched.source.live is False


def test_credentials_are_sent_to_the_server_they_are_for_only(
    ts: Cut, server: ScriptedServer
) -> None:
    seen: dict[str, str | None] = {}
    with scripted_server() as other:

        def note(name: str, body: bytes) -> None:
            def answer(exchange: Exchange) -> None:
                seen[name] = exchange.headers.get("Authorization")
                exchange.send(200, body)

            (other if name == "other" else server).routes[name] = answer

        note("index.m3u8", playlist(["own", other.url("other")]).encode())
        note("own", ts.segments[0])
        note("other", ts.segments[1])

        watched = watch(server.url("index.m3u8", user="me:se%40cret@"))

    assert len(watched.pictures) == 50
    assert seen == {
        "index.m3u8": "Basic bWU6c2VAY3JldA==",
        "own": "Basic bWU6c2VAY3JldA==",
        "other": None,
    }
    assert "cret" not in watched.source.name


def test_options_have_the_limits_that_are_promised() -> None:
    options = SourceOptions()

    assert (options.open_timeout_s, options.give_up_after_s) == (30.0, 30.0)
