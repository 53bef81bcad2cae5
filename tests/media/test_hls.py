"""HLS of every form plays like the clip that it was cut from."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from streammonitor_api.errors import SourceError
from streammonitor_worker.source import SourceOptions, expand
from streammonitor_worker.source.waiting import Waiting
from streammonitor_worker.synth import Injection, Recipe, write_clip
from tests.support.hls_server import (
    Exchange,
    LivePlaylist,
    ScriptedServer,
    playlist,
    scripted_server,
)
from tests.support.watching import Watched, times, watch

SECONDS = 4
INJECTIONS = (Injection("video-black", 1.0, 0.52), Injection("audio-silence", 1.0, 0.52))
BEGIN_S, END_S = 1.0213, 1.5413
"""Where they are in media time: AAC begins with 1024 samples of priming."""


@dataclass(frozen=True)
class Cut:
    """A clip in segments of a second."""

    segments: list[bytes]
    header: bytes = b""

    @property
    def names(self) -> list[str]:
        return [f"s{number}.ts" for number in range(len(self.segments))]

    def route(self, server: ScriptedServer, prefix: str = "") -> None:
        for name, data in zip(self.names, self.segments, strict=True):
            server.routes[prefix + name] = data
        server.routes[f"{prefix}init.mp4"] = self.header


def cut(folder: Path, kind: str = "mpegts", **recipe: Any) -> Cut:
    fields: dict[str, Any] = {
        "duration_s": SECONDS,
        "width": 96,
        "height": 64,
        "fps": Fraction(25),
        "gop_s": 1.0,
        "injections": INJECTIONS,
        **recipe,
    }
    path = folder / "index.m3u8"
    options = {"hls_time": "1", "hls_list_size": "0", "hls_segment_type": kind}
    write_clip(Recipe(**fields), path, options)
    names = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    header = folder / "init.mp4"
    return Cut(
        [(folder / name).read_bytes() for name in names],
        header.read_bytes() if header.exists() else b"",
    )


@pytest.fixture(scope="module")
def ts(tmp_path_factory: pytest.TempPathFactory) -> Cut:
    return cut(tmp_path_factory.mktemp("ts"))


@pytest.fixture(scope="module")
def mp4(tmp_path_factory: pytest.TempPathFactory) -> Cut:
    return cut(tmp_path_factory.mktemp("mp4"), "fmp4")


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as running:
        yield running


def is_whole(watched: Watched) -> None:
    """All of the clip came, with its defects where they are."""
    assert len(watched.pictures) == 25 * SECONDS
    assert watched.jumps == []
    assert watched.losses == 0
    assert watched.failures == []
    assert watched.connections == []
    assert watched.black_s() == pytest.approx((BEGIN_S, END_S), abs=0.001)
    assert watched.silence_s() == pytest.approx((BEGIN_S, END_S), abs=0.02)


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


def master(**variants: str) -> bytes:
    """A master playlist of `<height>p=<uri>`; bandwidth goes with height."""
    lines = ["#EXTM3U"]
    for name, uri in variants.items():
        height = int(name[1:])
        lines.append(
            f"#EXT-X-STREAM-INF:BANDWIDTH={height * 1000},RESOLUTION={height * 3 // 2}x{height}"
        )
        lines.append(uri)
    return "\n".join(lines).encode()


@pytest.fixture(scope="module")
def ladder(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Cut]:
    heights, folder = (64, 128, 96), tmp_path_factory.mktemp
    return {
        f"h{height}": cut(
            folder(f"h{height}"), width=height * 3 // 2, height=height, duration_s=2, injections=()
        )
        for height in heights
    }


def route_ladder(server: ScriptedServer, ladder: dict[str, Cut]) -> str:
    for name, clip in ladder.items():
        clip.route(server, f"{name}/")
        server.routes[f"{name}/index.m3u8"] = playlist(clip.names).encode()
    server.routes["master.m3u8"] = master(**{name: f"{name}/index.m3u8" for name in ladder})
    return server.url("master.m3u8")


@pytest.mark.parametrize(("renditions", "height"), [("highest", 128), ("lowest", 64)])
def test_rendition_is_chosen(
    renditions: str, height: int, server: ScriptedServer, ladder: dict[str, Cut]
) -> None:
    watched = watch(route_ladder(server, ladder), renditions=renditions)

    assert {picture.height for picture in watched.pictures} == {height}


def test_all_renditions_are_watched_each_on_its_own(
    server: ScriptedServer, ladder: dict[str, Cut]
) -> None:
    url = route_ladder(server, ladder)

    specs = expand(url, SourceOptions(renditions="all"), Waiting())

    assert [spec.name for spec in specs] == [
        f"{url}#96x64-64k",
        f"{url}#192x128-128k",
        f"{url}#144x96-96k",
    ]
    heights = [{p.height for p in watch(spec, renditions="all").pictures} for spec in specs]
    assert heights == [{64}, {128}, {96}]


def test_stream_without_renditions_is_one(ts: Cut, server: ScriptedServer) -> None:
    server.routes["index.m3u8"] = playlist(ts.names).encode()
    options = SourceOptions(renditions="all")

    for url in (server.url("index.m3u8"), "http://127.0.0.1:9/none.m3u8"):
        assert [spec.name for spec in expand(url, options, Waiting())] == [url]


def split_sound(folder: Path, kind: str) -> tuple[Cut, Cut]:
    """The clip's picture and its sound, in segments of their own."""
    whole = folder / "whole.mp4"
    fields = {"duration_s": SECONDS, "width": 96, "height": 64, "fps": Fraction(25), "gop_s": 1.0}
    write_clip(Recipe(**fields, injections=INJECTIONS), whole)  # type: ignore[arg-type]
    cuts = []
    for track in ("video", "audio"):
        part = folder / track
        part.mkdir()
        with av.open(str(whole)) as reader:
            options = {"hls_time": "1", "hls_list_size": "0", "hls_segment_type": kind}
            index = part / "index.m3u8"
            with av.open(str(index), "w", format="hls", options=options) as writer:
                stream = reader.streams.get({track: 0})[0]
                copy = writer.add_stream_from_template(stream)
                for packet in reader.demux(stream):
                    if packet.dts is not None and packet.pts is not None:
                        # So far from 0 that neither muxer moves it to where it is positive.
                        packet.pts += round(1 / packet.time_base)
                        packet.dts += round(1 / packet.time_base)
                        packet.stream = copy
                        writer.mux(packet)
        names = [line for line in index.read_text().splitlines() if line[:1] not in ("#", "")]
        init = part / "init.mp4"
        cuts.append(
            Cut(
                [(part / name).read_bytes() for name in names],
                init.read_bytes() if init.exists() else b"",
            )
        )
    return cuts[0], cuts[1]


@pytest.mark.parametrize("kind", ["mpegts", "fmp4"])
def test_sound_in_a_playlist_of_its_own_is_played_along(
    kind: str, server: ScriptedServer, tmp_path: Path
) -> None:
    video, audio = split_sound(tmp_path, kind)
    header = '#EXT-X-MAP:URI="init.mp4"' if kind == "fmp4" else "#"
    for name, clip in (("video", video), ("audio", audio)):
        clip.route(server, f"{name}/")
        text = playlist(clip.names, before={clip.names[0]: header})
        server.routes[f"{name}/index.m3u8"] = text.encode()
    server.routes["master.m3u8"] = (
        b'#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="x",DEFAULT=NO,URI="none.m3u8"\n'
        b'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="y",DEFAULT=YES,URI="audio/index.m3u8"\n'
        b'#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO="a"\nvideo/index.m3u8\n'
    )

    watched = watch(server.url("master.m3u8"))

    assert len(watched.pictures) == 25 * SECONDS
    assert watched.jumps == []
    assert watched.connections == []
    black, silence = watched.black_s(), watched.silence_s()
    assert silence == pytest.approx(black, abs=0.03)
    assert black[1] - black[0] == pytest.approx(0.52, abs=0.001)
    ahead = [packet.track for packet in watched.packets]
    assert "audio:0" in ahead[:20]
    assert "video:0" in ahead[:20]


def test_packed_sound_is_played_at_the_time_that_it_says(
    ts: Cut, server: ScriptedServer, tmp_path: Path
) -> None:
    _, audio = split_sound(tmp_path, "fmp4")
    server.routes["index.m3u8"] = _packed(server, audio, begins_s=100.0)

    watched = watch(server.url("index.m3u8"))

    assert watched.jumps == []
    assert watched.failures == []
    assert watched.sounds[0].time == pytest.approx(0.0, abs=1e-6)
    assert watched.silence_s() == pytest.approx((1.0, 1.52), abs=0.05)
    assert watched.sounds[-1].time + watched.sounds[-1].duration == pytest.approx(4.0, abs=0.1)


def test_missing_segment_of_packed_sound_shows_as_a_gap(
    ts: Cut, server: ScriptedServer, tmp_path: Path
) -> None:
    _, audio = split_sound(tmp_path, "fmp4")
    server.routes["index.m3u8"] = _packed(server, audio, begins_s=100.0)
    del server.routes["p2.aac"]

    watched = watch(server.url("index.m3u8"))

    assert watched.sounds[-1].time + watched.sounds[-1].duration == pytest.approx(4.0, abs=0.1)
    ends = [sound.time + sound.duration for sound in watched.sounds]
    gaps = [b.time - end for end, b in zip(ends, watched.sounds[1:], strict=False)]
    assert max(gaps) == pytest.approx(1.0, abs=0.1)


def _packed(server: ScriptedServer, audio: Cut, begins_s: float) -> bytes:
    """Segments of bare AAC frames, each with the tag that says when it begins."""
    frames: list[tuple[float, bytes]] = []
    with av.open(io.BytesIO(audio.header + b"".join(audio.segments)), "r") as reader:
        stream = reader.streams.audio[0]
        rate, extra = stream.rate, stream.codec_context.extradata or b""
        for packet in reader.demux(stream):
            if packet.pts is not None and packet.time_base is not None:
                frames.append((float(packet.pts * packet.time_base), bytes(packet)))
    names = []
    for number in range(SECONDS):
        mine = [frame for frame in frames if number <= frame[0] - frames[0][0] < number + 1]
        body = b"".join(_adts(data, extra, rate) for _, data in mine)
        name = f"p{number}.aac"
        server.routes[name] = _tag(begins_s + mine[0][0] - frames[0][0]) + body
        names.append(name)
    return playlist(names).encode()


def _adts(frame: bytes, extra: bytes, rate: int) -> bytes:
    profile, channels = (extra[0] >> 3) - 1, extra[1] >> 3 & 15
    index = [96_000, 88_200, 64_000, 48_000, 44_100].index(rate)
    length = len(frame) + 7
    head = [0xFF, 0xF1, profile << 6 | index << 2 | channels >> 2]
    head += [(channels & 3) << 6 | length >> 11, length >> 3 & 255, (length & 7) << 5 | 0x1F, 0xFC]
    return bytes(head) + frame


def _tag(seconds: float) -> bytes:
    body = b"com.apple.streaming.transportStreamTimestamp\0"
    body += round(seconds * 90_000).to_bytes(8, "big")
    frame = b"PRIV" + len(body).to_bytes(4, "big") + b"\0\0" + body
    return b"ID3\x04\0\0\0\0" + bytes([len(frame) >> 7, len(frame) & 127]) + frame


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
