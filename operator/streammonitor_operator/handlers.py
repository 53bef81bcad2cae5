"""kopf's part: watches, whose events are handed on as they come. Nothing is decided here.

Only `on.event`: it keeps nothing in the objects, so 10,000 of them at the start are 10,000 calls
and no request. No indexes (the inventory is one), no finalizers (a monitor that goes leaves nothing
behind that its going could not be seen by), no timers.

There are two watches, as their scopes differ: monitors in the namespaces that are served, worker
pods in the operator's own. Each has a thread and an event loop of its own: a kopf that ends, when
an API server refuses it for a while, cancels every task of its loop that began after it.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

import kopf

from streammonitor_api.resource import GROUP, PLURAL, VERSION
from streammonitor_operator.clients.kubernetes import log_in

See = Callable[[str | None, Mapping[str, Any]], None]
"""Takes what happened (ADDED, MODIFIED, DELETED; None: it was there already) and the object."""

WORKER_SELECTOR = "app.kubernetes.io/name=streammonitor,app.kubernetes.io/component=worker"


def monitor_watch(see: See) -> kopf.OperatorRegistry:
    """Watch StreamMonitors."""
    registry = _registry()

    @kopf.on.event(GROUP, VERSION, PLURAL, registry=registry)
    async def see_monitor(event: kopf.RawEvent, **_: Any) -> None:
        see(event["type"], event["object"])

    return registry


def pod_watch(see: See, see_node: See | None) -> kopf.OperatorRegistry:
    """Watch worker pods, and nodes where that is wanted."""
    registry = _registry()

    @kopf.on.event("", "v1", "pods", registry=registry)
    async def see_pod(event: kopf.RawEvent, **_: Any) -> None:
        see(event["type"], event["object"])

    if see_node is not None:

        @kopf.on.event("", "v1", "nodes", registry=registry)
        async def see_one_node(event: kopf.RawEvent, **_: Any) -> None:
            see_node(event["type"], event["object"])

    return registry


def watch(
    registry: kopf.OperatorRegistry,
    namespaces: tuple[str, ...],
    worker_selector: str,
    stop: threading.Event,
) -> None:
    """Watch until `stop`, in the thread that this is called in; no namespaces are all of them.

    Raises whatever kopf gives up with.
    """
    # It says that signals are none of its business in this thread.
    logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)
    settings = _settings(worker_selector)
    try:
        asyncio.run(
            kopf.operator(
                registry=registry,
                settings=settings,
                clusterwide=not namespaces,
                namespaces=namespaces,
                standalone=True,
                stop_flag=stop,
            )
        )
    finally:
        settings.execution.executor.shutdown()  # kopf logs in in a thread, and leaves it there


def _registry() -> kopf.OperatorRegistry:
    registry = kopf.OperatorRegistry()
    kopf.on.login(registry=registry)(log_in)
    return registry


def _settings(worker_selector: str) -> kopf.OperatorSettings:
    """How kopf is to watch."""
    made = kopf.OperatorSettings()
    made.peering.standalone = True  # two operators are told apart by their terms
    made.posting.enabled = False  # Events are transitions, see outbox.py
    made.scanning.disabled = True  # needs rights on namespaces and definitions
    # Tasks of objects that are quiet again are only memory.
    made.queueing.idle_timeout = 0.5
    made.watching.chunk_size = 500
    made.watching.label_selectors["", "v1", "pods"] = worker_selector
    return made
