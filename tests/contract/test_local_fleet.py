"""`streammonitor fleet`, `status` and `incidents` with real processes and an embedded Redis."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from streammonitor_worker.synth import Injection, Recipe
from streammonitor_worker.synth.live import LiveStream
from tests.support.fleet_workers import is_alive
from tests.support.local_fleet import LocalFleetProcess, command, monitor_text, watched
from tests.support.redis_server import RedisServer
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(240)
BLACK_EACH_S = 12.0


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A live stream that is black for 4 s in every 12 s."""
    recipe = Recipe(
        duration_s=600,
        width=160,
        height=96,
        fps=Fraction(12),
        gop_s=1.0,
        sound=None,
        injections=[
            Injection("video-black", 4 + BLACK_EACH_S * number, 4.0) for number in range(49)
        ],
    )
    with LiveStream(recipe, segment_s=1.0) as live:
        live.wait_until_playable(30)
        yield live.url


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[LocalFleetProcess]:
    process = LocalFleetProcess(tmp_path)
    yield process
    process.end()


def owners(status: dict[str, Any]) -> dict[str, str]:
    return {one["stream"]: one["worker"] for one in status["streams"]}


def events_of(fleet: LocalFleetProcess, *options: str) -> list[dict[str, Any]]:
    told = fleet.ask("incidents", "--output", "jsonl", *options)
    assert (told.returncode, told.stderr) == (0, "")
    return [json.loads(line) for line in told.stdout.splitlines()]


def test_folder_is_watched_and_followed(fleet: LocalFleetProcess, url: str) -> None:
    path = fleet.monitors / "sports.yaml"
    fleet.start()
    # Else the first that is there gets both streams.
    fleet.await_status(lambda status: len(status["workers"]) == 2, "two workers there")
    path.write_text(monitor_text("sports", {"ch1": url, "ch2": url}))
    status = fleet.await_status(watched(2), "two streams watched")

    assert [one["worker"] for one in status["workers"]] == ["worker-1", "worker-2"]
    assert sorted(owners(status).values()) == ["worker-1", "worker-2"]
    assert status["streams"][0].keys() == {
        "stream", "worker", "epoch", "state", "fidelity", "last_picture_wall", "coverage",
        "open_incidents",
    }  # fmt: skip
    assert [one["monitor"] for one in status["monitors"]] == ["prod/sports"]

    path.write_text(monitor_text("sports", {"ch1": url, "ch2": url, "ch3": url}))
    more = fleet.await_status(watched(3), "a third stream watched")
    assert {one: owners(more)[one] for one in owners(status)} == owners(status)

    path.write_text(monitor_text("sports", {"ch1": "file:///etc/passwd"}))
    wait_until(lambda: "what it said before stays in effect" in fleet.said(), "the mistake is told")
    assert f"{path}:7: spec.streams[0].url: " in fleet.said()
    assert watched(3)(fleet.status())

    path.unlink()
    fleet.await_status(lambda now: now["streams"] == [], "nothing is watched any more")


def test_worker_that_dies_is_replaced_and_incidents_are_told_once(
    fleet: LocalFleetProcess, url: str
) -> None:
    (fleet.monitors / "a.yaml").write_text(monitor_text("sports", {"ch1": url, "ch2": url}))
    fleet.start()
    before = fleet.await_status(watched(2), "two streams watched")
    lost, owner = next(iter(owners(before).items()))
    victim = next(one for one in before["workers"] if one["worker"] == owner)
    epochs = {one["stream"]: one["epoch"] for one in before["streams"]}

    os.kill(victim["pid"], signal.SIGKILL)

    def is_back(status: dict[str, Any]) -> bool:
        by_name = {one["stream"]: one for one in status["streams"]}
        workers = {one["worker"]: one for one in status["workers"]}
        again = workers[victim["worker"]]
        return (
            by_name[lost]["epoch"] > epochs[lost]
            and watched(2)(status)
            and again["state"] == "ready"
            and again["pid"] != victim["pid"]
        )

    fleet.await_status(is_back, "the stream has a newer owner, and the worker is back")
    told = wait_until(
        lambda: [one for one in events_of(fleet) if one["event"] == "closed"][:2],
        "incidents are told",
        within_s=60.0,
        every_s=1.0,
    )
    assert {one["incident"]["detector"] for one in told} == {"video-black"}
    opened = [one["incident"]["id"] for one in events_of(fleet) if one["event"] == "opened"]
    assert len(opened) == len(set(opened))


def test_restart_continues(fleet: LocalFleetProcess, url: str) -> None:
    (fleet.monitors / "a.yaml").write_text(monitor_text("sports", {"ch1": url}))
    fleet.start()
    before = fleet.await_status(watched(1), "the stream is watched")
    wait_until(lambda: events_of(fleet), "an incident", within_s=60.0, every_s=1.0)
    known = events_of(fleet)

    assert fleet.interrupt() == 0
    told = fleet.ask("status")
    assert told.returncode == 2
    assert told.stderr == (
        f"streammonitor: --fleet {fleet.state}: the fleet is not running; start it with "
        f"`streammonitor fleet {fleet.monitors}`\n"
    )

    fleet.start()
    after = fleet.await_status(watched(1), "the stream is watched again")
    assert after["streams"][0]["epoch"] >= before["streams"][0]["epoch"]
    assert events_of(fleet)[: len(known)] == known


def test_redis_that_dies_is_started_again(fleet: LocalFleetProcess, url: str) -> None:
    (fleet.monitors / "a.yaml").write_text(monitor_text("sports", {"ch1": url}))
    fleet.start()
    before = fleet.await_status(watched(1), "the stream is watched")

    server = next(iter(children(fleet, "redis-server")))
    os.kill(server, signal.SIGKILL)
    wait_until(lambda: "Redis has ended" in fleet.said(), "that it died is told")

    after = fleet.await_status(watched(1), "the stream is watched")
    assert owners(after) == owners(before)
    assert after["streams"][0]["epoch"] == before["streams"][0]["epoch"]


def test_fleet_that_is_killed_leaves_nothing_behind(fleet: LocalFleetProcess, url: str) -> None:
    (fleet.monitors / "a.yaml").write_text(monitor_text("sports", {"ch1": url}))
    fleet.start()
    fleet.await_status(watched(1), "the stream is watched")
    left = [*children(fleet, "redis-server"), *children(fleet, "worker")]
    assert len(left) == 3

    fleet.kill()

    wait_until(lambda: not any(map(is_alive, left)), "all have ended")


def test_second_fleet_on_the_same_state_is_refused(fleet: LocalFleetProcess) -> None:
    fleet.start()
    wait_until(lambda: "state in" in fleet.said(), "it has started", within_s=40.0)

    line = command("fleet", fleet.monitors, "--state", fleet.state)
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 2
    assert "a fleet runs here already (process " in done.stderr


def test_incidents_are_followed(fleet: LocalFleetProcess, url: str, tmp_path: Path) -> None:
    (fleet.monitors / "a.yaml").write_text(monitor_text("sports", {"ch1": url}))
    fleet.start()
    fleet.await_status(watched(1), "the stream is watched")
    line = command("incidents", "--follow", "--output", "jsonl", "--fleet", fleet.state)
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as follower:
        assert follower.stdout is not None
        first = json.loads(follower.stdout.readline())
        began = time.monotonic()
        follower.send_signal(signal.SIGINT)
        assert follower.wait(10) == 0
        assert time.monotonic() - began < 2

    assert first["incident"]["stream"] == "prod/sports/ch1"
    table = fleet.ask("incidents", "--since", "10m").stdout.splitlines()
    assert table[0].split() == [
        "ONSET", "LASTED", "SEVERITY", "DETECTOR", "TRACK", "STREAM", "MEASURE",
    ]  # fmt: skip
    assert "video-black" in table[1]


def test_redis_of_ones_own_holds_several_fleets(
    tmp_path: Path, redis_server: RedisServer, url: str
) -> None:
    own = LocalFleetProcess(
        tmp_path, "--redis", redis_server.url, "--name", "own", "--workers", "1"
    )
    (own.monitors / "a.yaml").write_text(monitor_text("sports", {"ch1": url}))
    own.start()
    try:
        by_folder = own.await_status(watched(1), "the stream is watched")
        line = command("status", "--fleet", redis_server.url, "--name", "own", "--output", "json")
        done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=True)
        by_url = json.loads(done.stdout)
        assert owners(by_url) == owners(by_folder) == {"prod/sports/ch1": "worker-1"}

        (tmp_path / "other").mkdir()
        other = LocalFleetProcess(tmp_path / "other", *own.options)
        other.start()
        wait_until(lambda: "own" in other.said(), "the other fleet is refused", within_s=40.0)
        assert other.wait() == 2
    finally:
        own.end()


def children(fleet: LocalFleetProcess, what: str) -> list[int]:
    """Processes that a fleet started, by a word of their command line."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                line = (folder / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if (
                str(fleet.state) in line
                and what in line
                and "fleet\0" + str(fleet.monitors) not in line
            ):
                found.append(int(folder.name))
    return found
