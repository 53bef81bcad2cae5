"""Runs the product's Redis scripts in this process: Lua 5.1, as in Redis, over any commands.

What Redis gives to scripts is given here, as far as the product uses it: `redis.call`, `TIME` in
place of its clock, `cjson.encode` of texts.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from typing import Any

import lupa.lua51 as lua

Reply = Any
"""As redis-py reads RESP2, but text is str in latin-1: one character a byte."""


class CommandError(Exception):
    """What a real server answers with a line that begins with `-`."""


class Status(str):
    """A simple string such as OK, which scripts see as a table."""

    __slots__ = ()


class LuaHost:
    """Scripts by their SHA-1. `execute` runs a command; `edit` may change a script before it is
    compiled."""

    def __init__(self, execute: Callable[..., Reply], edit: Callable[[str], str]) -> None:
        self._execute = execute
        self._edit = edit
        self._scripts: dict[str, Any] = {}
        self._lua = lua.LuaRuntime(
            encoding="latin-1", source_encoding="latin-1", unpack_returned_tuples=True
        )
        self._table = self._lua.table_from
        globals_ = self._lua.globals()
        globals_.redis = self._table({"call": self._call})
        globals_.cjson = self._table({"encode": self._encode})

    def forget(self) -> None:
        self._scripts = {}

    def eval(self, source: str, arguments: Sequence[str]) -> Reply:
        sha = hashlib.sha1(source.encode("latin-1"), usedforsecurity=False).hexdigest()
        if sha not in self._scripts:
            try:
                compiled = self._lua.eval(f"function(KEYS, ARGV) {self._edit(source)}\nend")
            except lua.LuaError as error:
                raise CommandError(f"ERR Error compiling script: {error}") from None
            self._scripts[sha] = compiled
        return self.evalsha(sha, arguments)

    def evalsha(self, sha: str, arguments: Sequence[str]) -> Reply:
        if sha not in self._scripts:
            raise CommandError("NOSCRIPT No matching script. Please use EVAL.")
        count = int(arguments[0])
        keys, values = arguments[1 : 1 + count], arguments[1 + count :]
        try:
            result = self._scripts[sha](self._table(keys), self._table(values))
        except lua.LuaError as error:
            raise CommandError(f"ERR {error} script: {sha}") from None
        return self._from_lua(result)

    def _call(self, *arguments: Any) -> Any:
        return self._to_lua(self._execute(*map(as_argument, arguments)))

    def _encode(self, value: Any) -> str:
        if not isinstance(value, str):
            raise NotImplementedError("cjson.encode of anything but a text")
        return json.dumps(value, ensure_ascii=False)

    def _to_lua(self, reply: Reply) -> Any:
        if reply is None:
            return False
        if isinstance(reply, Status):
            return self._table({"ok": str(reply)})
        if isinstance(reply, list):
            return self._table([self._to_lua(member) for member in reply])
        return reply

    def _from_lua(self, value: Any) -> Reply:
        if value is None or value is False:
            return None
        if value is True:
            return 1
        if isinstance(value, int | float):
            return math.trunc(value)
        if isinstance(value, str):
            return value
        members: list[Reply] = []
        for index in range(1, len(value) + 1):
            if value[index] is None:
                break
            members.append(self._from_lua(value[index]))
        return members


def as_argument(value: Any) -> str:
    """What Redis makes of an argument that a script gives."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CommandError("ERR Lua redis() command arguments must be strings or integers")
    return f"{value:.17g}"
