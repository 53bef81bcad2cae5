"""Worker pods: which of them are lost, and which should go first when the fleet shrinks.

Pure. A pod that is being deleted in order is not lost: its worker drains and says so itself. Lost
are pods that are gone, that have ended, and those of a node that is no more. A worker that lives
after all has been fenced by a higher epoch, and is taken back with its next heartbeat.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from streammonitor_api.names import WorkerId

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
"""ReplicaSets delete the pods of the lowest cost first."""
_ENDED = ("Failed", "Succeeded")
_TOLERANCE = 0.1
"""Costs this close to what is written are left alone: only their order matters."""


@dataclass(frozen=True, slots=True)
class Pod:
    """What matters about a worker's pod."""

    name: str
    node: str
    uid: str
    cost: int | None
    """As its annotation says; None without one."""
    is_ending: bool
    """It is being deleted, in order."""


@dataclass(slots=True)
class Pods:
    """The worker pods that exist, by name."""

    by_name: dict[str, Pod] = field(default_factory=dict)

    def see(self, kind: str | None, written: Mapping[str, Any]) -> WorkerId | None:
        """Take in what the watch told; returns the worker that is lost, if any."""
        pod, phase = _read(written)
        if kind == "DELETED" or phase in _ENDED:
            known = self.by_name.get(pod.name)
            if known is not None and known.uid != pod.uid:
                return None  # another pod of that name is there already
            self.by_name.pop(pod.name, None)
            return WorkerId(pod.name)
        self.by_name[pod.name] = pod
        return None

    def lose_node(self, node: str) -> Iterator[WorkerId]:
        """The workers of a node that is no more; their pods are forgotten."""
        for pod in [one for one in self.by_name.values() if one.node == node]:
            del self.by_name[pod.name]
            yield WorkerId(pod.name)

    def costs(self, loads: Iterable[tuple[str, int]]) -> dict[str, int]:
        """The costs that are to be written, by pod, from how many streams each has."""
        changed = {}
        for name, streams in loads:
            pod = self.by_name.get(name)
            if pod is None or pod.is_ending or not _differs(pod.cost, streams):
                continue
            changed[name] = streams
        return changed


def _differs(written: int | None, cost: int) -> bool:
    if written is None or written == 0 or cost == 0:
        return (written or 0) != cost
    return abs(cost - written) > max(1.0, _TOLERANCE * written)


def _read(written: Mapping[str, Any]) -> tuple[Pod, str]:
    metadata = written["metadata"]
    text = (metadata.get("annotations") or {}).get(DELETION_COST, "")
    cost = int(text) if text.lstrip("-").isdigit() else None
    pod = Pod(
        name=metadata["name"],
        node=(written.get("spec") or {}).get("nodeName", ""),
        uid=metadata.get("uid", ""),
        cost=cost,
        is_ending=bool(metadata.get("deletionTimestamp")),
    )
    return pod, (written.get("status") or {}).get("phase", "")
