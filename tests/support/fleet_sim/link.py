"""The way from one machine to Redis, where requests and replies get lost, late or come twice.

`LinkedRedis` is a `redis.Redis` whose commands go through a `Link` instead of a socket: the typed
calls of the product run unchanged on it. A link is either up, cut, or unreliable. What can happen
to a command on an unreliable one is what happens on a network with a client that waits a limited
time:

    lost       never executed; the caller waits in vain
    unheard    executed, its reply lost; the caller waits in vain
    late       the caller waits in vain, then it is executed after all
    repeated   executed and answered, and executed again later

Calls take no time, as they are synchronous; who waits in vain is told to stand still afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

import redis
from redis.client import Pipeline
from redis.exceptions import ConnectionError as Unreachable
from redis.exceptions import NoScriptError, ResponseError
from redis.exceptions import TimeoutError as NoAnswer

from tests.support.fleet_sim.clock import Clock

if TYPE_CHECKING:
    from tests.support.fleet_sim.servers import Server

Command = tuple[Any, ...]

LATE_S = (0.05, 8.0)
"""When a late or repeated command arrives after all: from soon to after a failover."""
WAIT_S = 1.0
"""How long a caller waits in vain."""


@dataclass
class Link:
    """How one machine reaches the server; `stand_still` is told how long a caller waits."""

    clock: Clock
    server: Server
    random: Random
    cut: bool = False
    trouble: float = 0.0
    """The share of commands that something happens to."""
    stand_still: Callable[[float], None] = lambda _: None
    note: Callable[[str], None] = lambda _: None
    calls: int = field(default=0)

    def send(self, commands: Sequence[Command]) -> list[Any]:
        """Execute a batch and return the raw replies; raises what redis-py raises."""
        self.calls += 1
        if self.cut or not self.server.up:
            raise Unreachable("simulated: no connection to Redis")
        if self.trouble and self.random.random() < self.trouble:
            return self._troubled(commands)
        return self.server.batch(commands)

    def _troubled(self, commands: Sequence[Command]) -> list[Any]:
        fate = self.random.choice(("lost", "unheard", "late", "repeated"))
        self.note(f"{fate}: {_described(commands)}")

        def later() -> None:
            if self.server.up:
                self.server.batch(commands)

        match fate:
            case "unheard":
                self.server.batch(commands)
            case "late":
                self.clock.after(self.random.uniform(*LATE_S), later)
            case "repeated":
                self.clock.after(self.random.uniform(*LATE_S), later)
                return self.server.batch(commands)
        self.stand_still(WAIT_S)
        raise NoAnswer("simulated: no answer from Redis in time")


class LinkedRedis(redis.Redis):
    """A client of the simulated network, with redis-py's own parsing of replies."""

    def __init__(self, link: Link, *, decode_responses: bool = False) -> None:
        super().__init__(protocol=2, decode_responses=decode_responses)
        self.link = link
        self._decodes = decode_responses

    def execute_command(self, *args: Any, **options: Any) -> Any:
        (reply,) = self.link.send([args])
        return self.understood(args, reply, options)

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Any:
        return _LinkedPipeline(self, transaction)

    def understood(self, command: Command, reply: Any, options: dict[str, Any]) -> Any:
        if isinstance(reply, ResponseError):
            raise reply
        if self._decodes:
            reply = _decoded(reply)
        callbacks: Any = self.response_callbacks
        callback = callbacks.get(str(command[0]).upper())
        options.pop("keys", None)
        return reply if callback is None else callback(reply, **options)


class _LinkedPipeline(Pipeline):
    """Commands collected and sent together; watching keys is not simulated."""

    def __init__(self, client: LinkedRedis, transaction: bool) -> None:
        super().__init__(client.connection_pool, client.response_callbacks, transaction, None)
        self._client = client

    def execute_command(self, *args: Any, **options: Any) -> Any:
        return self.pipeline_execute_command(*args, **options)

    def load_scripts(self) -> None:
        for script in self.scripts:
            script.sha = self._client.script_load(script.script)

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        stack = list(self.command_stack)
        try:
            if not stack:
                return []
            if self.scripts:
                self.load_scripts()
            replies = self._client.link.send([args for args, _ in stack])
        finally:
            self.command_stack, self.scripts = [], set()
        results: list[Any] = []
        for (args, options), reply in zip(stack, replies, strict=True):
            try:
                results.append(self._client.understood(args, reply, options))
            except ResponseError as error:
                if raise_on_error:
                    raise
                results.append(error)
        return results


def refusal(text: str) -> ResponseError:
    """The error that redis-py makes of a server's refusal."""
    if text.startswith("NOSCRIPT "):
        return NoScriptError(text.removeprefix("NOSCRIPT "))
    return ResponseError(text)


def _decoded(reply: Any) -> Any:
    if isinstance(reply, bytes):
        return reply.decode()
    return [_decoded(member) for member in reply] if isinstance(reply, list) else reply


def _described(commands: Sequence[Command]) -> str:
    """The first command's name and keys, for traces."""
    name, *arguments = commands[0]
    more = f" and {len(commands) - 1} more" if len(commands) > 1 else ""
    return f"{name} {' '.join(str(one)[:40] for one in arguments[:4])}{more}"
