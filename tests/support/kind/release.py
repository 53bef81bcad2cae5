"""The product as it is installed in the cluster: by its chart, with the values of these tests."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.support.kind.programs import (
    ROOT,
    Cluster,
    CommandError,
    Manifest,
    is_ready,
    name_of,
    run,
)

CHART = ROOT / "charts" / "streammonitor"
NAMESPACE = RELEASE = "streammonitor"
IMAGE = os.environ.get("IMAGE") or "streammonitor/streammonitor:0.1.0"
CONTROL_PLANE = {
    "nodeSelector": {"node-role.kubernetes.io/control-plane": ""},
    "tolerations": [{"key": "node-role.kubernetes.io/control-plane", "operator": "Exists"}],
}
"""Operator and Redis stay there, so that the other nodes can be drained and stopped."""
WORKERS = 3


def image_id() -> str:
    return run("docker", "image", "inspect", "--format", "{{.Id}}", IMAGE).strip()


def image_values(image: str) -> Manifest:
    repository, _, tag = image.rpartition(":")
    return {"repository": repository, "tag": tag}


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Values over values, as helm merges them."""
    result = dict(base)
    for key, value in over.items():
        before = result.get(key)
        both = isinstance(before, Mapping) and isinstance(value, Mapping)
        result[key] = merged(before, value) if both else value  # type: ignore[arg-type]
    return result


def base_values() -> dict[str, Any]:
    """Those of `make kind-up`, small workers, as many as these tests need."""
    values = yaml.safe_load((CHART / "ci" / "kind.yaml").read_text(encoding="utf-8"))
    annotations = {"podAnnotations": {"image-id": image_id()}}
    ours: dict[str, Any] = {
        "image": image_values(IMAGE),
        "operator": {**CONTROL_PLANE, **annotations},
        "workers": {
            "replicas": WORKERS,
            "resources": {"requests": {"cpu": "100m"}},
            **annotations,
        },
        "redis": dict(CONTROL_PLANE),
        "autoscaling": {"metric": "none"},
    }
    if redis := os.environ.get("REDIS_IMAGE"):
        ours["redis"]["image"] = image_values(redis)
    return merged(values, ours)


class Release:
    """One installation."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.cluster = cluster
        self.folder = folder
        self.namespace = NAMESPACE

    def values_file(self, values: Mapping[str, Any]) -> Path:
        path = self.folder / "values.yaml"
        path.write_text(yaml.safe_dump(dict(values)), encoding="utf-8")
        return path

    def installed_values(self) -> dict[str, Any] | None:
        """None where it is not installed, or only half."""
        try:
            status = json.loads(self.cluster.helm("status", RELEASE, "-n", NAMESPACE, "-o", "json"))
            if status["info"]["status"] != "deployed":
                return None
            found = self.cluster.helm("get", "values", RELEASE, "-n", NAMESPACE, "-o", "json")
        except CommandError:
            return None
        values: dict[str, Any] = json.loads(found)
        return values

    def ensure(self, **over: Any) -> None:
        """Have it installed with these values over the base, all pods ready."""
        values = merged(base_values(), over)
        installed = self.installed_values()
        if installed and installed["redis"].get("nodeSelector") != values["redis"]["nodeSelector"]:
            self.uninstall()  # as `make kind-up` left it: its volume stays where Redis ran
        if installed != values:
            self.install(values)
        self.await_ready()

    def install(self, values: Mapping[str, Any], chart: Path = CHART) -> float:
        """Install or upgrade; returns when helm was called, of the monotonic clock."""
        self.make_namespace()
        began = time.monotonic()
        self.cluster.helm(
            *("upgrade", "--install", RELEASE, chart, "--namespace", NAMESPACE),
            *("--values", self.values_file(values)),
        )
        return began

    def make_namespace(self) -> None:
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        metadata = {"name": NAMESPACE, "labels": labels}
        self.cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})

    def uninstall(self) -> None:
        if self.installed_values() is not None:
            self.cluster.helm("uninstall", RELEASE, "-n", NAMESPACE, "--wait", within_s=150)

    def await_ready(self, within_s: float = 120.0) -> None:
        """All pods are those of the newest revision, and ready."""
        words = ("rollout", "status", "statefulset,deployment", "--namespace", NAMESPACE)
        self.cluster.kubectl(*words, f"--timeout={within_s:.0f}s", within_s=within_s + 10)

    def workers(self) -> list[Manifest]:
        """Worker pods that are ready and not on their way out."""
        return [pod for pod in self.cluster.pods(NAMESPACE, "worker") if is_ready(pod)]

    def names(self) -> set[str]:
        """Of the workers that are ready."""
        return {name_of(pod) for pod in self.workers()}

    def await_workers(self, count: int, within_s: float = 90.0) -> list[Manifest]:
        def there() -> list[Manifest] | None:
            found = self.workers()
            return found if len(found) == count else None

        return self.cluster.await_true(there, f"{count} workers are ready", within_s)

    def operator(self) -> Manifest:
        (pod,) = self.cluster.pods(NAMESPACE, "operator")
        return pod

    def operator_is_ready(self, elsewhere_than: str) -> bool:
        """Whether one is ready that is not on a node."""
        pods = self.cluster.pods(NAMESPACE, "operator")
        return any(is_ready(pod) and pod["spec"]["nodeName"] != elsewhere_than for pod in pods)

    def memory_mb(self, pod: Manifest) -> float | None:
        """What the processes of a pod have in memory, as its kubelet last saw them, MB."""
        path = f"/api/v1/nodes/{pod['spec']['nodeName']}/proxy/stats/summary"
        for seen in self.cluster.raw(path)["pods"]:
            if seen["podRef"]["uid"] == pod["metadata"]["uid"]:
                used = sum(one.get("memory", {}).get("rssBytes", 0) for one in seen["containers"])
                return used / 1e6 or None
        return None

    def streams(self, worker: Manifest) -> list[Manifest]:
        """What a worker shows of its streams."""
        path = f"/api/v1/namespaces/{NAMESPACE}/pods/{name_of(worker)}:8080/proxy/streams"
        found: list[Manifest] = self.cluster.raw(path)["streams"]
        return found

    def demand(self) -> Manifest:
        """What the operator tells an autoscaler."""
        path = f"/api/v1/namespaces/{NAMESPACE}/services/{RELEASE}-operator:8080/proxy/demand"
        found: Manifest = self.cluster.raw(path)
        return found

    def metric(self, name: str) -> float:
        """A number of the operator's /metrics; labels belong to the name."""
        path = f"/api/v1/namespaces/{NAMESPACE}/services/{RELEASE}-operator:8080/proxy/metrics"
        text = self.cluster.kubectl("get", "--raw", path)
        (line,) = (one for one in text.splitlines() if one.startswith(f"{name} "))
        return float(line.rpartition(" ")[2])

    def kill(self, pod: Manifest) -> float:
        """SIGKILL a pod's processes, all at once, by its node; returns when that was."""
        (status,) = pod["status"]["containerStatuses"]
        container = str(status["containerID"]).removeprefix("containerd://")
        node = pod["spec"]["nodeName"]
        ctr = ("ctr", "--namespace", "k8s.io", "tasks", "kill", "--signal", "SIGKILL", "--all")
        now = time.time()
        self.cluster.on_node(node, *ctr, container)
        return now

    def replace(self, pod: Manifest) -> None:
        """Have another pod in the place of one that was killed: the same one would be started
        again after a back-off that grows with each time."""
        name = f"pod/{name_of(pod)}"
        self.cluster.kubectl("delete", name, "-n", NAMESPACE, "--grace-period=0", "--force")

    def await_gone(self, names: set[str], within_s: float) -> None:
        """Until none of these worker pods is there any more, not even ending."""

        def are_gone() -> bool:
            labels = "app.kubernetes.io/component=worker"
            found = self.cluster.all("pods", NAMESPACE, "--selector", labels)
            return not names & {name_of(one) for one in found}

        self.cluster.await_true(are_gone, f"{', '.join(sorted(names))} gone", within_s)
