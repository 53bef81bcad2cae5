"""StreamMonitors of a test in the cluster, in a namespace of its own."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from tests.support.kind.gaps import (
    Claim,
    Sighting,
    first_picture_of_others,
    is_at_rest,
    longest_gap_s,
    unwatched_s,
)
from tests.support.kind.programs import Cluster, Manifest
from tests.support.kind.scenery import WEBHOOK, Notification, Scenery, a_monitor, a_stream

REST_S = 15.0
"""Longer than it takes to measure what a stream weighs, and to move it over that."""
WATCHED_S = 15.0
"""Within this a monitor that was applied is watched."""


class Watching:
    """The monitors of a namespace, and how they were watched."""

    def __init__(self, cluster: Cluster, scenery: Scenery, namespace: str) -> None:
        self.cluster = cluster
        self.scenery = scenery
        self.namespace = namespace

    def apply(self, name: str, streams: Iterable[Manifest], **spec: Any) -> None:
        """Apply a monitor whose incidents are told to the observer."""
        spec.setdefault("notify", [{"name": "hook", "webhook": {"url": WEBHOOK}}])
        self.cluster.apply(a_monitor(name, self.namespace, streams, **spec))

    def watch(self, name: str = "live", count: int = 6, **spec: Any) -> list[str]:
        """Have so many streams watched, one of them frozen; returns their keys."""
        streams = [a_stream("frozen"), *(a_stream("sound", f"s{n}") for n in range(1, count))]
        self.apply(name, streams, **spec)
        self.wait(name)
        return [f"{self.namespace}/{name}/{one['name']}" for one in streams]

    def wait(
        self, name: str, condition: str = "Ready", within_s: float = 60.0, status: str = "True"
    ) -> None:
        self.cluster.kubectl(
            *("wait", f"smon/{name}", "--namespace", self.namespace),
            *(f"--for=condition={condition}={status}", f"--timeout={within_s:.0f}s"),
            within_s=within_s + 10,
        )

    def get(self, name: str) -> Manifest:
        return self.cluster.get(f"smon/{name}", self.namespace)

    def status(self, name: str) -> Manifest:
        found: Manifest = self.get(name).get("status") or {}
        return found

    def delete(self, name: str) -> None:
        self.cluster.kubectl("delete", f"smon/{name}", "--namespace", self.namespace)

    def owners(self) -> dict[str, Claim]:
        """Who watches each stream, at which epoch: the newest that was seen watching."""
        found = {}
        for stream, rows in self._seen().items():
            watching = [one for one in rows if one.state == "watching"]
            newest = max(watching, key=lambda one: (one.epoch, one.picture), default=None)
            if newest is not None:
                found[stream] = newest.worker, newest.epoch
        return found

    def await_rest(self, within_s: float = 120.0) -> dict[str, Claim]:
        """Until streams stay where they are; returns who watches them.

        What they weigh is known some seconds after they were opened, and may move some of them.
        """

        def are_at_rest() -> bool:
            return all(is_at_rest(rows, REST_S) for rows in self._seen().values())

        self.cluster.await_true(are_at_rest, "streams stay where they are", within_s)
        return self.owners()

    def await_open(self, name: str, within_s: float = 30.0) -> Manifest:
        """The only open incident of a monitor, as its status shows it."""

        def is_there() -> Manifest | None:
            found = (self.status(name).get("incidents") or {}).get("newest", ())
            return found[0] if len(found) == 1 else None

        return self.cluster.await_true(is_there, f"{name} has an open incident", within_s)

    def notifications(self, kind: str) -> list[Notification]:
        found = self.scenery.notifications(self.namespace)
        return [one for one in found if one.kind == kind]

    def await_pictures_after(self, moment: float, monitor: str = "", within_s: float = 30) -> None:
        """Until pictures of all streams were seen that were decoded after then."""

        def are_there() -> bool:
            rows = self._seen(monitor).values()
            return bool(rows) and all(max(s.picture for s in one) > moment for one in rows)

        self.cluster.await_true(are_there, "all streams are decoded", within_s)

    def await_others(self, stream: str, gone: Claim, since: float) -> Sighting:
        """The first picture since then that was not decoded under a claim that is gone."""
        return self.cluster.await_true(
            lambda: first_picture_of_others(self.scenery.seen(stream), gone, since),
            f"{stream} is decoded by others than {gone}",
            30,
        )

    def longest_gap_s(self, since: float, monitor: str = "") -> float:
        """Between two pictures of any stream until now; of one monitor, or of all."""
        now = self._settle(monitor)
        return max(longest_gap_s(rows, since, now) for rows in self._seen(monitor).values())

    def unwatched_s(self, since: float, monitor: str = "") -> float:
        """The longest time until now in which a stream was not watched."""
        now = self._settle(monitor)
        return max(unwatched_s(rows, since, now) for rows in self._seen(monitor).values())

    def unwatched_since_opened_s(self, monitor: str) -> float:
        """The same since the first picture of each stream."""
        now = self._settle(monitor)
        return max(
            unwatched_s(rows, min(one.picture for one in rows), now)
            for rows in self._seen(monitor).values()
        )

    def _settle(self, monitor: str) -> float:
        """Now, when it is known what was decoded until then."""
        now = time.time()
        self.await_pictures_after(now, monitor)
        return now

    def _seen(self, monitor: str = "") -> dict[str, list[Sighting]]:
        found = self.scenery.all_seen().items()
        begin = f"{self.namespace}/{monitor}/" if monitor else f"{self.namespace}/"
        return {key: rows for key, rows in found if f"{key}/".startswith(begin)}
