"""One stream, from its source to the events of its incidents."""

from streammonitor_worker.pipeline.stream import Pipeline

__all__ = ["Pipeline"]
