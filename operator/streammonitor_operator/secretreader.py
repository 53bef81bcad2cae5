"""Reads the Secrets that monitors refer to, and no others: by name, again and again.

Not by a watch: that would need the right to list every Secret of the namespaces, and would bring
all of them here. One that is missing is asked for every two seconds, one that is there every ten.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from streammonitor_operator.clients.kubernetes import Kubernetes, KubernetesError
from streammonitor_operator.feed import Feed, SecretKey
from streammonitor_operator.specs import SecretSeen

PRESENT_S = 10.0
MISSING_S = 2.0
_TICK_S = 0.5
_MOST_A_TICK = 10
"""Requests in a tick: 20 a second at most, however many Secrets there are. The turns of more than
200 take longer."""

_log = logging.getLogger("streammonitor.operator")


class SecretReader:
    """Keeps a feed's Secrets as they are."""

    def __init__(self, kubernetes: Kubernetes, feed: Feed, *, clock: Callable[[], float]) -> None:
        self._kubernetes = kubernetes
        self._feed = feed
        self._clock = clock
        self._read_at: dict[SecretKey, float] = {}

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            await self.read_due()
            await asyncio.sleep(_TICK_S)

    async def read_due(self) -> None:
        """Read those whose time has come, the longest waiting first."""
        now = self._clock()
        needed = dict(self._feed.needed_secrets())
        self._read_at = {key: at for key, at in self._read_at.items() if key in needed}
        due = [key for key, seen in needed.items() if self._is_due(key, seen, now)]
        due.sort(key=lambda key: self._read_at.get(key, float("-inf")))
        await asyncio.gather(*(self._read(key) for key in due[:_MOST_A_TICK]))

    def _is_due(self, key: SecretKey, seen: SecretSeen | None, now: float) -> bool:
        if seen is None or key not in self._read_at:
            return True
        every_s = MISSING_S if seen.problem else PRESENT_S
        return now - self._read_at[key] >= every_s

    async def _read(self, key: SecretKey) -> None:
        namespace, _, name = key.partition("/")
        self._read_at[key] = self._clock()
        try:
            secret = await self._kubernetes.get(f"/api/v1/namespaces/{namespace}/secrets/{name}")
        except KubernetesError as error:
            if error.status == 404:
                self._feed.see_secret(key, SecretSeen(None, "does not exist; create it"))
            elif error.status == 403:
                problem = "the operator may not read it; grant it get on secrets there"
                self._feed.see_secret(key, SecretSeen(None, problem))
            else:  # nothing is known of it, so nothing changes
                _log.warning("Secret %s could not be read, tried again: %s", key, error)
            return
        data = {str(name): str(value) for name, value in (secret.get("data") or {}).items()}
        self._feed.see_secret(key, SecretSeen(data))
