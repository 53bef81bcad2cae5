"""Headers and queries that hold secrets go to the source's own server, and to no other."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from streammonitor_worker.synth import Recipe, write_clip
from tests.support.hls_server import Exchange, ScriptedServer, playlist, scripted_server
from tests.support.watching import watch

TOKEN = ("X-Token", "a-secret")
QUERY = "token=another-secret"


@pytest.fixture(scope="module")
def segment(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("media") / "segment.ts"
    write_clip(Recipe(duration_s=1.0, width=160, height=90), path)
    return path.read_bytes()


class Seen:
    """What servers were sent, by path."""

    def __init__(self) -> None:
        self.headers: dict[str, str | None] = {}
        self.queries: dict[str, str] = {}

    def answering(self, name: str, body: bytes) -> Callable[[Exchange], None]:
        def answer(exchange: Exchange) -> None:
            self.headers[name] = exchange.headers.get(TOKEN[0])
            self.queries[name] = exchange.query
            exchange.send_ranges(body)

        return answer


def test_secrets_are_sent_to_the_own_server_only(segment: bytes) -> None:
    seen = Seen()
    with scripted_server() as own, scripted_server() as other:
        _offer(own, other, seen, segment)

        watched = watch(
            own.url("live.m3u8?quality=1"), headers=(TOKEN,), query=QUERY, deadline_s=30.0
        )

    assert watched.pictures
    assert seen.headers == {"playlist": TOKEN[1], "own": TOKEN[1], "other": None}
    assert seen.queries["playlist"] == f"quality=1&{QUERY}"
    assert seen.queries["own"] == f"part=1&{QUERY}"
    assert seen.queries["other"] == ""


def test_secrets_are_in_no_message(segment: bytes) -> None:
    with scripted_server() as own:
        own.routes["live.m3u8"] = playlist(["none.ts"], ended=False).encode()

        watched = watch(
            own.url("live.m3u8"),
            headers=(TOKEN,),
            query=QUERY,
            until=lambda one: bool(one.connections),
            give_up_after_s=3.0,
        )

    text = f"{watched.source.name} {watched.connections}"
    assert watched.connections
    assert "secret" not in text


def _offer(own: ScriptedServer, other: ScriptedServer, seen: Seen, segment: bytes) -> None:
    text = playlist(["own.ts?part=1", other.url("other.ts")])
    own.routes["live.m3u8"] = seen.answering("playlist", text.encode())
    own.routes["own.ts"] = seen.answering("own", segment)
    other.routes["other.ts"] = seen.answering("other", segment)
