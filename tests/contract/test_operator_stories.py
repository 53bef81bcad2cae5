"""Random stories of a fleet, by seed: whatever happens, it comes to rest as it should be."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import pytest

from streammonitor_api.errors import StreamMonitorError, UnavailableError
from streammonitor_api.fleet.scripts import Call, Scripts
from streammonitor_api.fleet.store import OperatorStore, ReaderStore
from streammonitor_operator.inventory import Inventory, MonitorKey
from tests.support.fleet_rig import PREAMBLE, FleetRig, ToyWorker, a_monitor
from tests.support.redis_server import RedisServer

T = TypeVar("T")
DEEDS = (
    "kill", "pause", "resume", "restart", "drain", "join", "flush", "operator", "remove", "add",
    "change", "lose", "unready", "wait",
)  # fmt: skip
WAITS_S = (0.0, 0.3, 1.0, 2.0, 4.0, 8.0, 20.0)


class Story:
    """One fleet, and what happens to it."""

    def __init__(self, server: RedisServer, seed: int) -> None:
        self.dice = random.Random(seed)
        self.rig = FleetRig(server)
        self.rig.start(*(f"w{number}" for number in range(self.dice.randint(2, 5))))
        self.monitors = {f"m{one}": self.dice.randint(1, 6) for one in range(3)}
        self.feed()

    def feed(self) -> None:
        for name, streams in self.monitors.items():
            self.rig.apply(a_monitor(name, streams, overlap_s=self.dice.choice([0, 2, 10])))

    def go_on(self) -> None:
        """One thing happens, to a worker or to the rest, and then some time passes."""
        worker, deed = self.dice.choice(list(self.rig.workers.values())), self.dice.choice(DEEDS)
        self._to_worker(worker, deed)
        self._to_others(deed)
        self.rig.run(self.dice.choice(WAITS_S))

    def _to_worker(self, worker: ToyWorker, deed: str) -> None:
        match deed:
            case "kill":
                worker.kill()
            case "pause" | "resume":
                worker.paused = deed == "pause"
            case "restart":
                worker.restart()
            case "drain":
                worker.draining = True
            case "lose":
                worker.kill()
                self.rig.inventory.lose_worker(worker.store.worker)
            case "unready":
                worker.ready = not worker.ready

    def _to_others(self, deed: str) -> None:
        rig, dice = self.rig, self.dice
        match deed:
            case "join":
                rig.start(f"x{len(rig.workers)}")
            case "flush":
                rig.flush()
            case "operator":
                rig.restart_operator(Inventory())
                self.feed()
            case "remove" if len(self.monitors) > 1:
                name = dice.choice(list(self.monitors))
                del self.monitors[name]
                rig.inventory.drop_monitor(MonitorKey(f"prod/{name}"))
            case "add":
                self.monitors[f"m{dice.randint(0, 8)}"] = dice.randint(1, 6)
                self.feed()
            case "change":
                name = dice.choice(list(self.monitors))
                priority = dice.randint(0, 9)
                rig.apply(a_monitor(name, self.monitors[name], priority=priority))

    def rest(self) -> None:
        for worker in self.rig.workers.values():
            worker.paused, worker.ready = False, True
        if all(worker.dead or worker.draining for worker in self.rig.workers.values()):
            self.rig.start("last")
        self.rig.run(10)
        self.rig.until(self.is_right, 60)
        self.rig.run(120)

    def is_right(self) -> bool:
        streams = self.rig.inventory.streams
        return self.rig.all_watched() and all(len(self.rig.watchers(one)) == 1 for one in streams)


class Troubled(Scripts):
    """A way to Redis on which requests get lost, are not answered, or arrive late."""

    def __init__(self, inner: Scripts, dice: random.Random) -> None:
        super().__init__(inner.client, inner.address, PREAMBLE)
        self.share = 0.3
        self._dice = dice
        self._late: list[Callable[[], object]] = []

    def run(self, *args: Any) -> Any:
        return self._troubled(lambda: super(Troubled, self).run(*args))

    def run_many(self, calls: Sequence[Call]) -> list[Any]:
        return self._troubled(lambda: super(Troubled, self).run_many(calls))

    def command(self, act: Any) -> Any:
        return self._troubled(lambda: super(Troubled, self).command(act))

    def end(self) -> None:
        """No more trouble; what is late arrives."""
        self.share = 0.0
        while self._late:
            self._arrive()

    def _troubled(self, act: Callable[[], T]) -> T:
        if self._late and self._dice.random() < 0.3:
            self._arrive()
        fate = self._dice.random()
        if fate >= self.share:
            return act()
        if fate < self.share / 3:
            act()
        elif fate < self.share * 2 / 3:
            self._late.append(act)
        raise UnavailableError("no answer from Redis in time")

    def _arrive(self) -> None:
        with contextlib.suppress(StreamMonitorError):
            self._late.pop(0)()


@pytest.mark.parametrize("seed", range(10))
def test_fleet_comes_to_rest(redis_server: RedisServer, seed: int) -> None:
    story = Story(redis_server, seed)

    for _ in range(story.dice.randint(5, 25)):
        story.go_on()
    story.rest()

    assert_right(story)


@pytest.mark.parametrize("seed", [*range(6), 12, 20])
def test_fleet_comes_to_rest_after_trouble_with_redis(redis_server: RedisServer, seed: int) -> None:
    story = Story(redis_server, seed)
    rig = story.rig
    troubled = Troubled(rig.scripts, random.Random(seed))
    rig.store, rig.reader = OperatorStore(troubled, rig.name), ReaderStore(troubled, rig.name)
    rig.restart_operator()

    for _ in range(story.dice.randint(5, 20)):
        story.go_on()
    troubled.end()
    story.rest()

    assert_right(story)


def assert_right(story: Story) -> None:
    """Everything is watched by its owner alone, and nothing is left over."""
    rig = story.rig
    assert story.is_right()
    wanted, ledger = set(rig.inventory.streams), rig.operator.state.ledger
    for stream in wanted:
        assert rig.watchers(stream) == [ledger[stream].owner]
        holders = [one.name for one in rig.workers.values() if stream in one.has and not one.dead]
        assert ledger[stream].is_moving or holders == [ledger[stream].owner]
    for worker in rig.workers.values():
        assert worker.dead or set(worker.has) <= wanted
        assert not (worker.draining and worker.has) or worker.dead
    assert set(rig.store.read_specs()) == wanted
    assert not ledger.orders
    assert not rig.store.read_open_gaps()
    rig.scripts.client.close()
