"""HLS of every form plays like the clip that it was cut from."""

from __future__ import annotations

from pathlib import Path

import pytest

from streammonitor_api.errors import SourceError
from tests.support.hls_clips import SECONDS, Cut, cut, is_whole
from tests.support.hls_server import (
    Exchange,
    LivePlaylist,
    ScriptedServer,
    playlist,
)
from tests.support.watching import times, watch


@pytest.fixture(scope="module")
def mp4(tmp_path_factory: pytest.TempPathFactory) -> Cut:
    return cut(tmp_path_factory.mktemp("mp4"), "fmp4")


def test_complete_stream_is_played_to_its_end(ts: Cut, server: ScriptedServer) -> None:
    ts.route(server, "live/")
    server.routes["live/index.m3u8"] = playlist(ts.names).encode()

    watched = watch(server.url("live/index.m3u8"))

    is_whole(watched)
    source = watched.source
    assert source.live is False
    assert source.duration_s == pytest.approx(SECONDS)
    assert source.progress == pytest.approx(1.0, abs=0.02)
    assert source.cadence_s == 1.0


def test_one_connection_is_used_for_all_segments(ts: Cut, server: ScriptedServer) -> None:
    ts.route(server)
    server.routes["index.m3u8"] = playlist(ts.names).encode()

    watch(server.url("index.m3u8"))

    assert server.requests == ["index.m3u8", *ts.names]
    assert server.connections <= 2  # one for the playlist, one for the segments


def test_local_stream_is_played_to_its_end(ts: Cut, tmp_path: Path) -> None:
    for name, data in zip(ts.names, ts.segments, strict=True):
        (tmp_path / name).write_bytes(data)
    path = tmp_path / "index.m3u8"
    path.write_text(playlist(ts.names))

    is_whole(watch(path))


def test_playlist_is_known_by_its_first_line_not_its_name(ts: Cut, server: ScriptedServer) -> None:
    ts.route(server)
    server.routes["channel"] = playlist(ts.names).encode()

    is_whole(watch(server.url("channel?token=secret")))


def test_fragmented_mp4_is_played(mp4: Cut, server: ScriptedServer) -> None:
    mp4.route(server)
    text = playlist(mp4.names, before={mp4.names[0]: '#EXT-X-MAP:URI="init.mp4"'})
    server.routes["index.m3u8"] = text.encode()

    is_whole(watch(server.url("index.m3u8")))


def test_byte_ranges_are_played(ts: Cut, server: ScriptedServer) -> None:
    server.routes["all.ts"] = b"".join(ts.segments)
    lines, first = ["#EXTM3U", "#EXT-X-TARGETDURATION:1"], 0
    for number, data in enumerate(ts.segments):
        place = f"@{first}" if number % 2 == 0 else ""
        lines += ["#EXTINF:1,", f"#EXT-X-BYTERANGE:{len(data)}{place}", "all.ts"]
        first += len(data)
    server.routes["index.m3u8"] = "\n".join([*lines, "#EXT-X-ENDLIST"]).encode()

    is_whole(watch(server.url("index.m3u8")))


@pytest.mark.parametrize("vector", ["", ",IV=0x000102030405060708090a0b0c0d0e0f"])
def test_encrypted_segments_are_played(ts: Cut, server: ScriptedServer, vector: str) -> None:
    ciphers = pytest.importorskip("cryptography.hazmat.primitives.ciphers")
    key, names = bytes(range(16)), ts.names
    for number, data in enumerate(ts.segments):
        start = bytes(range(16)) if vector else (7 + number).to_bytes(16, "big")
        padding = 16 - len(data) % 16
        cipher = ciphers.Cipher(ciphers.algorithms.AES(key), ciphers.modes.CBC(start))
        encryptor = cipher.encryptor()
        plain = data + bytes([padding]) * padding
        server.routes[names[number]] = encryptor.update(plain) + encryptor.finalize()
    server.routes["key"] = key
    tag = f'#EXT-X-KEY:METHOD=AES-128,URI="key"{vector}'
    server.routes["index.m3u8"] = playlist(names, sequence=7, before={names[0]: tag}).encode()

    is_whole(watch(server.url("index.m3u8")))
    assert server.requests.count("key") == 1


def test_announced_discontinuity_goes_on_without_a_jump(ts: Cut, server: ScriptedServer) -> None:
    ts.route(server, "a/")
    ts.route(server, "b/")
    names = [f"a/{name}" for name in ts.names] + [f"b/{name}" for name in ts.names]
    text = playlist(names, before={names[SECONDS]: "#EXT-X-DISCONTINUITY"})
    server.routes["index.m3u8"] = text.encode()

    watched = watch(server.url("index.m3u8"))

    assert len(watched.pictures) == 2 * 25 * SECONDS
    assert watched.jumps == []
    assert watched.losses == 0
    found = times(watched.pictures)
    assert found == sorted(found)
    assert found[-1] == pytest.approx(2 * SECONDS, abs=0.12)


def test_unannounced_restart_of_the_clock_is_a_jump(ts: Cut, server: ScriptedServer) -> None:
    ts.route(server)
    server.routes["index.m3u8"] = playlist(ts.names * 2).encode()

    watched = watch(server.url("index.m3u8"))

    assert watched.jumps == [pytest.approx(-SECONDS, abs=0.1)]
    assert len(watched.pictures) == 2 * 25 * SECONDS


def test_live_stream_is_joined_near_its_end_and_followed(ts: Cut, server: ScriptedServer) -> None:
    ts.route(server)
    live = LivePlaylist(ts.names * 3, shown=6)
    server.routes["live.m3u8"] = live

    watched = watch(server.url("live.m3u8"), until=lambda seen: len(seen.pictures) >= 150)

    assert watched.source.live is True
    assert watched.source.duration_s is None
    assert watched.source.progress is None
    assert watched.source.cadence_s == 0.2
    assert server.requests[1] == "s3.ts"  # of six segments, the third from the end
    assert watched.source.waited_s > 0.1


def test_live_stream_that_ends_is_over(ts: Cut, server: ScriptedServer) -> None:
    ts.route(server)
    server.routes["live.m3u8"] = LivePlaylist(ts.names)

    watched = watch(server.url("live.m3u8"))

    is_whole(watched)


@pytest.mark.parametrize(
    ("uri", "named"),
    [
        ("file:///etc/passwd", "file:///etc/passwd"),
        ("concat:/etc/passwd|/etc/hosts", "concat:/etc/passwd"),
        ("data:video/mp2t;base64,AA", "data:video/mp2t"),
        ("subfile,,start,0,end,9,,:/etc/passwd", "subfile"),
        ("rtmp://127.0.0.1/app", "rtmp://127.0.0.1/app"),
    ],
)
@pytest.mark.parametrize("where", ["segment", "key", "map", "variant"])
def test_playlist_from_the_network_opens_nothing_but_http(
    uri: str, named: str, where: str, server: ScriptedServer
) -> None:
    server.routes["index.m3u8"] = {
        "segment": playlist([uri]),
        "key": f'#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="{uri}"\n#EXTINF:1,\na.ts\n',
        "map": f'#EXTM3U\n#EXT-X-MAP:URI="{uri}"\n#EXTINF:1,\na.m4s\n',
        "variant": f"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{uri}\n",
    }[where].encode()

    with pytest.raises(SourceError) as caught:
        watch(server.url("index.m3u8"))

    assert caught.value.permanent
    assert named in str(caught.value)
    assert str(caught.value).startswith(server.url("index.m3u8"))


def test_local_playlist_opens_nothing_outside_of_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "hls"
    folder.mkdir()
    (tmp_path / "secret.ts").write_bytes(b"secret")
    path = folder / "index.m3u8"
    path.write_text(playlist(["../secret.ts"]))

    with pytest.raises(SourceError, match="outside of its own folder") as caught:
        watch(path)

    assert caught.value.permanent


def test_local_playlist_may_name_a_web_server(
    ts: Cut, server: ScriptedServer, tmp_path: Path
) -> None:
    ts.route(server)
    path = tmp_path / "index.m3u8"
    path.write_text(playlist([server.url(name) for name in ts.names]))

    is_whole(watch(path))


def test_redirect_out_of_http_is_refused(server: ScriptedServer) -> None:
    def redirect(exchange: Exchange) -> None:
        exchange.send(302, Location="file:///etc/passwd")

    server.routes["index.m3u8"] = redirect

    with pytest.raises(SourceError, match="redirects to 'file:///etc/passwd'") as caught:
        watch(server.url("index.m3u8"))

    assert caught.value.permanent


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nindex.m3u8\n", "a master playlist where"),
        ("#EXTM3U\n#EXTINF:1,\nindex.m3u8\n", "refers to itself"),
        ("#EXTM3U\n#EXTINF:1,\nother.m3u8\n#EXT-X-ENDLIST", "where a segment is expected"),
        ("#EXTM3U\n#EXT-X-ENDLIST\n", "the playlist is empty"),
        ('#EXTM3U\n#EXT-X-KEY:METHOD=SAMPLE-AES,URI="k"\n#EXTINF:1,\na.ts\n', "SAMPLE-AES"),
    ],
    ids=["master loop", "itself", "playlist as segment", "empty", "encryption"],
)
def test_playlist_that_can_never_be_played_is_an_error(
    text: str, wrong: str, server: ScriptedServer
) -> None:
    server.routes["index.m3u8"] = text.encode()
    server.routes["other.m3u8"] = b"#EXTM3U\n#EXTINF:1,\na.ts\n"

    with pytest.raises(SourceError, match=wrong) as caught:
        watch(server.url("index.m3u8"))

    assert caught.value.permanent
    assert "\n" not in str(caught.value)
