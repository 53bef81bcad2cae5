"""A real API server takes all that the chart makes, as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.apiserver import ApiServer
from tests.support.chart import CHART, NAMESPACE, ROOT, Chart, Manifest, Values, helm

_GROUPS = {
    "PriorityClass": "/apis/scheduling.k8s.io/v1/priorityclasses",
    "CustomResourceDefinition": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "Role": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/roles",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings",
    "NetworkPolicy": "/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies",
    "PodDisruptionBudget": "/apis/policy/v1/namespaces/{}/poddisruptionbudgets",
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
    "StatefulSet": "/apis/apps/v1/namespaces/{}/statefulsets",
    "HorizontalPodAutoscaler": "/apis/autoscaling/v2/namespaces/{}/horizontalpodautoscalers",
    "Namespace": "/api/v1/namespaces",
    "ServiceAccount": "/api/v1/namespaces/{}/serviceaccounts",
    "Secret": "/api/v1/namespaces/{}/secrets",
    "ConfigMap": "/api/v1/namespaces/{}/configmaps",
    "Service": "/api/v1/namespaces/{}/services",
    "Pod": "/api/v1/namespaces/{}/pods",
}

VALUES: list[Values] = [
    {},
    {"autoscaling": {"metric": "none"}, "monitoring": {"dashboard": {"enabled": True}}},
    {
        "redis": {
            "enabled": False,
            "external": {"url": "rediss://redis.data:6380/0", "existingSecret": "redis"},
        },
        "operator": {"namespaces": [NAMESPACE]},
    },
    {
        "commonLabels": {"team": "video"},
        "workers": {"podDisruptionBudget": {"maxUnavailable": "20%"}, "maxSurge": "25%"},
        "redis": {"persistence": {"storageClassName": "fast"}},
        "imagePullSecrets": [{"name": "registry"}],
    },
]


@pytest.fixture(scope="module")
def restricted(apiserver: ApiServer) -> ApiServer:
    """A server with the namespace of the release, in which Pod Security is restricted."""
    level = {"pod-security.kubernetes.io/enforce": "restricted"}
    apiserver.apply(
        f"/api/v1/namespaces/{NAMESPACE}",
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": NAMESPACE, "labels": level},
        },
    )
    return apiserver


def would_take(server: ApiServer, one: Manifest, home: str) -> None:
    """Have the server judge an object, as it would be applied, without keeping it."""
    metadata = one["metadata"]
    path = _GROUPS[one["kind"]].format(metadata.get("namespace", home)) + f"/{metadata['name']}"
    asked = {
        "dryRun": "All", "fieldValidation": "Strict", "fieldManager": "tests", "force": "true",
    }  # fmt: skip
    answer = server.request("PATCH", path, one, "application/apply-patch+yaml", **asked)
    assert answer.accepted, f"{one['kind']} {metadata['name']}: {answer.message}"


@pytest.mark.parametrize("values", VALUES, ids=["default", "fixed", "external", "odd"])
def test_server_takes_every_object(
    restricted: ApiServer, tmp_path: Path, values: dict[str, Any]
) -> None:
    rendered = Chart(tmp_path).render(values)

    for one in rendered.objects:
        would_take(restricted, one, NAMESPACE)


def test_pods_may_run_where_pods_are_restricted(restricted: ApiServer, tmp_path: Path) -> None:
    """Deployments are only warned about; their pods would be refused."""
    for number, spec in enumerate(Chart(tmp_path).render().pods()):
        spec = {key: value for key, value in spec.items() if key != "priorityClassName"}
        claims = {"name": "data", "emptyDir": {}}
        spec["volumes"] = [*spec.get("volumes", ()), claims]
        spec.setdefault("restartPolicy", "Always")
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"p{number}"}, "spec": spec}
        would_take(restricted, pod, NAMESPACE)


def test_server_takes_the_plain_manifest(apiserver: ApiServer) -> None:
    text = (ROOT / "manifests" / "install.yaml").read_text(encoding="utf-8")
    objects = list(yaml.safe_load_all(text))
    home = objects[0]["metadata"]["name"]
    apiserver.apply(f"/api/v1/namespaces/{home}", objects[0])

    for one in objects:
        would_take(apiserver, one, home)


def test_notes_say_what_a_cluster_without_metrics_is_missing(
    restricted: ApiServer, tmp_path: Path
) -> None:
    if restricted.request("GET", "/apis/metrics.k8s.io").accepted:
        pytest.skip(
            "this cluster has metrics-server: without KUBECONFIG one is started that has not"
        )
    kubeconfig = restricted.kubeconfig(tmp_path / "kubeconfig")

    said = helm(
        *("install", "sm", str(CHART), "--namespace", NAMESPACE, "--dry-run=server"),
        *("--set", "crds.install=false", "--kubeconfig", str(kubeconfig)),
    )

    assert said.returncode == 0, said.stderr
    assert "this cluster measures no CPU" in said.stdout
    assert "Install metrics-server, or set autoscaling.metric" in said.stdout
