"""What a source tells of a file as it goes, and how it refuses what it cannot watch."""

from __future__ import annotations

from pathlib import Path

import pytest

from streammonitor_api.errors import InputError, SourceError
from streammonitor_worker.source import Source
from tests.support.small_files import make
from tests.support.watching import Watched, watch


def test_file_says_how_far_it_is(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    make(path, injections=())
    seen: list[float | None] = []

    def note(watched: Watched) -> bool:
        seen.append(watched.source.progress)
        return False

    watched = watch(path, until=note)

    source = watched.source
    assert source.live is False
    assert source.duration_s == pytest.approx(2.0, abs=0.05)
    assert all(progress is not None for progress in seen)
    assert seen == sorted(seen)  # type: ignore[type-var]
    assert source.progress == pytest.approx(1.0, abs=0.02)
    assert source.cpu_s["decode"] > 0
    assert source.cpu_s["demux"] > 0
    assert source.name == str(path)


def test_format_comes_before_the_first_sample_and_packets_before_pictures(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    make(path, injections=())

    order = watch(path).order

    for track, kind in (("video:0", "Picture"), ("audio:0", "Sound")):
        assert order.index(f"Packet {track}") < order.index(f"Format {track}")
        assert order.index(f"Format {track}") < order.index(f"{kind} {track}")


def test_change_of_size_is_a_new_format(tmp_path: Path) -> None:
    small, large = tmp_path / "small.ts", tmp_path / "large.ts"
    make(small, injections=())
    make(large, width=192, height=108, injections=())
    both = tmp_path / "both.ts"
    both.write_bytes(small.read_bytes() + large.read_bytes())

    watched = watch(both)

    sizes = [(form.width, form.height) for form in watched.formats if form.track == "video:0"]
    assert sizes == [(160, 90), (192, 108)]
    assert len(watched.pictures) == 120


def test_change_of_codec_is_followed(tmp_path: Path) -> None:
    first, second = tmp_path / "first.ts", tmp_path / "second.ts"
    make(first, injections=())
    make(second, video_codec="mpeg2video", audio_codec="mp2", injections=())
    both = tmp_path / "both.ts"
    both.write_bytes(first.read_bytes() + second.read_bytes())

    watched = watch(both)

    codecs = [form.codec for form in watched.formats]
    assert sorted(codecs) == ["aac", "h264", "mp2", "mpeg2video"]
    assert len(watched.pictures) == pytest.approx(120, abs=2)
    assert watched.pictures[-1].time == pytest.approx(4.0, abs=0.1)


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        (b"", "no media"),
        (b"Hello, this is a text file.\n" * 100, "no media"),
        (b"<html><body>404</body></html>" * 50, "no media"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "no media"),
        (bytes(100_000), "no media"),
    ],
    ids=["empty", "text", "html", "concat script", "zeros"],
)
def test_what_is_no_media_is_told_in_one_line(content: bytes, wrong: str, tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)

    with pytest.raises(SourceError) as caught:
        watch(path)

    assert caught.value.permanent
    assert str(caught.value).startswith(f"{path}: ")
    assert wrong in str(caught.value)
    assert "\n" not in str(caught.value)


def test_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be opened"):
        watch(tmp_path / "none.mp4")


@pytest.mark.parametrize("kind", ["folder", "pipe", "device"])
def test_what_is_no_regular_file_is_told_at_once(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "thing"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        import os

        os.mkfifo(path)
    else:
        path = Path("/dev/zero")

    with pytest.raises(InputError, match="not a regular file"):
        watch(path)


def test_file_is_refused_where_files_are_not_allowed(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    make(path, injections=())

    with pytest.raises(SourceError, match="files of this machine are not allowed"):
        watch(path, local_files=False)


def test_stop_ends_a_file_at_once(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    make(path, injections=())

    watched = watch(path, until=lambda seen: len(seen.pictures) == 3)

    assert len(watched.pictures) <= 4


def test_stopped_source_gives_nothing(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    make(path, injections=())
    source = Source(str(path))
    source.stop()

    assert list(source.items()) == []
