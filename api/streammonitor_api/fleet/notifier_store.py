"""The consumer group that notifications are sent from: each event goes to one living worker.

An event that a worker took and did not acknowledge goes to another one. See `store.py`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import redis

from streammonitor_api.errors import VersionError
from streammonitor_api.fleet.keys import Keys
from streammonitor_api.fleet.reader_store import block_ms, read_hash
from streammonitor_api.fleet.records import OpenIncident, RecordedEvent
from streammonitor_api.fleet.scripts import Scripts
from streammonitor_api.fleet.stored import read_event, readable
from streammonitor_api.names import FleetName

GROUP = "notify"
CONSUMER_GONE_MS = 24 * 3600 * 1000
SENT_KEPT_S = 24 * 3600
"""Far longer than anything is tried."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event that the group handed to this consumer, until it is acknowledged."""

    entry: str
    event: RecordedEvent | None
    """None: the history was cut before it was sent, or it cannot be read. Acknowledge it."""
    times: int
    """How often it was handed out, this time included."""


class NotifierStore:
    """One consumer of the group; the group is made where it is missing, from the oldest event."""

    def __init__(self, scripts: Scripts, fleet: FleetName, consumer: str) -> None:
        self._scripts = scripts
        self.keys = Keys(fleet)
        self.consumer = consumer

    def take(self, *, count: int, wait_s: float) -> list[Delivery]:
        """Events that nobody has had; waits for the next one, at most `wait_s`."""
        reply = self._in_group(
            lambda client: client.xreadgroup(
                GROUP, self.consumer, {self.keys.events: ">"}, count, block_ms(wait_s)
            )
        )
        return [_delivery(entry, 1) for _, entries in reply or () for entry in entries]

    def take_over(self, *, idle_s: float, count: int) -> list[Delivery]:
        """Events that a consumer, this one or another, took at least `idle_s` ago."""
        idle_ms = round(idle_s * 1000)
        reply = self._in_group(
            lambda client: client.xpending_range(
                self.keys.events, GROUP, "-", "+", count, idle=idle_ms
            )
        )
        times = {str(one["message_id"]): int(one["times_delivered"]) for one in reply}
        if not times:
            return []
        claimed = self._in_group(
            lambda client: client.xclaim(
                self.keys.events, GROUP, self.consumer, idle_ms, list(times)
            )
        )
        taken = [_delivery(entry, times[entry[0]] + 1) for entry in claimed if entry[0]]
        gone = self._gone(times)
        return [*taken, *(Delivery(entry, None, times[entry] + 1) for entry in gone)]

    def keep(self, entries: Sequence[str]) -> None:
        """Say that these are still being worked on, so that nobody takes them over."""
        if entries:
            self._in_group(
                lambda client: client.xclaim(
                    self.keys.events, GROUP, self.consumer, 0, list(entries), justid=True
                )
            )

    def acknowledge(self, entries: Sequence[str]) -> None:
        """These have been dealt with, for good."""
        if entries:
            self._in_group(lambda client: client.xack(self.keys.events, GROUP, *entries))

    def note_sent(self, entry: str, targets: Collection[str]) -> None:
        """These targets have the event, others do not yet: whoever goes on spares them."""
        if targets:
            key = self.keys.sent(entry)

            def note(client: redis.Redis) -> None:
                pipeline = client.pipeline(transaction=True)
                pipeline.sadd(key, *targets)
                pipeline.expire(key, SENT_KEPT_S)
                pipeline.execute()

            self._scripts.command(note)

    def read_sent(self, entry: str) -> set[str]:
        """Targets that have the event."""
        return set(self._scripts.command(lambda client: client.smembers(self.keys.sent(entry))))

    def is_open(self, incident: str) -> bool:
        return bool(self._scripts.command(lambda client: client.hexists(self.keys.open, incident)))

    def read_open_incidents(self) -> list[OpenIncident]:
        return readable(OpenIncident, read_hash(self._scripts, self.keys.open).values())

    def hold_alerting(self, for_s: float) -> bool:
        """Be the one that tells Alertmanagers again, for so long; False: another one is."""

        def hold(client: redis.Redis) -> bool:
            for_ms = round(for_s * 1000)
            if client.set(self.keys.alerting, self.consumer, nx=True, px=for_ms):
                return True
            if client.get(self.keys.alerting) != self.consumer:
                return False
            return bool(client.pexpire(self.keys.alerting, for_ms))

        return bool(self._scripts.command(hold))

    def leave(self) -> None:
        """Remove this consumer and those that are gone for a day, but none that has events which
        it did not acknowledge: they would be forgotten with it."""

        def remove(client: redis.Redis) -> None:
            consumers: Any = client.xinfo_consumers(self.keys.events, GROUP)
            for one in consumers:
                gone = one["name"] == self.consumer or int(one["idle"]) > CONSUMER_GONE_MS
                if gone and not int(one["pending"]):
                    client.xgroup_delconsumer(self.keys.events, GROUP, one["name"])

        self._in_group(remove)

    def _gone(self, times: dict[str, int]) -> list[str]:
        """Those that were cut off the history before they could be sent."""

        def look(client: redis.Redis) -> list[Any]:
            pipeline = client.pipeline(transaction=False)
            for entry in times:
                pipeline.xrange(self.keys.events, entry, entry)
            return list(pipeline.execute())

        found = self._scripts.command(look)
        return [entry for entry, there in zip(times, found, strict=True) if not there]

    def _in_group(self, work: Callable[[redis.Redis], Any]) -> Any:
        """Do something with the group; it is made anew where Redis lost it."""

        def attempt(client: redis.Redis) -> Any:
            try:
                return work(client)
            except redis.ResponseError as error:
                if "NOGROUP" not in str(error):
                    raise
            with contextlib.suppress(redis.ResponseError):  # BUSYGROUP: another one was faster
                client.xgroup_create(self.keys.events, GROUP, "0", mkstream=True)
            return work(client)

        return self._scripts.command(attempt)


def _delivery(entry: Any, times: int) -> Delivery:
    name, fields = entry
    try:
        return Delivery(name, read_event(name, fields), times)
    except (VersionError, TypeError):
        return Delivery(name, None, times)
