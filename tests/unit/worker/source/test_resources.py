"""What a playlist names is opened only from where it may be."""

from __future__ import annotations

from pathlib import Path

import pytest

from streammonitor_api.errors import SourceError
from streammonitor_worker.source.hls.playlist import ByteRange
from streammonitor_worker.source.hls.resources import Resources
from streammonitor_worker.source.http import HttpClient
from streammonitor_worker.source.lost import LostError
from streammonitor_worker.source.waiting import Waiting

HOSTILE = [
    "file:///etc/passwd",
    "FILE:///etc/passwd",
    "concat:/etc/passwd|/etc/hosts",
    "data:video/mp2t;base64,AAAA",
    "subfile,,start,0,end,99,,:/etc/passwd",
    "crypto+file:/etc/passwd",
    "rtmp://host/app",
    "udp://239.0.0.1:1",
    "ftp://host/a.ts",
]


def resources(folder: Path | None = None) -> Resources:
    waiting = Waiting()
    return Resources(HttpClient(waiting), waiting, None if folder is None else folder.resolve())


@pytest.mark.parametrize("uri", HOSTILE)
def test_playlist_from_the_network_opens_http_only(uri: str) -> None:
    with pytest.raises(SourceError, match=r"refers to .* which is not opened") as caught:
        resources().locate(uri, "https://host/live/index.m3u8", "somewhere")

    assert caught.value.permanent
    assert uri.partition(":")[0] in str(caught.value)


@pytest.mark.parametrize(
    ("uri", "target"),
    [
        ("a.ts", "https://host/live/a.ts"),
        ("/a.ts", "https://host/a.ts"),
        ("../../../../etc/passwd", "https://host/etc/passwd"),
        ("//cdn/a.ts?x=1", "https://cdn/a.ts?x=1"),
        ("http://other/a.ts", "http://other/a.ts"),
    ],
)
def test_relative_addresses_stay_on_the_network(uri: str, target: str) -> None:
    assert resources().locate(uri, "https://host/live/index.m3u8", "somewhere") == target


@pytest.mark.parametrize("uri", HOSTILE)
def test_local_playlist_opens_no_other_protocol(uri: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="refers to"):
        resources(tmp_path).locate(uri, tmp_path / "index.m3u8", "somewhere")


@pytest.mark.parametrize(
    "uri", ["/etc/passwd", "../secret.ts", "sub/../../secret.ts", "%2e%2e/secret.ts", "a\0.ts"]
)
def test_local_playlist_does_not_leave_its_folder(uri: str, tmp_path: Path) -> None:
    folder = tmp_path / "hls"
    folder.mkdir()
    (tmp_path / "secret.ts").touch()

    with pytest.raises(SourceError, match="outside of its own folder") as caught:
        resources(folder).locate(uri, folder / "index.m3u8", "somewhere")

    assert caught.value.permanent


def test_local_playlist_does_not_leave_its_folder_by_a_link(tmp_path: Path) -> None:
    folder = tmp_path / "hls"
    folder.mkdir()
    (tmp_path / "secret.ts").touch()
    (folder / "a.ts").symlink_to(tmp_path / "secret.ts")

    with pytest.raises(SourceError, match="outside of its own folder"):
        resources(folder).locate("a.ts", folder / "index.m3u8", "somewhere")


@pytest.mark.parametrize("uri", ["a b.ts", "a%20b.ts", "./a b.ts"])
def test_local_playlist_opens_files_of_its_folder(uri: str, tmp_path: Path) -> None:
    (tmp_path / "a b.ts").touch()

    found = resources(tmp_path).locate(uri, tmp_path / "index.m3u8", "somewhere")

    assert found == (tmp_path / "a b.ts").resolve()


def test_local_playlist_may_name_a_web_server(tmp_path: Path) -> None:
    found = resources(tmp_path).locate("http://host/a.ts", tmp_path / "index.m3u8", "somewhere")

    assert found == "http://host/a.ts"


def test_range_of_a_local_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "all.ts").write_bytes(bytes(range(100)))
    fetch = resources(tmp_path)

    assert fetch.read_all(tmp_path / "all.ts", ByteRange(10, 5), 100) == bytes(range(10, 15))
    body = fetch.open(tmp_path / "all.ts", ByteRange(10, 5), skip=2)
    assert body.read(100) == bytes(range(12, 15))
    body.close()


def test_resource_beyond_the_limit_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(bytes(100))

    with pytest.raises(LostError, match="larger than 64 bytes"):
        resources(tmp_path).read_all(tmp_path / "key", None, 64)


def test_missing_local_segment_counts_as_not_found(tmp_path: Path) -> None:
    with pytest.raises(LostError) as caught:
        resources(tmp_path).open(tmp_path / "none.ts", None)

    assert caught.value.status == 404
