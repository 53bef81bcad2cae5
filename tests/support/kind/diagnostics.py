"""What a cluster looks like when a test has failed, as files."""

from __future__ import annotations

from pathlib import Path

from tests.support.kind.programs import Cluster, CommandError

_LOOKS = {
    "pods.txt": ("get", "pods", "--all-namespaces", "--output", "wide"),
    "nodes.txt": ("describe", "nodes"),
    "events.txt": ("get", "events", "--all-namespaces", "--sort-by", "lastTimestamp"),
    "smon.yaml": ("get", "smon", "--all-namespaces", "--output", "yaml"),
    "describe.txt": ("describe", "pods,hpa,pdb", "--namespace", "streammonitor"),
}
_FROM = ("streammonitor", "e2e-scenery")


def collect(cluster: Cluster, folder: Path) -> None:
    """Write them into a folder; what cannot be had says why."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, words in _LOOKS.items():
        (folder / name).write_text(_said(cluster, *words), encoding="utf-8")
    for namespace in _FROM:
        pods = _said(cluster, "get", "pods", "--namespace", namespace, "--output", "name")
        for pod in pods.split():
            for suffix, option in (("", "--previous=false"), (".before", "--previous")):
                words = ("logs", pod, "--namespace", namespace, "--all-containers", option)
                name = f"{pod.partition('/')[2]}{suffix}.log"
                (folder / name).write_text(_said(cluster, *words), encoding="utf-8")


def _said(cluster: Cluster, *words: str) -> str:
    try:
        return cluster.kubectl(*words, within_s=20)
    except CommandError as failed:
        return str(failed)
