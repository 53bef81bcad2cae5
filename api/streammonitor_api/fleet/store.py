"""Typed calls on a fleet's Redis, one class a side of the contract.

    OperatorStore   what the operator writes and reads; every write carries its term
    WorkerStore     what a worker writes and reads; every write carries its incarnation or epoch
    ReaderStore     what anybody may read: the command line, tests
    NotifierStore   a worker's part in the consumer group that notifications are sent from

All are synchronous and safe to share between threads. They hold no state but the connection.
Every call may raise UnavailableError (Redis cannot be used now: keep what was to be written) and
VersionError (the other side is of another version). How to connect is told in `connect.py`.
"""

from __future__ import annotations

from streammonitor_api.fleet.notifier_store import NotifierStore
from streammonitor_api.fleet.operator_store import OperatorStore
from streammonitor_api.fleet.reader_store import ReaderStore
from streammonitor_api.fleet.worker_store import WorkerStore

__all__ = ["NotifierStore", "OperatorStore", "ReaderStore", "WorkerStore"]
