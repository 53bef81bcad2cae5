"""Finds the transport for an address."""

from __future__ import annotations

from streammonitor_api.errors import SourceError
from streammonitor_worker.source.file import FileReader
from streammonitor_worker.source.options import SourceOptions
from streammonitor_worker.source.transport import OnePart, Part, Transport
from streammonitor_worker.source.url import Address
from streammonitor_worker.source.waiting import Waiting


def connect(address: Address, options: SourceOptions, waiting: Waiting) -> Transport:
    """Reach a source for the first time, or again.

    Raises SourceError or InputError where that fails.
    """
    if address.path is not None:
        return OnePart(Part([FileReader(address.path, waiting)]))
    raise SourceError(f"{address.scheme}: not built yet", permanent=True)
