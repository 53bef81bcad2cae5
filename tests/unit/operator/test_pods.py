"""Lost pods are told from those that are on their way, and the emptiest goes first."""

from __future__ import annotations

from typing import Any

from streammonitor_operator.pods import DELETION_COST, Pods


def a_pod(
    name: str = "w-0", uid: str = "u1", phase: str = "Running", node: str = "n1", **metadata: Any
) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "uid": uid, **metadata},
        "spec": {"nodeName": node},
        "status": {"phase": phase},
    }


def test_deleted_pod_is_lost() -> None:
    pods = Pods()
    assert pods.see("ADDED", a_pod()) is None

    assert pods.see("DELETED", a_pod()) == "w-0"


def test_pod_that_ended_is_lost() -> None:
    pods = Pods()
    pods.see(None, a_pod())

    assert pods.see("MODIFIED", a_pod(phase="Failed")) == "w-0"


def test_pod_that_is_being_deleted_is_not_lost() -> None:
    pods = Pods()
    pods.see(None, a_pod())

    assert pods.see("MODIFIED", a_pod(deletionTimestamp="2026-11-22T08:00:00Z")) is None


def test_old_pod_of_a_name_that_is_used_again_loses_nobody() -> None:
    pods = Pods()
    pods.see("ADDED", a_pod(uid="u2"))

    assert pods.see("DELETED", a_pod(uid="u1")) is None
    assert "w-0" in pods.by_name


def test_pods_of_a_lost_node_are_lost() -> None:
    pods = Pods()
    for name, node in (("w-0", "n1"), ("w-1", "n2"), ("w-2", "n1")):
        pods.see(None, a_pod(name, node=node))

    assert list(pods.lose_node("n1")) == ["w-0", "w-2"]
    assert list(pods.lose_node("n1")) == []


def test_costs_are_written_where_they_differ_enough() -> None:
    pods = Pods()
    pods.see(None, a_pod("new"))
    for name, cost in (("same", 50), ("near", 48), ("far", 20), ("emptied", 1), ("odd", 0)):
        pods.see(None, a_pod(name, annotations={DELETION_COST: str(cost)}))
    pods.see(None, a_pod("ending", deletionTimestamp="2026-11-22T08:00:00Z"))
    loads = [(name, 50) for name in ("new", "same", "near", "far", "ending", "unknown")]

    assert pods.costs([*loads, ("emptied", 0), ("odd", 0)]) == {"new": 50, "far": 50, "emptied": 0}


def test_annotation_that_is_no_number_is_written_anew() -> None:
    pods = Pods()
    pods.see(None, a_pod(annotations={DELETION_COST: "many"}))

    assert pods.costs([("w-0", 3)]) == {"w-0": 3}
