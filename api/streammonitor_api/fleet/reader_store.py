"""What anybody may read: the command line, the operator, tests. See `store.py`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from streammonitor_api.errors import VersionError
from streammonitor_api.fleet.keys import Keys
from streammonitor_api.fleet.records import (
    CoverageTotal,
    FleetSeen,
    Gap,
    OpenIncident,
    OperatorSeen,
    RecordedEvent,
    StreamSpec,
    Written,
)
from streammonitor_api.fleet.scripts import Scripts
from streammonitor_api.fleet.stored import (
    read_beats,
    read_ended_gap,
    read_event,
    read_flat,
    read_operator,
    readable,
    with_tables,
)
from streammonitor_api.names import FleetName, StreamKey, WorkerId

PAGE = 500
"""Entries that are read at a time."""


class ReaderStore:
    """What anybody may read."""

    def __init__(self, scripts: Scripts, fleet: FleetName) -> None:
        self._scripts = scripts
        self.keys = Keys(fleet)

    def read_fleet(self) -> FleetSeen:
        """All workers with all their tables."""
        return read_fleet(self._scripts, self.keys, {})

    def read_operator(self) -> OperatorSeen | None:
        return read_operator(self._hash(self.keys.term))

    def read_specs(self) -> dict[StreamKey, StreamSpec]:
        specs = readable(StreamSpec, self._hash(self.keys.specs).values())
        return {spec.stream: spec for spec in specs}

    def read_open_incidents(self) -> list[OpenIncident]:
        return readable(OpenIncident, self._hash(self.keys.open).values())

    def read_coverage(self) -> dict[StreamKey, CoverageTotal]:
        stored = self._hash(self.keys.coverage)
        return {StreamKey(key): CoverageTotal.from_json(text) for key, text in stored.items()}

    def read_gaps(self, since_ms: int = 0) -> list[Gap]:
        """Gaps that ended after a time, the oldest first, then those that last."""
        ended = self._scripts.command(lambda client: client.xrange(self.keys.gaps, since_ms, "+"))
        lasting = readable(Gap, self._hash(self.keys.open_gaps).values())
        return [
            *(read_ended_gap(fields["gap"], fields["to_ms"]) for _, fields in ended),
            *sorted(lasting, key=lambda gap: gap.from_ms),
        ]

    def read_events(self, since_ms: int = 0, *, merged: bool = False) -> Iterator[RecordedEvent]:
        """The history from a time (Redis' clock, ms) to now, in order; with `merged`, also what
        older owners saw of incidents of newer ones."""
        first = str(since_ms)
        while True:
            entries = self._page(first)
            yield from _events(entries, merged)
            if len(entries) < PAGE:
                return
            first = f"({entries[-1][0]}"

    def last_entry(self) -> str:
        """The newest event's entry, to follow from; "0-0" where there is none."""
        newest = self._scripts.command(
            lambda client: client.xrevrange(self.keys.events, "+", "-", count=1)
        )
        return str(newest[0][0]) if newest else "0-0"

    def follow_events(
        self, after: str, *, wait_s: float, merged: bool = False
    ) -> tuple[list[RecordedEvent], str]:
        """Events after an entry ("0-0": all), and the entry to go on from.

        Waits for the next event, at most `wait_s` (under the timeout of the connection).
        """
        reply = self._scripts.command(
            lambda client: client.xread({self.keys.events: after}, PAGE, block_ms(wait_s))
        )
        entries = [entry for _, some in reply or () for entry in some]
        return list(_events(entries, merged)), entries[-1][0] if entries else after

    def _page(self, first: str) -> list[Any]:
        return list(
            self._scripts.command(lambda client: client.xrange(self.keys.events, first, "+", PAGE))
        )

    def _hash(self, key: str) -> dict[str, str]:
        return read_hash(self._scripts, key)


def read_hash(scripts: Scripts, key: str) -> dict[str, str]:
    """All of a hash."""
    return read_flat(scripts.command(lambda client: client.hgetall(key)))


def read_fleet(scripts: Scripts, keys: Keys, known: Mapping[WorkerId, int]) -> FleetSeen:
    """All heartbeats, and the tables whose serial differs from the known one."""
    redis_ms, flat, writes, newest = scripts.run("read_fleet", [keys.beats, keys.term, keys.events])
    at_ms, _, number = str(newest).partition("-")
    written = Written(int(writes), (int(at_ms), int(number)))
    seen = replace(read_beats(int(redis_ms), flat), written=written)
    changed = [
        worker for worker, one in seen.workers.items() if known.get(worker) != one.beat.table_serial
    ]
    if not changed:
        return seen
    texts = scripts.command(lambda client: client.hmget(keys.tables, changed))
    return with_tables(seen, changed, texts)


def block_ms(wait_s: float) -> int | None:
    """How long Redis is to block: at least 1 ms, as 0 is for ever; None, not at all, for 0.

    An idle Redis ends a block when it next looks at its clients, up to 100 ms later.
    """
    return max(1, round(wait_s * 1000)) if wait_s > 0 else None


def _events(entries: Iterable[Any], merged: bool) -> Iterator[RecordedEvent]:
    """Those that can be read: one of another version must not hide all that come after it."""
    for entry, fields in entries:
        with contextlib.suppress(VersionError):
            event = read_event(entry, fields)
            if merged or event.merged_into is None:
                yield event
