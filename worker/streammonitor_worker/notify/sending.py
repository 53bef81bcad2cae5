"""All that sends notifications for a worker, from its start to its end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from streammonitor_api.fleet.notifier_store import NotifierStore
from streammonitor_api.fleet.scripts import Scripts
from streammonitor_api.names import FleetName, WorkerId
from streammonitor_api.sealing import FleetKey
from streammonitor_worker.notify.messages import Messenger
from streammonitor_worker.notify.notifier import Notifier
from streammonitor_worker.notify.refresher import Refresher


@contextmanager
def notifying(
    scripts: Scripts, fleet: FleetName, worker: WorkerId, key: FleetKey | None
) -> Iterator[Notifier]:
    """Send notifications while this lasts; what is unsent then is left to other workers.

    `key` opens the secrets of targets; without it those that have some get nothing from here.
    """
    messenger = Messenger(fleet, key)
    store = NotifierStore(scripts, fleet, worker)
    notifier, refresher = Notifier(store, messenger), Refresher(store, messenger)
    notifier.start()
    refresher.start()
    try:
        yield notifier
    finally:
        refresher.close()
        notifier.close()
        messenger.close()
