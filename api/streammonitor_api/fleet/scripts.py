"""Loads the Lua scripts and runs them; one file a script in `lua/`.

A script is its text with `preamble.lua` (the clock: `now_ms()`) and the shared pieces that it
names in a line `-- uses: term claims` put in front. Tests with a clock of their own substitute the
preamble, nothing else.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import redis

from streammonitor_api.errors import FencedError, LostError, VersionError
from streammonitor_api.fleet.connect import RedisSettings, connect
from streammonitor_api.fleet.faults import TROUBLES, unavailable
from streammonitor_api.fleet.records import CONTRACT_VERSION

Argument = str | int | float


def script_names() -> list[str]:
    """All scripts, without the pieces that they share."""
    files = resources.files("streammonitor_api.fleet").joinpath("lua").iterdir()
    names = (file.name.removesuffix(".lua") for file in files if file.name.endswith(".lua"))
    return sorted(name for name in names if name != "preamble" and not name.startswith("include_"))


@cache
def source_text(name: str) -> str:
    """The text of one file in `lua/`, by its name without the suffix."""
    file = resources.files("streammonitor_api.fleet").joinpath("lua", f"{name}.lua")
    return file.read_text(encoding="utf-8")


def script_text(name: str, preamble: str | None = None) -> str:
    """A whole script as Redis gets it."""
    text = source_text(name)
    uses = re.search(r"^-- uses: (.+)$", text, re.MULTILINE)
    shared = [source_text(f"include_{piece}") for piece in uses[1].split()] if uses else []
    first = source_text("preamble") if preamble is None else preamble
    return "\n".join((first, *shared, text))


@dataclass(frozen=True, slots=True)
class Call:
    """One run of a script, to be sent together with others."""

    name: str
    keys: Sequence[str]
    arguments: Sequence[Argument]


class Scripts:
    """The scripts on one connection.

    `address` is what messages call Redis, without credentials.
    """

    def __init__(
        self, client: redis.Redis, address: str = "redis", preamble: str | None = None
    ) -> None:
        self.client = client
        self.address = address
        self._preamble = preamble
        self._texts: dict[str, tuple[str, str]] = {}

    @classmethod
    def open(cls, settings: RedisSettings) -> Scripts:
        """Make the client as well. Raises InputError for settings that cannot be right."""
        return cls(connect(settings), settings.address)

    def run(self, name: str, keys: Sequence[str], arguments: Iterable[Argument] = ()) -> Any:
        """Run a script. Raises UnavailableError."""
        return self.command(lambda client: self._run(client, Call(name, keys, tuple(arguments))))

    def run_many(self, calls: Sequence[Call]) -> list[Any]:
        """Run scripts in one round trip, each atomic by itself, in order.

        Raises UnavailableError if any failed; the others may have been done.
        """
        return self.command(lambda client: self._run_many(client, calls)) if calls else []

    def command(self, work: Callable[[redis.Redis], Any]) -> Any:
        """Do something with the client. Raises UnavailableError for all that Redis may answer.

        What comes back is not typed: redis-py describes answers as text or bytes, now or later.
        """
        try:
            return work(self.client)
        except TROUBLES as error:
            raise unavailable(self.address, error) from error

    def close(self) -> None:
        """Close all connections; the next call opens new ones."""
        self.client.close()

    def _text(self, name: str) -> tuple[str, str]:
        if name not in self._texts:
            text = script_text(name, self._preamble)
            # SHA-1 is how Redis names scripts.
            digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
            self._texts[name] = (digest, text)
        return self._texts[name]

    def _run(self, client: redis.Redis, call: Call) -> Any:
        digest, text = self._text(call.name)
        with contextlib.suppress(redis.exceptions.NoScriptError):
            return client.evalsha(digest, len(call.keys), *call.keys, *call.arguments)
        return client.eval(text, len(call.keys), *call.keys, *call.arguments)

    def _run_many(self, client: redis.Redis, calls: Sequence[Call]) -> list[Any]:
        pipeline: Any = client.pipeline(transaction=False)
        for call in calls:
            digest, _ = self._text(call.name)
            # By its name, as pipelines of a cluster do not have the method.
            pipeline.execute_command("EVALSHA", digest, len(call.keys), *call.keys, *call.arguments)
        replies = pipeline.execute(raise_on_error=False)
        for index, reply in enumerate(replies):
            if isinstance(reply, redis.exceptions.NoScriptError):
                replies[index] = self._run(client, calls[index])
            elif isinstance(reply, Exception):
                raise reply
        return list(replies)


def check_term(reply: Sequence[Any]) -> Sequence[Any]:
    """Pass on the answer to an operator's write.

    Raises FencedError, LostError.
    """
    match reply[0]:
        case "fenced":
            raise FencedError(
                f"operator: another one, {reply[2]}, has taken over with term {reply[1]}; "
                "stopping. Run one operator a fleet"
            )
        case "lost":
            raise LostError(
                "operator: Redis does not know its term any more, so it lost data; "
                "writing specs and assignments anew"
            )
    return reply


def version_error(who: str, stored: object) -> VersionError:
    """Say which side has to be upgraded."""
    peer = "the operator that this fleet had" if who == "operator" else "the operator"
    older, newer = (who, peer) if int(str(stored)) > CONTRACT_VERSION else (peer, who)
    return VersionError(
        f"{who}: speaks version {CONTRACT_VERSION} of the contract, {peer} version {stored}; "
        f"upgrade {older} to the release of {newer}"
    )
