"""How the process speaks and ends: exit codes, errors as one line, the version."""

from __future__ import annotations

import importlib.metadata
import sys

NO_INCIDENT = 0
INCIDENTS = 1
BAD_INPUT = 2
INTERRUPTED = 130
"""128 + SIGINT, as shells count."""


def tell_error(message: str) -> None:
    """Write an error as one line, which nothing that a user typed can break or steer."""
    line = "".join(letter if letter.isprintable() else "?" for letter in message)
    sys.stderr.write(f"streammonitor: {line}\n")


def version() -> str:
    """The version that is installed; "0" where the sources run without being installed."""
    try:
        return importlib.metadata.version("streammonitor")
    except importlib.metadata.PackageNotFoundError:
        return "0"
