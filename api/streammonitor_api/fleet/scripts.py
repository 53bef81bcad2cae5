"""Loads the Lua scripts and runs them; one file a script in `lua/`.

A script is its text with `preamble.lua` (the clock: `now_ms()`) and the shared pieces that it
names in a line `-- uses: term claims` put in front. Tests with a clock of their own substitute the
preamble, nothing else.
"""

from __future__ import annotations

from typing import Any

import redis


class Scripts:
    """The scripts on one connection."""

    def __init__(self, client: redis.Redis, preamble: str | None = None) -> None:
        self.client = client
        self._preamble = preamble

    def run(self, name: str, keys: list[str], arguments: list[Any]) -> Any:
        """Run a script by its file's name without the suffix."""
        raise NotImplementedError
