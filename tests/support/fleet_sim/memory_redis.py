"""Redis in this process, for volume: the product's own Lua scripts run over plain dictionaries.

Each script runs unchanged in Lua 5.1, the language of Redis' scripts (`lua_host.py`), so what is
simulated is what will run. Only the commands that the product uses exist here, each as small as
Redis' documentation allows; another one fails loudly. That this behaves as Redis does is not
believed but compared: the same seeds run on a real redis-server too, and their traces have to be
equal. Keys do not expire: those that do, do so after 30 days.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from tests.support.fleet_sim.lua_host import CommandError, LuaHost, Reply, Status, as_argument

Arguments = Sequence[str]


class MemoryRedis:
    """A server: `execute` is one command, atomic as in Redis.

    `wall` tells its clock: seconds since 1970. `edit` may change a script before it is compiled.
    """

    def __init__(
        self, wall: Callable[[], float], edit: Callable[[str], str] = lambda source: source
    ) -> None:
        self._wall = wall
        self._keys: dict[str, Any] = {}
        self._scripts = LuaHost(self.execute, edit)
        self.touched: list[tuple[str, str]] = []
        """Fields of hashes and entries of streams that were written, as (key, field), in order."""
        self._commands: dict[str, Callable[[Arguments], Reply]] = {
            name.removeprefix("_do_").upper(): getattr(self, name)
            for name in dir(self)
            if name.startswith("_do_")
        }

    def execute(self, *command: str) -> Reply:
        """Run one command; raises CommandError for what a server refuses."""
        handler = self._commands.get(command[0].upper())
        if handler is None:
            raise NotImplementedError(f"{command[0]}: not a command of the simulated Redis yet")
        return handler(command[1:])

    def snapshot(self) -> Any:
        """Everything that is stored, as a value for `restore`: what a dump file would hold."""
        return _copied(self._keys)

    def restore(self, snapshot: Any) -> None:
        self._keys = _copied(snapshot)

    def flush(self) -> None:
        """Lose all data, and the scripts that were loaded."""
        self._keys = {}
        self._scripts.forget()

    def _do_eval(self, arguments: Arguments) -> Reply:
        return self._scripts.eval(arguments[0], arguments[1:])

    def _do_evalsha(self, arguments: Arguments) -> Reply:
        return self._scripts.evalsha(arguments[0], arguments[1:])

    def _do_pexpire(self, arguments: Arguments) -> Reply:
        return int(arguments[0] in self._keys)

    def _get(self, key: str, kind: type[Any]) -> Any:
        """What a key holds, an empty one when there is none (which is not stored)."""
        value = self._keys.get(key)
        if value is None:
            return kind()
        if type(value) is not kind:
            raise CommandError("WRONGTYPE Operation against a key holding the wrong kind of value")
        return value

    def _put(self, key: str, value: Any) -> None:
        """Store what a key holds now; Redis has no empty collections."""
        if value or isinstance(value, str | Stream):
            self._keys[key] = value
        else:
            self._keys.pop(key, None)

    def _do_time(self, _: Arguments) -> Reply:
        micros = round(self._wall() * 1_000_000)
        return [str(micros // 1_000_000), str(micros % 1_000_000)]

    def _do_del(self, arguments: Arguments) -> Reply:
        return sum(self._keys.pop(key, None) is not None for key in arguments)

    def _do_get(self, arguments: Arguments) -> Reply:
        return self._get(arguments[0], str) if arguments[0] in self._keys else None

    def _do_set(self, arguments: Arguments) -> Reply:
        self._keys[arguments[0]] = arguments[1]
        return Status("OK")

    def _do_hset(self, arguments: Arguments) -> Reply:
        hash_ = self._get(arguments[0], dict)
        pairs = dict(zip(arguments[1::2], arguments[2::2], strict=True))
        new = sum(name not in hash_ for name in pairs)
        hash_.update(pairs)
        self._keys[arguments[0]] = hash_
        self.touched += [(arguments[0], name) for name in pairs]
        return new

    def _do_hsetnx(self, arguments: Arguments) -> Reply:
        if arguments[1] in self._get(arguments[0], dict):
            return 0
        return self._do_hset(arguments)

    def _do_hincrby(self, arguments: Arguments) -> Reply:
        key, name, step = arguments
        value = int(self._get(key, dict).get(name, "0")) + int(step)
        self._do_hset([key, name, str(value)])
        return value

    def _do_hget(self, arguments: Arguments) -> Reply:
        return self._get(arguments[0], dict).get(arguments[1])

    def _do_hmget(self, arguments: Arguments) -> Reply:
        hash_ = self._get(arguments[0], dict)
        return [hash_.get(name) for name in arguments[1:]]

    def _do_hgetall(self, arguments: Arguments) -> Reply:
        return [part for pair in self._get(arguments[0], dict).items() for part in pair]

    def _do_hkeys(self, arguments: Arguments) -> Reply:
        return list(self._get(arguments[0], dict))

    def _do_hvals(self, arguments: Arguments) -> Reply:
        return list(self._get(arguments[0], dict).values())

    def _do_hlen(self, arguments: Arguments) -> Reply:
        return len(self._get(arguments[0], dict))

    def _do_hexists(self, arguments: Arguments) -> Reply:
        return int(arguments[1] in self._get(arguments[0], dict))

    def _do_hdel(self, arguments: Arguments) -> Reply:
        hash_ = self._get(arguments[0], dict)
        gone = sum(hash_.pop(name, None) is not None for name in arguments[1:])
        self.touched += [(arguments[0], name) for name in arguments[1:]]
        self._put(arguments[0], hash_)
        return gone

    def _do_zadd(self, arguments: Arguments) -> Reply:
        members = self._get(arguments[0], Sorted)
        pairs = dict(zip(arguments[2::2], map(float, arguments[1::2]), strict=True))
        new = sum(member not in members for member in pairs)
        members.update(pairs)
        self._keys[arguments[0]] = members
        return new

    def _do_zrem(self, arguments: Arguments) -> Reply:
        members = self._get(arguments[0], Sorted)
        gone = sum(members.pop(member, None) is not None for member in arguments[1:])
        self._put(arguments[0], members)
        return gone

    def _do_zscore(self, arguments: Arguments) -> Reply:
        score = self._get(arguments[0], Sorted).get(arguments[1])
        return None if score is None else as_argument(score)

    def _do_zrangebyscore(self, arguments: Arguments) -> Reply:
        low, high = float(arguments[1]), float(arguments[2])
        members = self._get(arguments[0], Sorted).items()
        ordered = sorted((score, member) for member, score in members if low <= score <= high)
        found = [member for _, member in ordered]
        return found[: int(arguments[5])] if len(arguments) > 3 else found

    def _do_xadd(self, arguments: Arguments) -> Reply:
        stream = self._get(arguments[0], Stream)
        rest = list(arguments[1:])
        limit: int | None = None
        while rest[0].upper() in ("NOMKSTREAM", "MAXLEN"):
            if rest.pop(0).upper() == "MAXLEN":
                if rest[0] in ("~", "="):
                    rest.pop(0)
                limit = int(rest.pop(0))
        identifier = stream.add(rest[0], list(rest[1:]), self._wall())
        if limit is not None:
            del stream.entries[: max(0, len(stream.entries) - limit)]
        self._keys[arguments[0]] = stream
        self.touched.append((arguments[0], identifier))
        return identifier

    def _do_xrange(self, arguments: Arguments) -> Reply:
        low, high = _stream_bound(arguments[1], 0), _stream_bound(arguments[2], 2**63)
        found = [
            [f"{at[0]}-{at[1]}", list(fields)]
            for at, fields in self._get(arguments[0], Stream).entries
            if low <= at <= high
        ]
        return found[: int(arguments[4])] if len(arguments) > 4 else found

    def _do_xread(self, arguments: Arguments) -> Reply:
        """Without blocking: nobody else can add anything meanwhile."""
        names = [one.upper() for one in arguments]
        count = int(arguments[names.index("COUNT") + 1]) if "COUNT" in names else -1
        rest = arguments[names.index("STREAMS") + 1 :]
        found: list[Reply] = []
        for key, after in zip(rest[: len(rest) // 2], rest[len(rest) // 2 :], strict=True):
            if after == "$":
                continue
            entries = self._do_xrange((key, f"({after}", "+"))
            if entries:
                found.append([key, entries[:count] if count >= 0 else entries])
        return found or None

    def _do_xrevrange(self, arguments: Arguments) -> Reply:
        found = self._do_xrange((arguments[0], arguments[2], arguments[1]))[::-1]
        return found[: int(arguments[4])] if len(arguments) > 4 else found


class Sorted(dict[str, float]):
    """The members of a sorted set with their scores."""


class Stream:
    """The entries of a stream, in order, with the last identifier given."""

    __slots__ = ("entries", "last")

    def __init__(self) -> None:
        self.entries: list[tuple[tuple[int, int], list[str]]] = []
        self.last = (0, 0)

    def add(self, identifier: str, fields: list[str], wall: float) -> str:
        if identifier == "*":
            millis = max(math.floor(wall * 1000), self.last[0])
            at = (millis, self.last[1] + 1 if millis == self.last[0] else 0)
        else:
            first, _, second = identifier.partition("-")
            at = (int(first), int(second or 0))
            if at <= self.last:
                raise CommandError(
                    "ERR The ID specified in XADD is equal or smaller than the target stream "
                    "top item"
                )
        self.last = at
        self.entries.append((at, fields))
        return f"{at[0]}-{at[1]}"


def _copied(value: Any) -> Any:
    if isinstance(value, Stream):
        copy = Stream()
        copy.entries, copy.last = list(value.entries), value.last
        return copy
    if isinstance(value, Sorted):
        return Sorted(value)
    if isinstance(value, dict):
        return {name: _copied(member) for name, member in value.items()}
    return value


def _stream_bound(text: str, sequence: int) -> tuple[float, float]:
    if text in ("-", "+"):
        return (-math.inf, 0) if text == "-" else (math.inf, 0)
    exclusive = text.startswith("(")
    first, dash, second = text.removeprefix("(").partition("-")
    at = (int(first), int(second) if dash else sequence)
    return (at[0], at[1] + (0.5 if sequence == 0 else -0.5)) if exclusive else at
