"""Workers come and go by their CPU, and no stream is left alone over it."""

from __future__ import annotations

import time

from tests.support.kind.figures import Figures
from tests.support.kind.programs import Cluster, Manifest, name_of
from tests.support.kind.release import NAMESPACE, RELEASE, Release
from tests.support.kind.scenery import a_stream
from tests.support.kind.watching import Watching

FEWEST, MOST = 2, 4
MANY = 10
"""Streams that take more CPU than FEWEST workers are to have."""
CALM_S = 15
"""Down sooner than the chart has it, 300 s and 60 s."""
SCALED_S = 180.0
"""Metrics come each 10 s, and the autoscaler looks each 15 s."""
VALUES = {
    "autoscaling": {
        "metric": "cpu",
        "minReplicas": FEWEST,
        "maxReplicas": MOST,
        "scaleDown": {"stabilizationSeconds": CALM_S, "pods": 1, "periodSeconds": CALM_S},
    },
    "workers": {"replicas": None, "resources": {"requests": {"cpu": "150m"}}},
}


def wanted(cluster: Cluster) -> int:
    """How many workers the autoscaler wants."""
    scale = cluster.get(f"deployment/{RELEASE}-worker", NAMESPACE)
    return int(scale["spec"]["replicas"])


def test_autoscaler_adds_workers_and_takes_them_away_one_by_one(
    watching: Watching, release: Release, cluster: Cluster, figures: Figures
) -> None:
    release.ensure(**VALUES)
    release.await_workers(FEWEST)
    watching.watch("few", count=2)
    watching.apply("many", [a_stream("sound", f"n{n}") for n in range(MANY)])
    watching.wait("many")
    began = time.time()

    more = release.await_workers(MOST, SCALED_S)
    figures.add(f"{MANY} more streams: {FEWEST} to {MOST} workers ready", time.time() - began)
    cluster.await_true(lambda: are_spread(watching, more), "each has its share", SCALED_S)
    unwatched_s = watching.unwatched_s(began)
    figures.add("autoscaler added workers: unwatched", unwatched_s, 0)
    assert unwatched_s == 0, f"{watching.longest_gap_s(began):.2f} s between two pictures"

    watching.delete("many")
    steps = [wanted(cluster)]

    def are_few() -> bool:
        now = wanted(cluster)
        if now != steps[-1]:
            steps.append(now)
        return now == FEWEST and len(release.workers()) == FEWEST

    cluster.await_true(are_few, "the autoscaler took away what is not needed", 2 * SCALED_S)
    assert steps == [MOST, MOST - 1, FEWEST]
    unwatched_s = watching.unwatched_s(began, "few")
    figures.add("autoscaler took workers away: unwatched", unwatched_s, 0)
    assert unwatched_s == 0, f"{watching.longest_gap_s(began, 'few'):.2f} s between two pictures"


def are_spread(watching: Watching, workers: list[Manifest]) -> bool:
    """Whether each worker has at least four fifths of its share of the streams."""
    owners = [worker for worker, _ in watching.owners().values()]
    counts = [owners.count(name_of(pod)) for pod in workers]
    return sum(counts) == len(owners) and min(counts) >= 0.8 * len(owners) / len(workers)
