"""Hosts streams: one thread each, in one process."""

from streammonitor_worker.host.watch import Watch, WatchOptions

__all__ = ["Watch", "WatchOptions"]
