"""Events as lines of JSON, for container logs and files: as `watch --output jsonl` has them."""

from __future__ import annotations

import logging
import threading
from typing import TextIO

from streammonitor_api.events import Event, as_line

logger = logging.getLogger(__name__)


class JsonLines:
    """Writes one line an event, flushed; from any thread. A reader that went away ends that."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._gone = False

    def put(self, event: Event) -> None:
        with self._lock:
            if self._gone:
                return
            try:
                self._file.write(as_line(event) + "\n")
                self._file.flush()
            except OSError as error:
                self._gone = True
                logger.error("events as lines: cannot be written, %s; none follow", error.strerror)
