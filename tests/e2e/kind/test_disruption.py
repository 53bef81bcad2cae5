"""What clusters do to pods: streams are watched on, and incidents go on under their name."""

from __future__ import annotations

import random
import time

from tests.support.kind.figures import Figures, percentile
from tests.support.kind.programs import Cluster, name_of
from tests.support.kind.release import IMAGE, WORKERS, Release
from tests.support.kind.watching import Watching

KILLS = 20
TAKEN_OVER_S = 5.0
SEED = 7
DRAINED_S = 120.0
"""Longer than a worker has for its drain."""


def test_killed_worker_is_replaced_within_seconds(
    watching: Watching, release: Release, figures: Figures
) -> None:
    """SIGKILL of a worker pod: its streams are decoded by others, its incidents adopted."""
    watching.watch()
    incident = watching.await_open("live")
    chance = random.Random(SEED)
    took_s: list[float] = []
    kills = 0

    while kills < KILLS:
        took_s += kill_one(watching, release, chance)
        kills += 1

    figures.add_all(f"{kills} workers killed: stream decoded again", took_s, TAKEN_OVER_S)
    assert percentile(took_s, 0.99) <= TAKEN_OVER_S
    assert watching.await_open("live")["id"] == incident["id"]
    opened = watching.notifications("opened")
    assert {one.incident["id"] for one in opened} == {incident["id"]}
    assert not watching.notifications("closed")


def kill_one(watching: Watching, release: Release, chance: random.Random) -> list[float]:
    """Kill a worker that has streams; returns how long each of them was without one."""
    pods = {name_of(pod): pod for pod in release.workers()}
    owners = watching.owners()
    victims = sorted({worker for worker, _ in owners.values() if worker in pods})
    victim = chance.choice(victims)
    killed = release.kill(pods[victim])
    took = [
        watching.await_others(stream, claim, killed).picture - killed
        for stream, claim in owners.items()
        if claim[0] == victim
    ]
    release.replace(pods[victim])
    release.await_workers(WORKERS)
    return took


def test_rolling_upgrade_leaves_nothing_unwatched(
    watching: Watching, release: Release, cluster: Cluster, figures: Figures
) -> None:
    """Another image of the workers: each hands its streams over before it ends."""
    watching.watch()
    incident = watching.await_open("live")
    before = release.names()
    began = time.time()

    release.ensure(image={"tag": cluster.tag(IMAGE, "next")})
    release.await_gone(before, DRAINED_S)

    report_unwatched(watching, figures, "rolling upgrade of the workers", began)
    assert watching.await_open("live")["id"] == incident["id"]
    assert len(watching.notifications("opened")) == 1


def report_unwatched(watching: Watching, figures: Figures, what: str, began: float) -> None:
    """Nothing was unwatched since then."""
    longest_s, unwatched_s = watching.longest_gap_s(began), watching.unwatched_s(began)
    figures.add(f"{what}: unwatched", unwatched_s, 0)
    assert unwatched_s == 0, f"{longest_s:.2f} s between two pictures"


def test_drained_node_hands_its_streams_over(
    watching: Watching, release: Release, cluster: Cluster, figures: Figures
) -> None:
    """`kubectl drain` heeds the PodDisruptionBudget: one worker at a time, none too early."""
    watching.watch()
    node = release.workers()[0]["spec"]["nodeName"]
    there = {name_of(pod) for pod in release.workers() if pod["spec"]["nodeName"] == node}
    began = time.time()

    try:
        cluster.kubectl(
            *("drain", node, "--ignore-daemonsets", "--delete-emptydir-data"),
            *("--pod-selector", "app.kubernetes.io/component=worker"),
            within_s=2 * DRAINED_S,
        )
        release.await_gone(there, 1)
        release.await_workers(WORKERS)
    finally:
        cluster.kubectl("uncordon", node)

    report_unwatched(watching, figures, "node drained", began)
