"""Inputs that mean harm are refused in a line or watched as far as they go, never more."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from streammonitor_api.errors import SourceError
from streammonitor_worker.synth import Recipe, write_clip
from tests.support.watching import watch

COUNT = 200
ROOT = Path(__file__).parents[2]


def make(path: Path, **recipe: Any) -> Path:
    fields = {"duration_s": 1.0, "width": 96, "height": 64, "fps": Fraction(25), "gop_s": 0.5}
    write_clip(Recipe(**{**fields, **recipe}), path)
    return path


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    make(folder / "a.mp4")
    make(folder / "b.ts")
    make(folder / "c.mkv", video_codec="hevc", audio_codec="flac")
    make(folder / "d.webm", video_codec="vp9", audio_codec="opus")
    make(folder / "e.mov", video_codec="mpeg4", audio_codec="pcm_s16le")
    make(folder / "f.ts", video_codec="mpeg2video", audio_codec="mp2")
    return folder


def test_two_hundred_hostile_inputs_do_no_harm(clips: Path) -> None:
    command = [sys.executable, "-W", "error", "-m", "tests.support.hostile", str(clips), str(COUNT)]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stderr == ""
    *inputs, last = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(inputs) == COUNT
    assert [found for found in inputs if found["seconds"] > 20] == []
    for found in inputs:
        assert found["items"] or found["message"], found
        assert "\n" not in found["message"], found
        assert "media time" not in found["message"], found
    assert sum(1 for found in inputs if found["items"]) > COUNT / 5  # some are watched nevertheless
    assert sum(1 for found in inputs if found["message"]) > COUNT / 5
    assert last["peak_bytes"] < 1 << 30


@pytest.mark.parametrize("suffix", [".mp4", ".ts", ".mkv", ".mov"])
def test_pictures_beyond_the_limit_are_refused_when_opening(suffix: str, tmp_path: Path) -> None:
    path = make(tmp_path / f"clip{suffix}")

    with pytest.raises(SourceError, match="pictures of 96x64 are too large") as caught:
        watch(path, max_pixels=96 * 64 - 1)

    assert caught.value.permanent


def test_pictures_that_grow_beyond_the_limit_are_not_decoded(tmp_path: Path) -> None:
    small, large = make(tmp_path / "small.ts"), make(tmp_path / "large.ts", width=192, height=128)
    both = tmp_path / "both.ts"
    both.write_bytes(small.read_bytes() + large.read_bytes())

    watched = watch(both, max_pixels=128 * 96)

    assert {(picture.width, picture.height) for picture in watched.pictures} == {(96, 64)}
    assert watched.failures != []


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", 8 + len(body)) + kind + body


def test_giant_picture_that_a_container_declares_is_not_decoded(tmp_path: Path) -> None:
    path = tmp_path / "clip.avi"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        container.mux(stream.encode(av.VideoFrame(96, 64, "yuv420p")))
        container.mux(stream.encode(None))
    data = bytearray(path.read_bytes())
    at = data.index(b"strf") + 12
    assert struct.unpack_from("<II", data, at) == (96, 64)
    struct.pack_into("<II", data, at, 60_000, 60_000)
    path.write_bytes(data)

    watched = watch(path)

    assert watched.pictures == []
    assert len(watched.failures) == 1


@pytest.mark.parametrize("alias", [b"file:///etc/passwd\0", b"/etc/passwd\0", b"http://host/a\0"])
def test_mov_that_refers_to_another_file_is_refused(alias: bytes, tmp_path: Path) -> None:
    path = make(tmp_path / "clip.mov", sound=None)
    data = path.read_bytes()
    # A data reference "alis" with an absolute path (type 2), instead of "this very file".
    name = alias.rstrip(b"\0")
    record = bytearray(150)
    record[0:4] = b"\0\0\0\0"
    record += struct.pack(">HH", 2, len(name)) + name + b"\0" * (len(name) % 2)
    record += struct.pack(">HH", 18, len(name)) + name + b"\0" * (len(name) % 2)
    record += b"\xff\xff\0\0"
    reference = box(b"dref", b"\0\0\0\0\0\0\0\1" + box(b"alis", b"\0\0\0\0" + bytes(record)))
    changed = replace_box(data, [b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref"], reference)
    path.write_bytes(changed)

    with pytest.raises(SourceError, match=r"neither pictures nor sound") as caught:
        watch(path)

    assert caught.value.permanent


def replace_box(data: bytes, way: list[bytes], content: bytes) -> bytes:
    """Replace a nested box and correct the sizes of those around it. The media must come first."""
    out, at = b"", 0
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        size = size or len(data) - at
        inner = data[at + 8 : at + size]
        if kind == way[0]:
            inner = replace_box(inner, way[1:], content) if len(way) > 1 else content[8:]
            out += box(kind, inner)
        else:
            out += data[at : at + size]
        at += size
    return out


def test_format_that_names_other_addresses_would_get_nothing_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were one of them on the list of formats by mistake."""
    monkeypatch.setattr("streammonitor_worker.source.demux.FORMATS", "hls,concat")
    path = tmp_path / "list"
    path.write_text("ffconcat version 1.0\nfile clip.ts\n")
    make(tmp_path / "clip.ts")

    with pytest.raises(SourceError, match=r"refers to|no media") as caught:
        watch(path)

    assert caught.value.permanent


def test_nothing_of_the_media_library_reaches_standard_error(
    clips: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = bytearray((clips / "b.ts").read_bytes())
    for at in range(5000, len(data), 997):
        data[at] ^= 0xFF
    path = tmp_path / "damaged.ts"
    path.write_bytes(bytes(data))

    watched = watch(path)

    assert watched.packets != []
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("rate", ["1000000/1", "1/1000"])
def test_absurd_frame_rate_is_not_believed(rate: str, tmp_path: Path) -> None:
    path = tmp_path / "clip.y4m"
    frame = b"FRAME\n" + bytes([100]) * (64 * 48 * 3 // 2)
    head = f"YUV4MPEG2 W64 H48 F{rate.replace('/', ':')} Ip A1:1 C420jpeg\n".encode()
    path.write_bytes(head + frame * 10)

    watched = watch(path)

    assert len(watched.pictures) == 10
    assert watched.formats[0].fps == 0.0
    assert all(0 < picture.duration <= 3600 for picture in watched.pictures)


def test_more_tracks_than_anybody_needs_are_not_all_watched(tmp_path: Path) -> None:
    path = tmp_path / "many.mkv"
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("pcm_s16le", rate=8000) for _ in range(24)]
        for stream in streams:
            stream.layout = "mono"
        frame = av.AudioFrame(format="s16", layout="mono", samples=800)
        frame.sample_rate = 8000
        for stream in streams:
            frame.pts = 0
            container.mux(stream.encode(frame))

    watched = watch(path)

    assert len({sound.track for sound in watched.sounds}) == 16
