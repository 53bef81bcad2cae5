"""The operator as a process: reconcile loop, cluster and HTTP server in one event loop.

`streammonitor operator` is this. On one machine without Kubernetes a folder of files takes the
cluster's place, see `streammonitor fleet`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from dataclasses import dataclass, field

from streammonitor_api.fleet.connect import RedisSettings
from streammonitor_api.fleet.scripts import Scripts
from streammonitor_api.fleet.store import OperatorStore, ReaderStore
from streammonitor_api.names import FleetName
from streammonitor_api.sealing import FleetKey
from streammonitor_operator.clients.kubernetes import (
    Kubernetes,
    cluster_identity,
    home_namespace,
    log_in,
)
from streammonitor_operator.cluster import Cluster, ClusterOptions
from streammonitor_operator.demand import CAPACITY_CORES, HEAD_ROOM
from streammonitor_operator.inventory import Inventory
from streammonitor_operator.loop import OperatorLoop
from streammonitor_operator.reconcile import Reconciler
from streammonitor_operator.serve import OperatorServer
from streammonitor_operator.settings import OperatorSettings

log = logging.getLogger("streammonitor.operator")


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorOptions:
    """What the process is told."""

    fleet: FleetName
    redis: RedisSettings
    key: FleetKey | None = None
    host: str = "127.0.0.1"
    port: int = 0
    """Where /demand, /metrics, /healthz and /readyz are served; 0 takes a free port."""
    head_room: float = HEAD_ROOM
    worker_capacity_cores: float = CAPACITY_CORES
    cluster: ClusterOptions = field(default_factory=ClusterOptions)


class Operator:
    """An operator in a cluster. Raises InputError where that cannot be reached at all."""

    def __init__(self, options: OperatorOptions) -> None:
        connection = log_in()
        home = options.cluster.home or home_namespace(connection)
        settings = OperatorSettings(
            identity=f"kubernetes {cluster_identity(connection)}/{home}",
            name=options.cluster.name,
            head_room=options.head_room,
            worker_capacity_cores=options.worker_capacity_cores,
            host=options.host,
            port=options.port,
        )
        scripts = Scripts.open(options.redis)
        inventory = Inventory()
        self._kubernetes = Kubernetes(connection)
        reconciler = Reconciler(
            inventory,
            OperatorStore(scripts, options.fleet),
            ReaderStore(scripts, options.fleet),
            identity=settings.identity,
            name=settings.name,
        )
        self._roster = reconciler.state.roster
        self.cluster = Cluster(
            inventory, options.key, options.cluster, self._kubernetes, self._pod_loads
        )
        self.loop = OperatorLoop(reconciler, self.cluster.outbox.write)
        self.server = OperatorServer(self.loop, settings, self.cluster.problem)
        self._where = f"fleet {options.fleet} at {options.redis.address}"

    def run(self, stop: threading.Event) -> None:
        """Run until `stop`, in a thread of its own: kopf would take the main thread's signals.

        Raises FencedError when another operator has taken over, and whatever else ended it.
        """
        loop = asyncio.new_event_loop()
        task = loop.create_task(self._run())

        def run() -> None:
            with contextlib.suppress(BaseException):  # it is the task's, and raised below
                loop.run_until_complete(task)
            stop.set()

        thread = threading.Thread(target=run, name="operator")
        thread.start()
        stop.wait()
        if not task.done():
            loop.call_soon_threadsafe(task.cancel)
        thread.join()
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
        if not task.cancelled() and (error := task.exception()) is not None:
            raise _first(error)

    async def _run(self) -> None:
        await self.server.start()
        log.info("operator: http on port %d, %s", self.server.port, self._where)
        try:
            async with self._kubernetes, asyncio.TaskGroup() as group:
                group.create_task(self.loop.run())
                group.create_task(self.cluster.run())
        finally:
            await self.server.stop()

    def _pod_loads(self) -> list[tuple[str, int]]:
        """How many streams each worker that is a pod has."""
        return [(one.beat.pod, one.beat.streams) for one in self._roster.alive() if one.beat.pod]


def _first(error: BaseException) -> BaseException:
    """What ended a group of tasks."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
