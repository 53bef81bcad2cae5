"""All that sends notifications for a worker, from its start to its end."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType

from streammonitor_api.fleet.notifier_store import NotifierStore
from streammonitor_api.fleet.scripts import Scripts
from streammonitor_api.names import FleetName, WorkerId
from streammonitor_api.sealing import FleetKey
from streammonitor_worker.notify.messages import Messenger
from streammonitor_worker.notify.notifier import Notifier, NotifierStatus
from streammonitor_worker.notify.refresher import Refresher


class Notifications:
    """Sends them while it is entered; what is unsent at the end is left to other workers.

    `key` opens the secrets of targets; without it those that have some get nothing from here.
    `wall` is the clock that events are dated by, seconds since 1970.
    """

    def __init__(
        self,
        scripts: Scripts,
        fleet: FleetName,
        worker: WorkerId,
        key: FleetKey | None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._messenger = Messenger(fleet, key, wall=wall)
        store = NotifierStore(scripts, fleet, worker)
        self._notifier = Notifier(store, self._messenger, wall=wall)
        self._refresher = Refresher(store, self._messenger)

    @property
    def status(self) -> NotifierStatus:
        return self._notifier.status

    def __enter__(self) -> Notifications:
        self._notifier.start()
        self._refresher.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._refresher.close()
        self._notifier.close()
        self._messenger.close()
