"""The rights in manifests/rbac.yaml suffice for the operator, and it uses all of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from streammonitor_api.names import StreamKey
from streammonitor_api.sealing import generate_key
from tests.support.apiserver import ApiServer
from tests.support.fleet_contract import Fleet
from tests.support.monitors import WITHIN_S, Monitors, put_pod
from tests.support.operator_process import operator_process
from tests.support.pretend_worker import pretend_workers
from tests.support.redis_server import RedisServer
from tests.support.resources import a_stream
from tests.support.waiting import wait_until

MANIFEST = Path(__file__).parents[2] / "manifests" / "rbac.yaml"
NAME = "streammonitor-operator"
Right = tuple[str, str, str]
"""API group, resource with its subresource, verb."""

_PATHS = {
    "ServiceAccount": "/api/v1/namespaces/{}/serviceaccounts",
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "Role": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/roles",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings",
}


def manifest(home: str) -> list[dict[str, Any]]:
    """The objects of the manifest, for another namespace than the one that it names."""
    text = MANIFEST.read_text(encoding="utf-8")
    return list(
        yaml.safe_load_all(text.replace("namespace: streammonitor\n", f"namespace: {home}\n"))
    )


def install(server: ApiServer, objects: list[dict[str, Any]], home: str) -> None:
    for one in objects:
        path = _PATHS[one["kind"]].format(one["metadata"].get("namespace", home))
        server.apply(f"{path}/{one['metadata']['name']}", one)


def rights(objects: list[dict[str, Any]]) -> set[Right]:
    return {
        (group, resource, verb)
        for one in objects
        for rule in one.get("rules", ())
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def used(server: ApiServer, home: str) -> set[Right]:
    """What the account asked for; nothing was refused."""
    asked = set()
    for entry in server.asked(f"system:serviceaccount:{home}:{NAME}"):
        reference = entry.get("objectRef")
        if reference is None:  # discovery, which every account may do
            continue
        resource = reference["resource"]
        if "subresource" in reference:
            resource += f"/{reference['subresource']}"
        assert entry.get("responseStatus", {}).get("code") != 403, entry["requestURI"]
        asked.add((reference.get("apiGroup", ""), resource, entry["verb"]))
    return asked


@pytest.fixture
def home(apiserver: ApiServer) -> Iterator[str]:
    """A namespace with the account; its bindings in the cluster go with the test."""
    name = apiserver.namespace()
    yield name
    for one in manifest(name):
        if one["kind"] == "ClusterRoleBinding":
            path = f"{_PATHS[one['kind']]}/{one['metadata']['name']}"
            apiserver.request("DELETE", path)


def exercise(
    monitors: Monitors, home: str, redis: RedisServer, fleet: Fleet, folder: Path, *options: str
) -> None:
    """Have the operator do all that it ever does."""
    server = monitors.server
    account = server.account(home, NAME)
    monitors.put_secret("cdn-login", query="token=1")
    put_pod(server, home, "worker-0")
    put_pod(server, home, "worker-1")
    with (
        pretend_workers(fleet.scripts, fleet.name, "worker-0", "worker-1", pods=True) as workers,
        operator_process(
            account, folder, redis.url, *options,
            fleet=fleet.name, namespace=home, key=generate_key(),
        ) as operator,
    ):  # fmt: skip
        login: dict[str, Any] = {"credentialsSecretRef": {"name": "cdn-login"}}
        monitors.create("sports", streams=[a_stream("a", **login), a_stream("b")])
        monitors.await_condition("sports", "Ready", "AllStreamsWatched")
        monitors.await_true(lambda: monitors.events("sports"), "an Event")
        path = f"/api/v1/namespaces/{home}/pods/worker-0"
        wait_until(
            lambda: "annotations" in server.get(path)["metadata"], "a deletion cost", within_s=30
        )
        workers[0].die()
        server.delete(path, gracePeriodSeconds="0")
        # Beside those of other tests, in the whole cluster.
        wanted = {StreamKey(f"{monitors.namespace}/sports/{name}") for name in ("a", "b")}
        wait_until(lambda: wanted <= set(workers[1].has), "failover", within_s=WITHIN_S)
    assert operator.process.returncode == 0, operator.log


def test_rights_suffice_in_the_whole_cluster_and_are_all_used(
    apiserver: ApiServer, home: str, namespace: str, redis_server: RedisServer, fleet: Fleet,
    tmp_path: Path,
) -> None:  # fmt: skip
    if apiserver.audit is None:
        pytest.skip("no audit log of a cluster that was there already: set KUBEBUILDER_ASSETS")
    objects = manifest(home)
    install(apiserver, objects, home)

    exercise(Monitors(apiserver, namespace), home, redis_server, fleet, tmp_path)

    assert used(apiserver, home) == rights(objects)


def test_rights_in_single_namespaces_suffice(
    apiserver: ApiServer, home: str, namespace: str, redis_server: RedisServer, fleet: Fleet,
    tmp_path: Path,
) -> None:  # fmt: skip
    objects = [one for one in manifest(home) if one["kind"] != "ClusterRoleBinding"]
    cluster_wide = next(
        one
        for one in manifest(home)
        if one["kind"] == "ClusterRoleBinding" and one["metadata"]["name"] == NAME
    )
    there = {
        **cluster_wide,
        "kind": "RoleBinding",
        "metadata": {"name": NAME, "namespace": namespace},
    }
    install(apiserver, [*objects, there], home)

    exercise(
        Monitors(apiserver, namespace), home, redis_server, fleet, tmp_path,
        "--namespaces", namespace,
    )  # fmt: skip
