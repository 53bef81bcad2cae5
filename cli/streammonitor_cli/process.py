"""How the process speaks and ends: exit codes, errors as one line, the version."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NO_INCIDENT = 0
INCIDENTS = 1
BAD_INPUT = 2
INTERRUPTED = 130
"""128 + SIGINT, as shells count."""


def open_streams() -> None:
    """Give standard output and error somewhere to go where the process was started without: what
    would be opened next would take their place."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115


def tell_error(message: str) -> None:
    """Write an error as one line, which nothing that a user typed can break or steer."""
    line = "".join(letter if letter.isprintable() else "?" for letter in message)
    sys.stderr.write(f"streammonitor: {line}\n")


class _Log(logging.Handler):
    """Tells warnings of libraries as errors are told; a bug of our own with its traceback."""

    def emit(self, record: logging.LogRecord) -> None:
        tell_error(record.getMessage())
        if record.exc_info:
            sys.stderr.write("".join(traceback.format_exception(*record.exc_info)))


@contextmanager
def log_told() -> Iterator[None]:
    """Tell on standard error, wherever that is at the moment, what is logged meanwhile."""
    handler = _Log(logging.WARNING)
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)


def version() -> str:
    """The version that is installed; "0" where the sources run without being installed."""
    from importlib import metadata  # takes as long as all else that `watch` imports of ours

    try:
        return metadata.version("streammonitor")
    except metadata.PackageNotFoundError:
        return "0"
