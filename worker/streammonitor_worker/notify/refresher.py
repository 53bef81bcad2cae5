"""Tells Alertmanagers again of the incidents that are open, so that their alerts do not end.

One worker of the fleet does that at a time, whoever holds the lease in Redis; when it dies the
lease goes to another one within `LEASE_S`, long before an alert would end.
"""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from collections.abc import Iterable

from streammonitor_api.errors import UnavailableError
from streammonitor_api.fleet.notifier_store import NotifierStore
from streammonitor_api.fleet.records import NotifyTarget, OpenIncident
from streammonitor_worker.notify.alerts import AGAIN_S
from streammonitor_worker.notify.messages import Messenger

logger = logging.getLogger(__name__)

LEASE_S = 75.0
"""A round and the time that it takes."""
BATCH = 500
"""Alerts a request: about 300 kB."""


class Refresher:
    """See the module. Started by the worker, once."""

    def __init__(
        self, store: NotifierStore, messenger: Messenger, *, again_s: float = AGAIN_S
    ) -> None:
        self._store = store
        self._messenger = messenger
        self._again_s = again_s
        self._lease_s = LEASE_S * again_s / AGAIN_S
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alerts", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(15.0)

    def _run(self) -> None:
        while not self._stop.wait(self._again_s):
            try:
                if self._store.hold_alerting(self._lease_s):
                    self._tell_all()
            except UnavailableError:
                continue  # others tell of it; alerts last long enough
            except Exception:  # alerts end by themselves where nobody tells them again
                logger.exception("alerts: telling them again failed; trying again")

    def _tell_all(self) -> None:
        for target, incidents in _by_target(self._store.read_open_incidents()).values():
            for start in range(0, len(incidents), BATCH):
                if self._stop.is_set():
                    return
                self._tell(target, incidents[start : start + BATCH])

    def _tell(self, target: NotifyTarget, incidents: list[OpenIncident]) -> None:
        label = target.sealed_for(incidents[0].stream)
        outcome = self._messenger.send_again(target, incidents)
        if outcome.error is not None:
            logger.warning(
                "%s: %d open incidents not told again, %s", label, len(incidents), outcome.error
            )
            return
        # Those that were closed in this moment may have been resolved before they fired again.
        over = [one for one in incidents if not self._store.is_open(one.id)]
        if over:
            self._messenger.send_resolved(target, over)


def _by_target(
    incidents: Iterable[OpenIncident],
) -> dict[str, tuple[NotifyTarget, list[OpenIncident]]]:
    found: dict[str, tuple[NotifyTarget, list[OpenIncident]]] = {}
    lists: defaultdict[str, list[OpenIncident]] = defaultdict(list)
    for one in incidents:
        for target in one.notify:
            if target.kind == "alertmanager" and target.wants(one.event):
                label = target.sealed_for(one.stream)
                lists[label].append(one)
                found[label] = (target, lists[label])
    return found
