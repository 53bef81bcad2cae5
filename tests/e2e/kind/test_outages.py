"""What becomes of a fleet without its operator, its Redis, a node, the API server."""

from __future__ import annotations

import time

import pytest

from tests.support.kind.figures import Figures
from tests.support.kind.gaps import Claim
from tests.support.kind.programs import Cluster, is_ready, name_of, run
from tests.support.kind.release import NAMESPACE, RELEASE, WORKERS, Release
from tests.support.kind.watching import Watching

NODE_LOST_S = 10.0
AWAY_S = 60.0
ELSEWHERE_S = 120.0
"""Kubernetes notices after 50 s that a node does not answer, and waits 10 s more."""
BACK_S = 60.0
"""Within this what was away is there again, on a busy machine."""
REDIS = f"{RELEASE}-redis-0"


def status_writes(cluster: Cluster) -> float:
    """How often the API server was asked to write the status of a StreamMonitor."""
    text = cluster.kubectl("get", "--raw", "/metrics")
    rows = (one for one in text.splitlines() if one.startswith("apiserver_request_total{"))
    patches = (one for one in rows if 'resource="streammonitors"' in one and 'verb="PATCH"' in one)
    return sum(float(one.rpartition(" ")[2]) for one in patches)


def await_ready_again(release: Release, component: str, before: str) -> None:
    """Until a pod, or a container of it, that is not `before` is ready."""

    def is_back() -> bool:
        pods = release.cluster.pods(NAMESPACE, component)
        return any(is_ready(pod) and identity(pod) != before for pod in pods)

    release.cluster.await_true(is_back, f"{component} is back", BACK_S)


def identity(pod: dict[str, object]) -> str:
    (status,) = pod["status"]["containerStatuses"]  # type: ignore[index]
    return f"{pod['metadata']['uid']} {status.get('containerID')}"  # type: ignore[index]


def rest(watching: Watching) -> dict[str, Claim]:
    """Have a stream on each worker: no other place is better, so none moves of itself."""
    watching.watch(count=WORKERS)
    watching.await_open("live")
    owners = watching.await_rest()
    assert len({worker for worker, _ in owners.values()}) == WORKERS
    return owners


def workers(owners: dict[str, Claim]) -> dict[str, str]:
    return {stream: worker for stream, (worker, _) in owners.items()}


def lose_data(cluster: Cluster) -> None:
    """Have nothing of Redis on its volume any more, and nothing more written to it."""
    client = "REDISCLI_AUTH=$(cat /etc/streammonitor/secret/password) redis-cli"
    script = f"{client} config set appendonly no && rm -rf /data/*"
    cluster.kubectl("exec", REDIS, "-n", NAMESPACE, "--", "sh", "-ec", script)


def test_killed_operator_moves_nothing(
    watching: Watching, release: Release, cluster: Cluster, figures: Figures
) -> None:
    """It finds the fleet as it left it: no stream moves, no status is written."""
    owners = rest(watching)
    written = status_writes(cluster)
    operator = release.operator()
    began = time.time()

    release.kill(operator)
    release.replace(operator)
    await_ready_again(release, "operator", identity(operator))

    cluster.await_true(
        lambda: release.metric("streammonitor_fleet_cycles_total") > 20, "it decides again", BACK_S
    )
    figures.add("operator killed: unwatched", watching.unwatched_s(began), 0)
    assert watching.unwatched_s(began) == 0
    assert watching.owners() == owners
    assert status_writes(cluster) - written <= 1


@pytest.mark.parametrize("loss", ["kept", "lost"])
def test_killed_redis_moves_nothing(
    watching: Watching, release: Release, cluster: Cluster, figures: Figures, loss: str
) -> None:
    """With its data, or without: streams stay where they are, incidents are told once."""
    owners = rest(watching)
    incident = watching.await_open("live")
    (pod,) = cluster.pods(NAMESPACE, "redis")
    began = time.time()

    if loss == "lost":
        lose_data(cluster)
    release.kill(pod)
    release.replace(pod)
    await_ready_again(release, "redis", identity(pod))
    watching.wait("live")

    figures.add(f"Redis killed, data {loss}: unwatched", watching.unwatched_s(began), 0)
    assert watching.unwatched_s(began) == 0
    assert workers(watching.owners()) == workers(owners)
    assert watching.await_open("live")["id"] == incident["id"]
    assert {one.incident["id"] for one in watching.notifications("opened")} == {incident["id"]}
    assert not watching.notifications("closed")


def test_lost_node_is_taken_over(
    watching: Watching, release: Release, cluster: Cluster, figures: Figures
) -> None:
    """`docker stop` of a node: its streams are decoded elsewhere; the node comes back."""
    watching.watch()
    owners = watching.owners()
    nodes = {name_of(pod): pod["spec"]["nodeName"] for pod in release.workers()}
    node = nodes[owners[next(iter(owners))][0]]
    lost = {stream: claim for stream, claim in owners.items() if nodes[claim[0]] == node}

    began = time.time()
    try:
        run("docker", "stop", node)
        for stream, claim in lost.items():
            watching.await_others(stream, claim, began)
        gap_s = watching.longest_gap_s(began)
    finally:
        run("docker", "start", node)
    figures.add(f"node stopped that had {len(lost)} of 6 streams: unwatched", gap_s, NODE_LOST_S)
    assert gap_s <= NODE_LOST_S

    words = ("wait", f"node/{node}", "--for=condition=Ready", "--timeout=120s")
    cluster.kubectl(*words, within_s=130)
    release.await_workers(WORKERS, 180)
    watching.await_pictures_after(time.time())
    watching.wait("live")


def test_lost_node_of_the_operator_is_taken_over(
    watching: Watching, release: Release, cluster: Cluster, figures: Figures
) -> None:
    """The operator starts elsewhere; nothing is amiss with streams on other nodes meanwhile."""
    release.ensure(operator={"nodeSelector": None, "tolerations": [], "affinity": None})
    watching.watch()
    owners = watching.await_rest()
    node = release.operator()["spec"]["nodeName"]
    nodes = {name_of(pod): pod["spec"]["nodeName"] for pod in release.workers()}
    lost = {stream for stream, (worker, _) in owners.items() if nodes[worker] == node}
    assert node != f"{cluster.name}-control-plane", "other pods of this test are there"
    assert owners.keys() - lost, "no stream is on another node"

    began = time.time()
    try:
        run("docker", "stop", node)
        cluster.await_true(
            lambda: release.operator_is_ready(elsewhere_than=node), "it runs elsewhere", ELSEWHERE_S
        )
        figures.add("node of the operator stopped: it is ready elsewhere", time.time() - began)
        for stream in lost:
            watching.await_others(stream, owners[stream], began)
        figures.add("the same: its streams unwatched", watching.longest_gap_s(began))
        for stream in owners.keys() - lost:
            assert watching.unwatched_s(began, stream.partition("/")[2]) == 0
            assert watching.owners()[stream] == owners[stream]
    finally:
        run("docker", "start", node)
    words = ("wait", f"node/{node}", "--for=condition=Ready", "--timeout=120s")
    cluster.kubectl(*words, within_s=130)
    release.await_workers(WORKERS, 180)
    watching.wait("live")


def test_without_the_node_of_redis_other_streams_are_watched(
    watching: Watching, release: Release, cluster: Cluster, figures: Figures
) -> None:
    """Redis waits for its node; streams on other nodes are watched on, where they are."""
    release.uninstall()  # its volume stays on its node
    release.ensure(redis={"nodeSelector": None, "tolerations": [], "affinity": None})
    owners = rest(watching)
    (pod,) = cluster.pods(NAMESPACE, "redis")
    node = pod["spec"]["nodeName"]
    nodes = {name_of(pod): pod["spec"]["nodeName"] for pod in release.workers()}
    others = [stream for stream, (worker, _) in owners.items() if nodes[worker] != node]
    assert node != f"{cluster.name}-control-plane", "other pods of this test are there"
    assert others, "no stream is on another node"

    began = time.time()
    try:
        run("docker", "stop", node)
        cluster.await_true(lambda: time.time() - began >= AWAY_S, "a minute has gone", AWAY_S + 10)
    finally:
        run("docker", "start", node)
    await_ready_again(release, "redis", identity(pod))
    release.await_workers(WORKERS, 180)
    watching.wait("live", within_s=BACK_S)

    unwatched_s = max(watching.unwatched_s(began, one.partition("/")[2]) for one in others)
    figures.add("node of Redis away for a minute, other nodes: unwatched", unwatched_s, 0)
    assert unwatched_s == 0
    now = watching.owners()
    assert {one: now[one] for one in others} == {one: owners[one] for one in others}


def test_without_api_server_streams_are_watched(
    watching: Watching, cluster: Cluster, figures: Figures
) -> None:
    """The API server stops for a minute; streams, incidents and their owners stay."""
    owners = rest(watching)
    incident = watching.await_open("live")
    node = f"{cluster.name}-control-plane"
    manifest = "/etc/kubernetes/manifests/kube-apiserver.yaml"
    began = time.time()

    cluster.on_node(node, "mv", manifest, "/etc/kubernetes/")
    try:
        gone = await_api_server(cluster, answers=False)
        cluster.await_true(lambda: time.time() - gone >= AWAY_S, "a minute has gone", AWAY_S + 10)
    finally:
        cluster.on_node(node, "mv", "/etc/kubernetes/kube-apiserver.yaml", manifest)
    await_api_server(cluster, answers=True)

    watching.wait("live", within_s=BACK_S)
    figures.add("API server away for a minute: unwatched", watching.unwatched_s(began), 0)
    assert watching.unwatched_s(began) == 0
    assert watching.owners() == owners
    assert watching.await_open("live")["id"] == incident["id"]


def await_api_server(cluster: Cluster, *, answers: bool) -> float:
    """Until it answers, or does not; returns when that was."""

    def is_so() -> bool:
        try:
            cluster.kubectl("get", "--raw", "/readyz", "--request-timeout=2s")
        except Exception:  # whatever goes wrong, it did not answer
            return not answers
        return answers

    cluster.await_true(is_so, f"the API server answers: {answers}", 120)
    return time.time()
