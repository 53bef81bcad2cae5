"""The file server on loopback: what a client of media may ask for, and its failures."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import pytest

from streammonitor_api.errors import InputError
from streammonitor_worker.synth.serve import Answer, FileServer

CONTENT = bytes(range(256))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "clip.ts").write_bytes(CONTENT)
    (tmp_path / "secret").write_text("not to be served")
    return tmp_path / "inside"


@pytest.fixture
def client(folder: Path) -> Iterator[http.client.HTTPConnection]:
    with FileServer(folder) as server:
        connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=5)
        yield connection
        connection.close()


def get(
    client: http.client.HTTPConnection, path: str, **headers: str
) -> tuple[int, bytes, http.client.HTTPMessage]:
    client.request("GET", path, headers=headers)
    response = client.getresponse()
    return response.status, response.read(), response.headers


def test_file_is_served_with_its_type(client: http.client.HTTPConnection) -> None:
    status, body, headers = get(client, "/clip.ts?token=1")

    assert (status, body) == (200, CONTENT)
    assert headers["Content-Type"] == "video/mp2t"


def test_connection_is_kept_for_the_next_request(client: http.client.HTTPConnection) -> None:
    get(client, "/clip.ts")
    kept = client.sock

    get(client, "/clip.ts")

    assert client.sock is kept


@pytest.mark.parametrize(
    ("asked", "status", "body", "range_"),
    [
        ("bytes=10-19", 206, CONTENT[10:20], "bytes 10-19/256"),
        ("bytes=250-", 206, CONTENT[250:], "bytes 250-255/256"),
        ("bytes=-4", 206, CONTENT[-4:], "bytes 252-255/256"),
        ("bytes=250-999", 206, CONTENT[250:], "bytes 250-255/256"),
        ("bytes=256-", 416, b"", "bytes */256"),
    ],
)
def test_part_of_a_file_is_served(
    client: http.client.HTTPConnection, asked: str, status: int, body: bytes, range_: str
) -> None:
    got, content, headers = get(client, "/clip.ts", Range=asked)

    assert (got, content, headers["Content-Range"]) == (status, body, range_)


@pytest.mark.parametrize("path", ["/none.ts", "/", "/../secret", "/%2e%2e/secret", "/clip.ts/x"])
def test_nothing_else_is_served(client: http.client.HTTPConnection, path: str) -> None:
    assert get(client, path)[:2] == (404, b"")


def test_head_has_no_body(client: http.client.HTTPConnection) -> None:
    client.request("HEAD", "/clip.ts")
    response = client.getresponse()

    assert (response.getheader("Content-Length"), response.read()) == ("256", b"")


def test_function_answers_before_the_files(folder: Path) -> None:
    def answer(path: PurePosixPath) -> Answer | None:
        return Answer(HTTPStatus.GONE, b"gone") if path.name == "clip.ts" else None

    with FileServer(folder, answer=answer) as server:
        client = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=5)
        assert get(client, "/clip.ts")[:2] == (410, b"gone")
        client.close()


def test_server_that_went_away_refuses_until_it_is_back(folder: Path) -> None:
    with FileServer(folder) as server:
        address = urlsplit(server.url)
        open_before = http.client.HTTPConnection(address.netloc, timeout=5)
        get(open_before, "/clip.ts")

        server.go_away()

        with pytest.raises(ConnectionError):
            get(open_before, "/clip.ts")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((str(address.hostname), address.port or 0), timeout=5)

        server.come_back()

        assert urlsplit(server.url) == address
        assert get(open_before, "/clip.ts")[0] == 200
        open_before.close()


def test_stopped_server_leaves_no_thread(folder: Path) -> None:
    before = threading.active_count()

    with FileServer(folder) as server:
        idle = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=5)
        get(idle, "/clip.ts")
        assert threading.active_count() > before

    assert threading.active_count() == before
    idle.close()


def test_port_in_use_is_one_line(folder: Path) -> None:
    with FileServer(folder) as first:
        port = urlsplit(first.url).port
        assert port is not None
        with pytest.raises(InputError, match=f"127.0.0.1:{port}: cannot listen there"):
            FileServer(folder, port=port).come_back()
