"""HLS in several renditions, and with its sound in playlists of its own."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path

import av
import pytest

from streammonitor_worker.source import SourceOptions, expand
from streammonitor_worker.source.waiting import Waiting
from streammonitor_worker.synth import Recipe, write_clip
from tests.support.hls_clips import INJECTIONS, SECONDS, Cut, cut
from tests.support.hls_server import (
    ScriptedServer,
    playlist,
)
from tests.support.watching import watch


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
