"""Installed in one command, applied in one, an incident told to whoever wants to know."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.support.kind.figures import Figures
from tests.support.kind.programs import Cluster, Manifest
from tests.support.kind.release import Release, base_values
from tests.support.kind.scenery import Scenery, a_stream
from tests.support.kind.watching import WATCHED_S, Watching

INSTALLED_S = 60.0
BASELINE_MB = 80.0
PICTURE_S = 0.1
"""Of the streams here: ten a second."""


def test_install_is_ready_within_a_minute(
    cluster: Cluster, figures: Figures, tmp_path: Path
) -> None:
    release = Release(cluster, tmp_path)
    release.uninstall()

    began = release.install(base_values())
    release.await_ready()

    took_s = time.monotonic() - began
    figures.add("helm install to all pods ready", took_s, INSTALLED_S)
    assert took_s <= INSTALLED_S

    # A cluster that was there before may have monitors, whose streams are watched again by now.
    idle = [pod for pod in release.workers() if not release.streams(pod)]
    largest_mb = max(idle_mb(release, pod) for pod in idle)
    figures.add("worker without streams", largest_mb, BASELINE_MB, "MB")
    assert largest_mb <= BASELINE_MB


def idle_mb(release: Release, worker: Manifest) -> float:
    """Memory of a worker that has nothing to do, once its kubelet has looked."""
    return release.cluster.await_true(lambda: release.memory_mb(worker), "its memory is known")


def test_applied_monitor_is_watched_at_once(watching: Watching, figures: Figures) -> None:
    began = time.monotonic()
    watching.apply("news", [a_stream("sound"), a_stream("frozen")])

    def all_are_watched() -> bool:
        row = watching.cluster.kubectl("get", "smon/news", "-n", watching.namespace, "--no-headers")
        return row.split()[1:3] == ["2", "2"]

    watching.cluster.await_true(all_are_watched, "kubectl get smon shows Watched 2/2", WATCHED_S)
    took_s = time.monotonic() - began
    figures.add("kubectl apply to Watched n/n", took_s, WATCHED_S)
    assert took_s <= WATCHED_S
    watching.wait("news", within_s=5)


def test_incident_has_its_onset_and_is_notified(watching: Watching, scenery: Scenery) -> None:
    watching.apply("news", [a_stream("pulsing")])
    watching.wait("news")

    def told() -> bool:
        return bool(watching.notifications("closed"))

    watching.cluster.await_true(told, "an incident came to the webhook, and its end", 90)
    opened, closed = watching.notifications("opened")[0], watching.notifications("closed")[0]
    truth = scenery.truth("pulsing")
    onset_s = opened.incident["evidence"]["source_time_s"]
    (defect,) = (one for one in truth["defects"] if abs(one["onset_s"] - onset_s) < 1)
    assert opened.incident["detector"] == "video-black"
    assert onset_s == pytest.approx(defect["onset_s"], abs=PICTURE_S)
    assert closed.incident["id"] == opened.incident["id"]
    lasted_s = defect["recovery_s"] - defect["onset_s"]
    assert closed.incident["duration_s"] == pytest.approx(lasted_s, abs=2 * PICTURE_S)
    # What is broadcast is seen once its segment is complete, a second or two later.
    wall = truth["started_at"] + defect["onset_s"]
    assert 0 <= opened.time - wall < 15


def test_helm_test_and_explain_help(release: Release, cluster: Cluster) -> None:
    said = cluster.helm("test", release.namespace, "-n", release.namespace, within_s=120)
    explained = cluster.kubectl("explain", "smon.spec.streams")

    assert "Phase:          Succeeded" in said
    assert "url" in explained
    assert "DESCRIPTION" in explained


def test_story_of_a_monitor(watching: Watching) -> None:
    """Suspended, resumed, changed, deleted: described by events and conditions."""
    watching.apply("news", [a_stream("frozen")])
    watching.wait("news")
    incident = watching.await_open("news")

    watching.apply("news", [a_stream("frozen")], suspend=True)
    watching.wait("news", status="False")
    watching.apply("news", [a_stream("frozen")])
    watching.wait("news")
    watching.await_open("news")
    watching.delete("news")

    def cancelled() -> bool:
        return len(watching.notifications("closed")) == 2

    watching.cluster.await_true(cancelled, "each incident was closed when watching stopped", 30)
    opened = {one.incident["id"] for one in watching.notifications("opened")}
    closed = watching.notifications("closed")
    assert incident["id"] in opened
    assert {one.incident["id"] for one in closed} == opened
    assert all("cancelled" in one.incident["evidence"] for one in closed)
    told = watching.cluster.kubectl("get", "events", "-n", watching.namespace)
    assert "OpenIncidents" in told
