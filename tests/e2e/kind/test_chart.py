"""The chart over its life: upgraded, uninstalled, with few rights, in a restricted namespace."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.kind.figures import Figures
from tests.support.kind.programs import Cluster, CommandError, run
from tests.support.kind.release import (
    CHART,
    IMAGE,
    NAMESPACE,
    RELEASE,
    Release,
    base_values,
    merged,
)
from tests.support.kind.scenery import a_stream
from tests.support.kind.watching import Watching

OPERATOR = f"system:serviceaccount:{NAMESPACE}:{RELEASE}-operator"
WORKER = f"system:serviceaccount:{NAMESPACE}:{RELEASE}-worker"
OF_THE_NAMESPACE = {"configmap/kube-root-ca.crt", "serviceaccount/default"}
"""What Kubernetes itself puts into each."""
PASSING = ("event", "podmetrics", "endpointslice")
"""What tells of other things or of the past, and goes by itself."""


def previous_chart(folder: Path) -> Path:
    """The chart of the last release; before there is one, today's under a lower version."""
    tags = run("git", "tag", "--list", "v*", "--sort=-version:refname").split()
    source = CHART
    if tags:
        packed = subprocess.run(
            ("git", "archive", tags[0], "charts/streammonitor"), capture_output=True, check=True
        )
        subprocess.run(("tar", "-x", "-C", str(folder)), input=packed.stdout, check=True)
        source = folder / "charts" / "streammonitor"
    said = run("helm", "package", source, "--version", "0.0.1", "--destination", folder)
    return Path(said.strip().rpartition(" ")[2])


def what_is_there(cluster: Cluster, *where: str) -> set[str]:
    """All objects of all kinds that can be listed, without the group of their kind."""
    namespaced = "--namespaced" if "--namespace" in where else "--verbs=list"
    kinds = cluster.kubectl("api-resources", "--verbs=list", namespaced, "--output=name").split()
    words = ("get", ",".join(kinds), *where, "--output", "name", "--ignore-not-found")
    names = cluster.kubectl(*words, within_s=90).split()
    parts = (name.partition("/") for name in names)
    found = ((kind.partition(".")[0], name) for kind, _, name in parts)
    return {f"{kind}/{name}" for kind, name in found if kind not in PASSING}


def await_only(cluster: Cluster, expected: set[str], *where: str) -> None:
    """Until nothing else is there."""
    left: set[str] = set()

    def is_so() -> bool:
        nonlocal left
        left = what_is_there(cluster, *where)
        return left == expected

    try:
        cluster.await_true(is_so, "nothing else is left", 90)
    except AssertionError as error:
        raise AssertionError(f"{error}: {sorted(left ^ expected)}") from None


def test_chart_is_upgraded_and_uninstalled(
    watching: Watching, cluster: Cluster, figures: Figures, tmp_path: Path
) -> None:
    """From the previous version without a gap; then nothing is left but the definition."""
    release = Release(cluster, tmp_path)
    release.uninstall()
    release.install(base_values(), previous_chart(tmp_path))
    release.await_ready()
    watching.watch()
    before = release.names()
    secrets = cluster.get("secrets", NAMESPACE, "--selector", "app.kubernetes.io/part-of")
    began = time.time()

    release.install(merged(base_values(), {"image": {"tag": cluster.tag(IMAGE, "next")}}))
    release.await_ready()
    release.await_gone(before, 120)

    unwatched_s = watching.unwatched_s(began)
    figures.add("chart upgraded: unwatched", unwatched_s, 0)
    assert unwatched_s == 0, f"{watching.longest_gap_s(began):.2f} s between two pictures"
    kept = cluster.get("secrets", NAMESPACE, "--selector", "app.kubernetes.io/part-of")
    assert [one["data"] for one in kept["items"]] == [one["data"] for one in secrets["items"]]

    watching.apply("live", [a_stream("sound")], suspend=True)
    watching.wait("live", status="False")
    release.uninstall()

    await_only(cluster, OF_THE_NAMESPACE, "--namespace", NAMESPACE)
    labels = ("--all-namespaces", "--selector", "app.kubernetes.io/part-of=streammonitor")
    await_only(cluster, {"customresourcedefinition/streammonitors.streammonitor.dev"}, *labels)
    assert watching.get("live")["spec"]["suspend"] is True


def may(cluster: Cluster, account: str, verb: str, what: str, namespace: str) -> bool:
    """Whether an account has a right in a namespace."""
    kind, _, part = what.partition("/")
    words = ["auth", "can-i", verb, kind, "--as", account, "--namespace", namespace]
    if part:
        words.append(f"--subresource={part}")
    try:
        return cluster.kubectl(*words).strip() == "yes"
    except CommandError as denied:
        if "exit code 1\nno\n" not in str(denied):
            raise
        return False


@pytest.mark.parametrize("scope", ["cluster", "namespace"])
def test_granted_rights_are_enough_and_no_more(
    make_watching: Callable[[], Watching], release: Release, cluster: Cluster, scope: str
) -> None:
    """With a ClusterRole, and with Roles in the namespaces that the operator is to follow."""
    watching, elsewhere = make_watching(), make_watching()
    here, there = watching.namespace, elsewhere.namespace
    narrow = scope == "namespace"
    if narrow:
        release.ensure(operator={"namespaces": [here]})

    watching.watch(count=2)
    watching.await_open("live")

    granted = {
        (verb, what)
        for verb in ("get", "list", "watch", "create", "patch", "update", "delete")
        for what in ("secrets", "pods", "events", "deployments", "streammonitors", "nodes")
        if may(cluster, OPERATOR, verb, what, here)
    }
    nodes = set() if narrow else {("list", "nodes"), ("watch", "nodes")}
    monitors = {("list", "streammonitors"), ("watch", "streammonitors")}
    assert granted == {("get", "secrets"), ("create", "events"), *monitors, *nodes}
    assert may(cluster, OPERATOR, "patch", "streammonitors/status", here)
    assert may(cluster, OPERATOR, "list", "streammonitors", there) is not narrow
    assert may(cluster, OPERATOR, "patch", "pods", NAMESPACE)
    assert not may(cluster, OPERATOR, "delete", "pods", NAMESPACE)
    assert not may(cluster, WORKER, "list", "pods", NAMESPACE)
    assert not may(cluster, WORKER, "get", "secrets", NAMESPACE)
    (worker, *_) = release.workers()
    mounts = worker["spec"]["containers"][0]["volumeMounts"]
    assert not [one for one in mounts if "serviceaccount" in one["mountPath"]]


def test_everything_runs_in_a_restricted_namespace(watching: Watching, cluster: Cluster) -> None:
    """The API server looks at the pods that run when a namespace gets another level."""
    label = "pod-security.kubernetes.io/enforce"
    check = ("--dry-run=server", "--overwrite", "--warnings-as-errors")
    assert cluster.get(f"namespace/{NAMESPACE}")["metadata"]["labels"][label] == "restricted"
    watching.watch(count=2)

    cluster.kubectl("label", "namespace", NAMESPACE, *check, f"{label}-version=v1.30")

    with pytest.raises(CommandError, match="violate"):  # as it is said where pods do not comply
        cluster.kubectl("label", "namespace", "kube-system", *check, f"{label}=restricted")
