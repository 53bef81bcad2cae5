"""Live streams and an observer in the cluster, and monitors of these streams."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.kind.gaps import Sighting
from tests.support.kind.programs import Cluster, Manifest

SCENERY = "e2e-scenery"
FOLDER = Path(__file__).parent
_PORTS = {"sound": 8001, "frozen": 8002, "pulsing": 8003}
WEBHOOK = f"http://observer.{SCENERY}:8000/hook"
DETECTORS = ("video-freeze", "video-black", "stream-stall", "stream-unavailable")
"""Few, with short alarm durations: a stream that moves is watched twice for the longest of them."""


def url(of: str) -> str:
    """Of a stream that the scenery broadcasts: sound, frozen, pulsing."""
    return f"http://streams.{SCENERY}:{_PORTS[of]}/640x360/index.m3u8"


def a_stream(of: str, name: str = "") -> Manifest:
    return {"name": name or of, "url": url(of)}


def a_monitor(name: str, namespace: str, streams: Iterable[Manifest], **spec: Any) -> Manifest:
    """A StreamMonitor with few detectors."""
    return {
        "apiVersion": "streammonitor.dev/v1alpha1",
        "kind": "StreamMonitor",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"streams": list(streams), "profile": "VideoOnly", **spec},
    }


@dataclass(frozen=True)
class Notification:
    """What came to the webhook."""

    time: float
    path: str
    body: Manifest

    @property
    def kind(self) -> str:
        return str(self.body["data"]["event"])

    @property
    def incident(self) -> Manifest:
        found: Manifest = self.body["data"]["incident"]
        return found


class Scenery:
    """What the observer saw, and what the broadcasts really are."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def put_up(self, image: str) -> None:
        """Have it there, ready; what is there already stays."""
        code = (FOLDER / "observer.py").read_text(encoding="utf-8")
        text = (FOLDER / "scenery.yaml").read_text(encoding="utf-8").replace("IMAGE", image)
        digest = hashlib.sha256((code + text).encode()).hexdigest()[:16]
        text = text.replace("DIGEST", digest)
        namespace = {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {
                "name": SCENERY,
                "labels": {"pod-security.kubernetes.io/enforce": "restricted"},
            },
        }
        config = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "observer", "namespace": SCENERY},
            "data": {"observer.py": code},
        }
        self._cluster.apply(namespace, config)
        self._cluster.apply(text=text)
        words = ("rollout", "status", "deployment", "--namespace", SCENERY, "--timeout", "90s")
        self._cluster.kubectl(*words, within_s=100)

    def seen(self, stream: str) -> list[Sighting]:
        """Of a stream (namespace/monitor/stream), in the order in which it was seen."""
        return [Sighting(*one) for one in self._ask("seen").get(stream, ())]

    def all_seen(self) -> dict[str, list[Sighting]]:
        found = self._ask("seen").items()
        return {stream: [Sighting(*one) for one in rows] for stream, rows in found}

    def notifications(self, namespace: str) -> list[Notification]:
        """Of incidents of streams of a namespace, each as often as it came."""
        found = (Notification(*one) for one in self._ask("notifications"))
        return [one for one in found if one.incident["stream"].startswith(f"{namespace}/")]

    def truth(self, of: str) -> Manifest:
        """What is broadcast, and since when."""
        words = ("exec", "--namespace", SCENERY, "deploy/streams", "--container", of)
        found: Manifest = json.loads(self._cluster.kubectl(*words, "--", "cat", "/tmp/truth.json"))  # noqa: S108  in its pod
        return found

    def _ask(self, what: str) -> Any:
        path = f"/api/v1/namespaces/{SCENERY}/services/observer:8000/proxy/{what}"
        return self._cluster.raw(path)
