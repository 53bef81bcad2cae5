"""Whether a watch delivers: what a list says, compared with what the watch said. Pure.

A watch can die silently, and one that was interrupted for long does not tell what was deleted
meanwhile. So the names and versions of all objects are listed now and then. What the list has and
the watch has not told for `LATE_S` says that the watch is dead; what the watch told and two lists
in a row do not have is gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

LATE_S = 45.0
"""A busy API server delivers within a second or two. Longer than from one comparison to the next,
as a list may also be older than what the watch told; shorter than kopf waits for a watch that is
silent (70 s)."""


@dataclass(slots=True)
class Delivery:
    """What a watch told of one kind of object. Times are of a monotonic clock, in seconds."""

    kind: str
    _told: dict[str, str] = field(default_factory=dict)
    """Versions of objects, the latest that the watch told."""
    _late: dict[str, float] = field(default_factory=dict)
    """Objects that the list has in another version, and that were not told since: since when."""
    _latest: float | None = None
    """When the watch told anything, or was first compared."""
    _absent: dict[str, None] = field(default_factory=dict)
    """Objects that the last list did not have."""
    _awaited: set[str] | None = None
    """Of the first list, those that the watch has not told yet; None before there was a list."""

    def tell(self, key: str, version: str, now: float) -> None:
        """The watch told of an object."""
        self._told[key] = version
        self._late.pop(key, None)
        self._latest = now
        if self._awaited:
            self._awaited.discard(key)

    def tell_gone(self, key: str) -> None:
        """The watch told that an object is no more."""
        for known in (self._told, self._late, self._absent):
            known.pop(key, None)
        if self._awaited:
            self._awaited.discard(key)

    @property
    def has_told_all(self) -> bool:
        """Whether the watch has told everything that was there at the start."""
        return self._awaited is not None and not self._awaited

    def compare(self, listed: Mapping[str, str], now: float) -> list[str]:
        """Compare with a list of versions; returns what is gone."""
        if self._latest is None:
            self._latest = now
        if self._awaited is None:
            self._awaited = listed.keys() - self._told.keys()
        else:
            self._awaited &= listed.keys()
        self._compare_versions(listed, now)
        absent = [key for key in self._told if key not in listed]
        gone = [key for key in absent if key in self._absent]
        self._absent = dict.fromkeys(absent)
        for key in gone:
            self.tell_gone(key)
        return gone

    def problem(self, now: float) -> str | None:
        """Why the watch must be taken for dead; None while it delivers."""
        late = [key for key, since in self._late.items() if now - since > LATE_S]
        if not late or self._is_beginning(now):
            return None
        named = ", ".join(sorted(late)[:3])
        return (
            f"the watch of {self.kind} is dead: {len(late)} changed more than {LATE_S:g} s ago and "
            f"it did not tell ({named}); restart the operator"
        )

    def _is_beginning(self, now: float) -> bool:
        """Whether it is still telling what was there at the start, be it ever so much."""
        return not self.has_told_all and self._latest is not None and now - self._latest <= LATE_S

    def _compare_versions(self, listed: Mapping[str, str], now: float) -> None:
        self._late = {
            key: self._late.get(key, now)
            for key, version in listed.items()
            if self._told.get(key) != version
        }


def versions(objects: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """The versions of listed objects, by `namespace/name`."""
    return {f"{one.get('namespace', '')}/{one['name']}": one["resourceVersion"] for one in objects}
