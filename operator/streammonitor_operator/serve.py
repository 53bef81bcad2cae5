"""What the operator answers over HTTP: /demand, /metrics, /healthz, /readyz. All read-only.

/demand   JSON, for KEDA's metrics-api scaler: valueLocation `workers_wanted`
/metrics  Prometheus
/healthz  200 while cycles end, also without Redis: a restart would not bring it back; and while the
          watches of Kubernetes deliver
/readyz   200 while it decides, otherwise 503 and why not
"""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from streammonitor_operator.demand import demand_of
from streammonitor_operator.loop import OperatorLoop
from streammonitor_operator.metrics import FleetCollector
from streammonitor_operator.settings import OperatorSettings


class OperatorServer:
    """Serves one loop; `port` is the one that was taken."""

    def __init__(
        self,
        loop: OperatorLoop,
        settings: OperatorSettings,
        problem: Callable[[], str | None] = lambda: None,
    ) -> None:
        """`problem` says why the process has to be started anew for another reason than the
        loop's: a watch that is dead."""
        self._problem = problem
        self.port = settings.port
        self._loop, self._settings = loop, settings
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(FleetCollector(loop.reconciler, settings))
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Begin to answer. Raises OSError where the port is taken."""
        application = web.Application()
        application.router.add_get("/demand", self._demand)
        application.router.add_get("/metrics", self._metrics)
        application.router.add_get("/healthz", self._healthz)
        application.router.add_get("/readyz", self._readyz)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._settings.host, self._settings.port).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _demand(self, _: web.Request) -> web.Response:
        """Not before the fleet is known: a scaler must not take ignorance for no demand."""
        if not self._loop.has_decided:
            return web.json_response({"error": "the fleet is not known yet"}, status=503)
        async with self._loop.between_cycles:
            demand = demand_of(
                self._loop.reconciler.state,
                head_room=self._settings.head_room,
                fallback_cores=self._settings.worker_capacity_cores,
            )
        return web.json_response(demand.as_json())

    async def _metrics(self, _: web.Request) -> web.Response:
        async with self._loop.between_cycles:
            body = generate_latest(self._registry)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})

    async def _healthz(self, _: web.Request) -> web.Response:
        problem = self._problem()
        if not self._loop.is_alive:
            problem = "no cycle has ended for a minute"
        if problem is None:
            return web.Response(text="ok\n")
        return web.Response(text=f"{problem}\n", status=503)

    async def _readyz(self, _: web.Request) -> web.Response:
        if self._loop.is_ready:
            return web.Response(text="ok\n")
        why = self._loop.problem or "waiting for the list of monitors, or for heartbeats"
        return web.Response(text=f"{why}\n", status=503)
