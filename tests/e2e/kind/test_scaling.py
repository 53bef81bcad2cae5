"""Workers come and go by their CPU, and no stream is left alone over it."""

from __future__ import annotations

import time

import pytest

from tests.support.kind.figures import Figures
from tests.support.kind.programs import Cluster, Manifest, name_of
from tests.support.kind.release import NAMESPACE, RELEASE, Release
from tests.support.kind.scenery import a_stream
from tests.support.kind.watching import Watching

FEWEST, MOST = 2, 4
MANY = 10
"""Streams that take more CPU than FEWEST workers are to have."""
TIMES = 10
"""As many streams at once."""
CALM_S = 15
"""Down sooner than the chart has it, 300 s and 60 s."""
MOST_OF_IT, SOME = 0.8, 0.5
"""Of an even share: of a few streams that cost the same, and what each worker is promised."""
SCALED_S = 180.0
"""Metrics come each 10 s, and the autoscaler looks each 15 s."""
CALMLY = {"stabilizationSeconds": CALM_S, "pods": 1, "periodSeconds": CALM_S}
BY_CPU = {
    "autoscaling": {
        "metric": "cpu",
        "minReplicas": FEWEST,
        "maxReplicas": MOST,
        "scaleDown": CALMLY,
    },
    "workers": {"replicas": None, "resources": {"requests": {"cpu": "150m"}}},
}
BY_DEMAND = {
    "autoscaling": {
        "metric": "demand",
        "minReplicas": 1,
        "maxReplicas": 8,
        "scaleDown": CALMLY,
    },
    # Three of the streams here take a quarter of one worker, ten times as many two and a half.
    "workers": {"replicas": None, "capacityCores": 0.15},
}
CHEAP = {"mode": "KeyframesOnly"}
"""So many streams are to be watched that a machine of two cores has no room for more than that."""


def wanted(cluster: Cluster) -> int:
    """How many workers the autoscaler wants."""
    scale = cluster.get(f"deployment/{RELEASE}-worker", NAMESPACE)
    return int(scale["spec"]["replicas"])


def test_autoscaler_adds_workers_and_takes_them_away_one_by_one(
    watching: Watching, release: Release, cluster: Cluster, figures: Figures
) -> None:
    release.ensure(**BY_CPU)
    release.await_workers(FEWEST)
    watching.watch("few", count=2)
    watching.apply("many", [a_stream("sound", f"n{n}") for n in range(MANY)])
    watching.wait("many")
    began = time.time()

    more = release.await_workers(MOST, SCALED_S)
    figures.add(f"{MANY} more streams: {FEWEST} to {MOST} workers ready", time.time() - began)
    cluster.await_true(
        lambda: are_spread(watching, more, MOST_OF_IT), "each has its share", SCALED_S
    )
    unwatched_s = watching.unwatched_s(began)
    figures.add("autoscaler added workers: unwatched", unwatched_s, 0)
    assert unwatched_s == 0, f"{watching.longest_gap_s(began):.2f} s between two pictures"

    watching.delete("many")
    assert steps_down(release, cluster, FEWEST) == [MOST, MOST - 1, FEWEST]
    unwatched_s = watching.unwatched_s(began, "few")
    figures.add("autoscaler took workers away: unwatched", unwatched_s, 0)
    assert unwatched_s == 0, f"{watching.longest_gap_s(began, 'few'):.2f} s between two pictures"


@pytest.mark.usefixtures("keda")
def test_keda_adds_as_many_workers_as_are_needed_in_one_step(
    watching: Watching, release: Release, cluster: Cluster, figures: Figures
) -> None:
    """By `/demand`: ten times the streams at once, and then no more than before."""
    release.ensure(**BY_DEMAND)
    release.await_workers(1, SCALED_S)
    few = watching.watch("few", count=3, analysis=CHEAP)
    measured = "what they cost is measured"
    cluster.await_true(lambda: all_are_measured(release, len(few)), measured, SCALED_S)
    steps_down(release, cluster, 1)  # before they were, they may have called for more
    sound = [a_stream("sound", f"n{n}") for n in range((TIMES - 1) * len(few))]
    began = time.time()
    watching.apply("many", sound, analysis=CHEAP)

    steps = [1]
    asked: set[int] = set()

    def are_enough() -> int | None:
        asked.add(release.demand()["workers_wanted"])
        note(steps, wanted(cluster))
        return steps[-1] if len(release.workers()) == steps[-1] > 1 else None

    count = cluster.await_true(are_enough, "workers were added and are ready", SCALED_S)
    figures.add(f"KEDA, {TIMES} times the streams: 1 to {count} workers ready", time.time() - began)
    assert steps == [1, count]
    assert count in asked

    def are_settled() -> bool:
        note(steps, wanted(cluster))
        return all_are_measured(release, TIMES * len(few)) and are_spread(
            watching, release.workers(), SOME
        )

    cluster.await_true(are_settled, "each has some of them", SCALED_S)
    assert max(steps) == count, "what they were measured to cost called for more"
    unwatched_s = max(watching.unwatched_s(began, "few"), watching.unwatched_since_opened_s("many"))
    figures.add("KEDA added workers: unwatched", unwatched_s, 0)
    assert unwatched_s == 0

    watching.delete("many")
    down = steps_down(release, cluster, 1)
    assert down == list(range(down[0], 0, -1))
    unwatched_s = watching.unwatched_s(began, "few")
    figures.add("KEDA took workers away: unwatched", unwatched_s, 0)
    assert unwatched_s == 0, f"{watching.longest_gap_s(began, 'few'):.2f} s between two pictures"


def note(steps: list[int], now: int) -> None:
    """Remember a number that is another one than before."""
    if steps[-1:] != [now]:
        steps.append(now)


def steps_down(release: Release, cluster: Cluster, fewest: int) -> list[int]:
    """Wait until there are so few workers; returns how many were wanted until then."""
    steps: list[int] = []

    def are_few() -> bool:
        note(steps, wanted(cluster))
        return steps[-1] == fewest and len(release.workers()) == fewest

    cluster.await_true(are_few, "the autoscaler took away what is not needed", 2 * SCALED_S)
    return steps


def all_are_measured(release: Release, count: int) -> bool:
    """Whether workers watch so many streams and know what each costs."""
    rows = [row for pod in release.workers() for row in release.streams(pod)]
    known = {row["stream"] for row in rows if row["claimed"] and row["weight_cores"] is not None}
    return len(known) == count


def are_spread(watching: Watching, workers: list[Manifest], least: float) -> bool:
    """Whether each worker has at least that part of its share of the streams."""
    owners = [worker for worker, _ in watching.owners().values()]
    counts = [owners.count(name_of(pod)) for pod in workers]
    return sum(counts) == len(owners) and min(counts) >= least * len(owners) / len(workers)
