"""From the first bytes of a playlist to the transport of the rendition that is wanted."""

from __future__ import annotations

from pathlib import Path

from streammonitor_worker.source.hls.playlist import MAX_BYTES
from streammonitor_worker.source.hls.resources import Location, Resources
from streammonitor_worker.source.hls.transport import HlsTransport
from streammonitor_worker.source.http import HttpClient
from streammonitor_worker.source.lost import LostError
from streammonitor_worker.source.options import SourceOptions, Wanted
from streammonitor_worker.source.reader import Reader
from streammonitor_worker.source.url import Address, refused
from streammonitor_worker.source.waiting import Waiting

_READ_SIZE = 65536


def open_playlist(
    reader: Reader,
    location: Location,
    address: Address,
    where: str,
    wanted: Wanted,
    options: SourceOptions,
    waiting: Waiting,
) -> HlsTransport:
    """Read the playlist that `reader` gives, which came from `location`; closes the reader.

    Raises LostError where it ends too early, SourceError or InputError where it is none.
    """
    text = bytearray()
    while len(text) <= MAX_BYTES and (data := reader.read(_READ_SIZE)):
        text += data
    failure = reader.failure
    reader.close()
    if failure:
        raise LostError(where, failure)
    folder = location.parent if isinstance(location, Path) else None
    if len(text) > MAX_BYTES:
        problem = f"the playlist is larger than {MAX_BYTES} bytes"
        if folder is None:
            raise LostError(where, problem)
        raise refused(where, f"{problem}; check the playlist")
    client = HttpClient(waiting, None if folder else address, options.headers, options.query)
    resources = Resources(client, waiting, folder)
    shown = text.decode("utf-8", "replace")
    return HlsTransport(resources, location, shown, wanted, waiting, where, join_s=options.join_s)
