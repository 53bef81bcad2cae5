"""The operator's Kubernetes side: what comes from the API server, and what goes there.

It feeds the inventory and is given the statuses that are to be written. Without an API server it
goes on trying, and the reconcile loop goes on without it.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import kopf

from streammonitor_api.resource import GROUP, PLURAL, VERSION
from streammonitor_api.sealing import FleetKey
from streammonitor_operator import handlers
from streammonitor_operator.clients.kubernetes import Kubernetes, KubernetesError, home_namespace
from streammonitor_operator.delivery import Delivery, versions
from streammonitor_operator.feed import Feed
from streammonitor_operator.inventory import Inventory, MonitorKey
from streammonitor_operator.outbox import Outbox
from streammonitor_operator.pods import DELETION_COST, Pods
from streammonitor_operator.secretreader import SecretReader

COMPARE_S = 30.0
COSTS_S = 15.0
_RETRY_S = 2.0
_BEGIN_AGAIN_S = 5.0
_TICK_S = 0.1

_log = logging.getLogger("streammonitor.operator")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterOptions:
    """What the operator does in its cluster."""

    namespaces: tuple[str, ...] = ()
    """Whose StreamMonitors are followed; none: those of all namespaces."""
    home: str = ""
    """Where the worker pods are; empty: the operator's own namespace."""
    watch_nodes: bool = True
    """Fail over from a node that is removed, where the account may watch nodes."""
    worker_selector: str = handlers.WORKER_SELECTOR
    name: str = "streammonitor-operator"
    """Of this process, for Events."""
    compare_s: float = COMPARE_S
    """How often the watches are compared with lists."""
    costs_s: float = COSTS_S
    """How often the deletion costs of pods are looked at."""


Loads = Callable[[], Iterable[tuple[str, int]]]
"""The pods that beat, with the number of their streams."""


class Cluster:
    """The cluster as the operator sees it."""

    def __init__(
        self,
        inventory: Inventory,
        key: FleetKey | None,
        options: ClusterOptions,
        kubernetes: Kubernetes,
        loads: Loads = tuple,
    ) -> None:
        self._inventory = inventory
        self._options = options
        self._kubernetes = kubernetes
        self._loads = loads
        self._home = options.home or home_namespace(kubernetes.connection)
        self.feed = Feed(inventory, key)
        self.pods = Pods()
        self.monitors = Delivery("StreamMonitors")
        self.outbox = Outbox(kubernetes, self.feed.uid, clock=time.time, name=options.name)

    async def run(self) -> None:
        """Follow the cluster until cancelled."""
        secrets = SecretReader(self._kubernetes, self.feed, clock=time.monotonic)
        await self._until_installed()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch_monitors())
            group.create_task(self._watch_pods())
            group.create_task(self._compare())
            group.create_task(self._complete())
            group.create_task(self._keep_costs())
            group.create_task(secrets.run())
            group.create_task(self.outbox.run())

    def problem(self) -> str | None:
        """Why the watch must be taken for dead; None while it delivers, or nothing can be known."""
        return self.monitors.problem(time.monotonic())

    # What comes in

    def _see_monitor(self, kind: str | None, written: Mapping[str, Any]) -> None:
        metadata = written["metadata"]
        key = MonitorKey(f"{metadata['namespace']}/{metadata['name']}")
        if kind == "DELETED":
            self.monitors.tell_gone(key)
            self.feed.forget(key)
            return
        self.monitors.tell(key, metadata["resourceVersion"], time.monotonic())
        self.feed.see(written)

    def _see_pod(self, kind: str | None, written: Mapping[str, Any]) -> None:
        worker = self.pods.see(kind, written)
        if worker is not None and kind is not None:
            _log.info("worker %s: its pod is gone", worker)
            self._inventory.lose_worker(worker)

    def _see_node(self, kind: str | None, written: Mapping[str, Any]) -> None:
        if kind != "DELETED":
            return
        node = written["metadata"]["name"]
        for worker in self.pods.lose_node(node):
            _log.info("worker %s: its node %s is gone", worker, node)
            self._inventory.lose_worker(worker)

    # Watches

    async def _until_installed(self) -> None:
        """Wait until the API server answers and knows StreamMonitors."""
        told = ""
        while True:
            try:
                await self._list_monitors()
                return
            except KubernetesError as error:
                text = str(error)
                if error.status == 403:
                    text += "; grant the operator what manifests/rbac.yaml has"
                if error.status == 404:
                    text = (
                        "StreamMonitor is not installed in this cluster; install it: "
                        "streammonitor crd | kubectl apply --server-side -f -"
                    )
                if text != told:
                    _log.warning("%s", text)
                told = text
                await asyncio.sleep(_RETRY_S)

    async def _watch_monitors(self) -> None:
        namespaces = self._options.namespaces
        registry = handlers.monitor_watch(self._hand_over(self._see_monitor))
        await self._watch("StreamMonitors", registry, namespaces)

    async def _watch_pods(self) -> None:
        see_node = self._hand_over(self._see_node) if await self._may_watch_nodes() else None
        registry = handlers.pod_watch(self._hand_over(self._see_pod), see_node)
        await self._watch("worker pods", registry, (self._home,))

    async def _watch(
        self, kind: str, registry: kopf.OperatorRegistry, namespaces: tuple[str, ...]
    ) -> None:
        """Have kopf watch; begin again where it gives up."""
        while True:
            problem = await self._watch_once(registry, namespaces)
            _log.warning("the watch of %s ended, begun again: %s", kind, problem)
            await asyncio.sleep(_BEGIN_AGAIN_S)

    async def _watch_once(
        self, registry: kopf.OperatorRegistry, namespaces: tuple[str, ...]
    ) -> str:
        """Watch until kopf gives up; returns why."""
        stop = threading.Event()
        selector = self._options.worker_selector
        watching = asyncio.ensure_future(
            asyncio.to_thread(handlers.watch, registry, namespaces, selector, stop)
        )
        try:
            await asyncio.shield(watching)
        except Exception as error:  # whatever it is, the next attempt may do
            return str(error) or type(error).__name__
        finally:
            stop.set()
            await asyncio.wait([watching])
        return "it ended"

    def _hand_over(self, see: handlers.See) -> handlers.See:
        """What a watch tells in its thread is taken in here, in the order in which it comes."""
        loop = asyncio.get_running_loop()

        def take(kind: str | None, written: Mapping[str, Any]) -> None:
            loop.call_soon_threadsafe(see, kind, written)

        return take

    async def _may_watch_nodes(self) -> bool:
        if not self._options.watch_nodes:
            return False
        try:
            async for _ in self._kubernetes.list_metadata("/api/v1/nodes"):
                break
        except KubernetesError as error:
            _log.info("nodes are not watched, heartbeats tell of their loss: %s", error)
            return False
        return True

    # Comparing

    async def _compare(self) -> None:
        while True:
            try:
                listed = await self._list_monitors()
                for key in self.monitors.compare(listed, time.monotonic()):
                    _log.info("%s: deleted while nobody watched", key)
                    self.feed.forget(MonitorKey(key))
            except KubernetesError as error:
                _log.warning("the watches cannot be checked: %s", error)
            problem = self.problem()
            if problem:
                _log.error("%s", problem)
            await asyncio.sleep(self._options.compare_s)

    async def _list_monitors(self) -> dict[str, str]:
        scopes = [f"namespaces/{one}/" for one in self._options.namespaces] or [""]
        found: dict[str, str] = {}
        for scope in scopes:
            path = f"/apis/{GROUP}/{VERSION}/{scope}{PLURAL}"
            found |= versions([one async for one in self._kubernetes.list_metadata(path)])
        return found

    async def _complete(self) -> None:
        """Tell the inventory when everything that was there at the start has been fed."""
        while not (self.monitors.has_told_all and not self.feed.waits):
            await asyncio.sleep(_TICK_S)
        self._inventory.complete()

    # Pod deletion cost

    async def _keep_costs(self) -> None:
        """Let ReplicaSets take the emptiest worker first."""
        while True:
            await asyncio.sleep(self._options.costs_s)
            for pod, cost in self.pods.costs(self._loads()).items():
                await self._write_cost(pod, cost)

    async def _write_cost(self, pod: str, cost: int) -> None:
        patch = {"metadata": {"annotations": {DELETION_COST: str(cost)}}}
        try:
            await self._kubernetes.merge(f"/api/v1/namespaces/{self._home}/pods/{pod}", patch)
        except KubernetesError as error:
            if error.status != 404:
                _log.warning("pod %s: its deletion cost was not written: %s", pod, error)
