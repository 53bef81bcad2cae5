"""StreamMonitors in a real API server: made, looked at, waited for."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from tests.support.apiserver import ApiServer
from tests.support.resources import a_monitor
from tests.support.waiting import wait_until

WITHIN_S = 60.0
"""What these tests wait for takes a second or two on an idle machine."""


class Monitors:
    """The StreamMonitors of a namespace."""

    def __init__(self, server: ApiServer, namespace: str) -> None:
        self.server = server
        self.namespace = namespace
        base = f"/apis/streammonitor.dev/v1alpha1/namespaces/{namespace}/streammonitors"
        self.path = base

    def create(self, name: str, **spec: Any) -> dict[str, Any]:
        return self.server.create(self.path, a_monitor(name, self.namespace, **spec))

    def try_to_create(self, name: str, **spec: Any) -> bool:
        """Create it if the API server lets it in."""
        resource = a_monitor(name, self.namespace, **spec)
        return self.server.request("POST", self.path, resource).accepted

    def get(self, name: str) -> dict[str, Any]:
        return self.server.get(f"{self.path}/{name}")

    def change(self, name: str, **spec: Any) -> dict[str, Any]:
        return self.server.patch(f"{self.path}/{name}", {"spec": spec})

    def delete(self, name: str) -> None:
        self.server.delete(f"{self.path}/{name}")

    def condition(self, name: str, kind: str) -> dict[str, Any]:
        status = self.get(name).get("status") or {}
        found = (one for one in status.get("conditions") or () if one["type"] == kind)
        return next(found, {})

    def await_condition(self, name: str, kind: str, reason: str) -> dict[str, Any]:
        """Wait until a condition of the latest generation has this reason."""

        def reached() -> dict[str, Any] | None:
            monitor = self.get(name)
            condition = self.condition(name, kind)
            current = condition.get("observedGeneration") == monitor["metadata"]["generation"]
            return condition if current and condition["reason"] == reason else None

        found: dict[str, Any] = self.await_true(reached, f"{name}: {kind} is {reason}")
        return found

    def await_true(self, condition: Callable[[], Any], what: str) -> Any:
        return wait_until(condition, what, within_s=WITHIN_S)

    def events(self, name: str) -> list[dict[str, Any]]:
        """The Kubernetes Events of a monitor, the oldest first."""
        found = self.server.get(f"/api/v1/namespaces/{self.namespace}/events")["items"]
        ours = [one for one in found if one["involvedObject"]["name"] == name]
        return sorted(ours, key=lambda one: str(one["metadata"]["creationTimestamp"]))

    def put_secret(self, name: str, **values: str) -> None:
        data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": data}
        self.server.apply(f"/api/v1/namespaces/{self.namespace}/secrets/{name}", secret)

    def delete_secret(self, name: str) -> None:
        self.server.delete(f"/api/v1/namespaces/{self.namespace}/secrets/{name}")


def put_pod(server: ApiServer, namespace: str, name: str, node: str = "") -> None:
    """Make a worker's pod that nothing runs; its phase is set to Running."""
    labels = {"app.kubernetes.io/name": "streammonitor", "app.kubernetes.io/component": "worker"}
    spec: dict[str, Any] = {"containers": [{"name": "worker", "image": "none"}]}
    if node:
        spec["nodeName"] = node
    path = f"/api/v1/namespaces/{namespace}/pods"
    server.create(path, {"metadata": {"name": name, "labels": labels}, "spec": spec})
    server.patch(f"{path}/{name}/status", {"status": {"phase": "Running"}})
