"""Reaches a source and finds out what it is: by its first bytes, not by its name.

What the network and HLS need is imported when it is needed: half of what a source imports, and
half of the time that it takes, are not for files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from streammonitor_worker.source.file import FileReader
from streammonitor_worker.source.options import SourceOptions, Wanted
from streammonitor_worker.source.reader import Reader, peek
from streammonitor_worker.source.transport import OnePart, Transport
from streammonitor_worker.source.ts import SNIFF_SIZE, TsReader, is_transport_stream
from streammonitor_worker.source.url import Address
from streammonitor_worker.source.waiting import Waiting

if TYPE_CHECKING:
    from streammonitor_worker.source.hls.resources import Location

_PLAYLIST = b"#EXTM3U"
"""What a playlist of HLS begins with (RFC 8216, 4.3.1.1)."""


class Connector:
    """Makes the transport of a stream, again after each loss."""

    def __init__(
        self, address: Address, where: str, wanted: Wanted, options: SourceOptions, waiting: Waiting
    ) -> None:
        self._address = address
        self._where = where
        self._wanted = wanted
        self._options = options
        self._waiting = waiting

    def connect(self) -> Transport:
        """Reach the source.

        Raises LostError where that fails; SourceError or InputError where it always will.
        """
        address = self._address
        if address.path is not None:
            file = FileReader(address.path, self._waiting)
            return self._by_content(file, address.path.resolve(), live=False)
        from streammonitor_worker.source.network import reach

        reached = reach(address, self._where, self._options, self._waiting)
        if not isinstance(reached, tuple):
            return reached
        reader, location, live = reached
        return self._by_content(reader, location, live=live)

    def _by_content(self, reader: Reader, location: Location, *, live: bool) -> Transport:
        head, reader = peek(reader, SNIFF_SIZE)
        if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(_PLAYLIST):
            from streammonitor_worker.source.hls.opening import open_playlist

            return open_playlist(
                reader,
                location,
                self._address,
                self._where,
                self._wanted,
                self._options,
                self._waiting,
            )
        if is_transport_stream(head):
            reader = TsReader(reader)
        return OnePart(reader, live=live)
