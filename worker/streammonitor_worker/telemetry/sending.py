"""What a worker's status says of events on their way: to Redis, and on to targets. Pure."""

from __future__ import annotations

from dataclasses import replace

from streammonitor_worker.notify.notifier import NotifierStatus
from streammonitor_worker.sinks.redis import SinkStatus
from streammonitor_worker.status import WorkerStatus


def with_sending(
    status: WorkerStatus, sink: SinkStatus, notifications: NotifierStatus
) -> WorkerStatus:
    """The status with the counters of those that send."""
    return replace(
        status,
        dropped_events=sink.spool.dropped,
        spool_bytes=sink.spool.bytes,
        notifications=notifications.delivered,
        notification_failures=notifications.failed,
        notifications_given_up=notifications.given_up,
    )
