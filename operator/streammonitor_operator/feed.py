"""Keeps the inventory as the resources are: level-based, whoever tells of them and how often.

kopf's handlers feed it in a cluster, a folder of files on one machine. A resource whose generation
is known costs nothing. Those that refer to Secrets wait until these have been looked at, since what
is watched already must not stop meanwhile, and are followed anew when one of them changes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NewType

from streammonitor_api.sealing import FleetKey
from streammonitor_operator.inventory import Inventory, Monitor, MonitorKey
from streammonitor_operator.specs import Followed, SecretSeen, follow, read_resource, secrets_of
from streammonitor_operator.status import read_status

SecretKey = NewType("SecretKey", str)
"""`namespace/name` of a Secret."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What is remembered of a resource."""

    uid: str
    generation: int
    secrets: frozenset[SecretKey] = frozenset()
    written: bytes = b""
    """The resource, where it refers to Secrets: what it takes to follow it anew."""


class Feed:
    """Feeds an inventory. Not for several threads at a time."""

    def __init__(self, inventory: Inventory, key: FleetKey | None) -> None:
        self._inventory = inventory
        self._key = key
        self._known: dict[MonitorKey, _Known] = {}
        self._secrets: dict[SecretKey, SecretSeen] = {}
        self._users: dict[SecretKey, dict[MonitorKey, None]] = {}

    def see(self, written: Mapping[str, Any]) -> None:
        """Take in a resource as it is now."""
        metadata = written["metadata"]
        key = MonitorKey(f"{metadata.get('namespace', 'default')}/{metadata['name']}")
        uid, generation = str(metadata.get("uid", "")), int(metadata.get("generation", 0))
        known = self._known.get(key)
        if known is None or not generation or (known.uid, known.generation) != (uid, generation):
            self._follow(key, written, uid, generation)

    def forget(self, key: MonitorKey) -> None:
        """Take in that a resource is no more."""
        known = self._known.pop(key, None)
        if known is not None:
            self._refer(key, known.secrets, frozenset())
        self._inventory.drop_monitor(key)

    def see_secret(self, secret: SecretKey, seen: SecretSeen) -> None:
        """Take in a Secret, or that there is none: then it keeps the data that it had."""
        before = self._secrets.get(secret)
        if seen.data is None and before is not None:
            seen = replace(seen, data=before.data)
        if seen == before:
            return
        self._secrets[secret] = seen
        for monitor in list(self._users.get(secret, ())):
            known = self._known[monitor]
            self._follow(monitor, json.loads(known.written), known.uid, known.generation)

    @property
    def monitors(self) -> Iterable[MonitorKey]:
        """All resources that are known."""
        return self._known.keys()

    @property
    def waits(self) -> bool:
        """Whether any resource waits for a Secret that has not been looked at."""
        return any(secret not in self._secrets for secret in self._users)

    def uid(self, key: MonitorKey) -> str | None:
        """The uid of a resource; None for one that is not known any more."""
        known = self._known.get(key)
        return None if known is None else known.uid

    def needed_secrets(self) -> Iterator[tuple[SecretKey, SecretSeen | None]]:
        """All Secrets that a resource refers to, with what is known of them."""
        for secret in list(self._users):
            yield secret, self._secrets.get(secret)

    def _follow(
        self, key: MonitorKey, written: Mapping[str, Any], uid: str, generation: int
    ) -> None:
        """Put into the inventory what a resource comes to, once its Secrets are known."""
        monitor, fault = read_resource(written)
        namespace = key.partition("/")[0]
        names = frozenset[str]() if monitor is None else secrets_of(monitor.spec)
        needed = {name: SecretKey(f"{namespace}/{name}") for name in names}
        before = self._known.get(key)
        secrets = frozenset(needed.values())
        self._refer(key, frozenset() if before is None else before.secrets, secrets)
        kept = json.dumps(dict(written), default=str).encode() if secrets else b""
        self._known[key] = _Known(uid, generation, secrets, kept)
        if not secrets <= self._secrets.keys():
            return
        followed = Followed((), fault)
        if monitor is not None:
            seen = {name: self._secrets[secret] for name, secret in needed.items()}
            followed = follow(monitor, seen, self._key, fault)
        self._inventory.put_monitor(
            Monitor(
                key,
                generation,
                followed.specs,
                monitor is not None and monitor.spec.suspend,
                followed.fault,
                uid,
                last_status=read_status(written.get("status")),
            )
        )

    def _refer(
        self, monitor: MonitorKey, before: frozenset[SecretKey], after: frozenset[SecretKey]
    ) -> None:
        """Keep who uses which Secret; what nobody uses is forgotten."""
        for secret in after - before:
            self._users.setdefault(secret, {})[monitor] = None
        for secret in before - after:
            users = self._users.get(secret, {})
            users.pop(monitor, None)
            if not users:
                self._users.pop(secret, None)
                self._secrets.pop(secret, None)
