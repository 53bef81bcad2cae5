"""Writes statuses and Kubernetes Events: the latest status of each monitor, once.

What changes while a write is under way or is being retried is joined to one write. A monitor that
is gone, or is another one of the same name, is not written to: its uid is tested.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from streammonitor_api.incident import wall_time
from streammonitor_api.resource import API_VERSION, GROUP, KIND, PLURAL, VERSION
from streammonitor_operator.clients.kubernetes import Kubernetes, KubernetesError
from streammonitor_operator.inventory import MonitorKey
from streammonitor_operator.reporting import Update
from streammonitor_operator.status import Transition

_WRITERS = 8
"""Requests at a time: 10,000 statuses take about half a minute then."""
_FIRST_RETRY_S, _LONGEST_RETRY_S = 1.0, 60.0
_GONE = (404, 422)
"""There is no such monitor any more, or another one of its name."""
_LONGEST_MESSAGE = 1024
"""Characters of an Event's message that Kubernetes takes."""
REPORTER = "streammonitor-operator"

_log = logging.getLogger("streammonitor.operator")


@dataclass(slots=True)
class Tally:
    """What was written since the start."""

    statuses: int = 0
    events: int = 0
    failures: int = 0
    """Of statuses; each is tried again."""
    refused: int = 0
    """Statuses of monitors that are gone."""


class Outbox:
    """What is still to be written. To be used in one event loop."""

    def __init__(
        self,
        kubernetes: Kubernetes,
        uid_of: Callable[[MonitorKey], str | None],
        *,
        clock: Callable[[], float],
        name: str,
    ) -> None:
        """`uid_of` knows the uid of a monitor that exists; `name` is this operator's pod."""
        self.tally = Tally()
        self._kubernetes = kubernetes
        self._uid_of = uid_of
        self._clock = clock
        self._name = name
        self._pending: dict[MonitorKey, Update] = {}
        self._due: asyncio.Queue[MonitorKey] = asyncio.Queue()
        self._delays: dict[MonitorKey, float] = {}
        self._busy: set[MonitorKey] = set()
        """Those that are being written, or wait to be tried again: what comes meanwhile waits."""

    def put(self, updates: Sequence[Update]) -> None:
        """Take over what is to be written."""
        for update in updates:
            waiting = self._pending.get(update.monitor)
            if waiting is not None:
                update = replace(update, transitions=(*waiting.transitions, *update.transitions))
            elif update.monitor not in self._busy:
                self._due.put_nowait(update.monitor)
            self._pending[update.monitor] = update

    async def write(self, updates: Sequence[Update]) -> None:
        """As `put`, for those who await it."""
        self.put(updates)

    async def run(self) -> None:
        """Write until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(_WRITERS):
                group.create_task(self._write_on(group))

    async def _write_on(self, group: asyncio.TaskGroup) -> None:
        while True:
            monitor = await self._due.get()
            update = self._pending.pop(monitor, None)
            uid = self._uid_of(monitor)
            if update is None or uid is None:
                self._delays.pop(monitor, None)
                continue
            self._busy.add(monitor)
            try:
                await self._write(update, uid)
                self._delays.pop(monitor, None)
                self._release(monitor)
            except KubernetesError as error:
                self._keep(update)
                group.create_task(self._release_later(monitor, self._back_off(monitor, error)))

    def _release(self, monitor: MonitorKey) -> None:
        """Let what came meanwhile be written."""
        self._busy.discard(monitor)
        if monitor in self._pending:
            self._due.put_nowait(monitor)

    async def _release_later(self, monitor: MonitorKey, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        self._release(monitor)

    def _keep(self, update: Update) -> None:
        """Put back what was not written; of the status, the newest."""
        newer = self._pending.get(update.monitor)
        if newer is not None:
            update = replace(newer, transitions=(*update.transitions, *newer.transitions))
        self._pending[update.monitor] = update

    def _back_off(self, monitor: MonitorKey, error: KubernetesError) -> float:
        """How long to wait before it is tried again, in seconds."""
        self.tally.failures += 1
        delay_s = self._delays.get(monitor, _FIRST_RETRY_S)
        self._delays[monitor] = min(_LONGEST_RETRY_S, delay_s * 2)
        advice = "; grant it patch on streammonitors/status" if error.status == 403 else ""
        _log.warning(
            "%s: its status could not be written, tried again in %g s: %s%s",
            monitor, delay_s, error, advice,
        )  # fmt: skip
        return delay_s

    async def _write(self, update: Update, uid: str) -> None:
        path = monitor_path(update.monitor)
        try:
            await self._kubernetes.replace_status(path, uid, update.status.as_json())
        except KubernetesError as error:
            if error.status not in _GONE:
                raise
            self.tally.refused += 1
            _log.info("%s: its status is not written, as it is gone: %s", update.monitor, error)
            return
        self.tally.statuses += 1
        for transition in update.transitions:
            await self._tell(update.monitor, uid, transition)

    async def _tell(self, monitor: MonitorKey, uid: str, transition: Transition) -> None:
        """Create an Event; one that cannot be created is logged and let go."""
        namespace, _, name = monitor.partition("/")
        try:
            await self._kubernetes.create(
                f"/api/v1/namespaces/{namespace}/events",
                self._event(namespace, name, uid, transition),
            )
            self.tally.events += 1
        except KubernetesError as error:
            _log.warning("%s: its Event was not created: %s", monitor, error)

    def _event(
        self, namespace: str, name: str, uid: str, transition: Transition
    ) -> dict[str, object]:
        now = wall_time(float(int(self._clock()))).replace(".000Z", "Z")
        message = transition.message
        if len(message) > _LONGEST_MESSAGE:
            message = f"{message[: _LONGEST_MESSAGE - 1]}…"
        return {
            "metadata": {"namespace": namespace, "name": f"{name[:200]}.{secrets.token_hex(8)}"},
            "involvedObject": {
                "apiVersion": API_VERSION, "kind": KIND,
                "namespace": namespace, "name": name, "uid": uid,
            },
            "type": transition.kind,
            "reason": transition.reason,
            "message": message,
            "source": {"component": REPORTER},
            "reportingComponent": REPORTER,
            "reportingInstance": self._name,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }  # fmt: skip


def monitor_path(monitor: MonitorKey) -> str:
    """Where a monitor is in the API."""
    namespace, _, name = monitor.partition("/")
    return f"/apis/{GROUP}/{VERSION}/namespaces/{namespace}/{PLURAL}/{name}"
