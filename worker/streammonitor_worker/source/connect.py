"""Reaches a source and finds out what it is: by its first bytes, not by its name."""

from __future__ import annotations

from pathlib import Path

from streammonitor_worker.source.datagrams import DatagramReader
from streammonitor_worker.source.demux import Limits
from streammonitor_worker.source.dial import dial
from streammonitor_worker.source.file import FileReader
from streammonitor_worker.source.hls.playlist import MAX_BYTES, SIGNATURE
from streammonitor_worker.source.hls.resources import Location, Resources
from streammonitor_worker.source.hls.transport import HlsTransport, Wanted
from streammonitor_worker.source.http import HttpClient
from streammonitor_worker.source.lost import LostError
from streammonitor_worker.source.options import SourceOptions
from streammonitor_worker.source.progressive import HttpFile, HttpLive
from streammonitor_worker.source.reader import Reader, peek
from streammonitor_worker.source.remote import PROTOCOLS, RemoteTransport
from streammonitor_worker.source.tcp import TcpReader
from streammonitor_worker.source.transport import OnePart, Transport
from streammonitor_worker.source.ts import SNIFF_SIZE, TsReader, is_transport_stream
from streammonitor_worker.source.url import HTTP_SCHEMES, Address, refused
from streammonitor_worker.source.waiting import Waiting

PATIENCE_S = 30.0
"""For a file on a web server to be readable again, where the user set no limit."""

_NO_RANGES = 416
"""The answer of a live stream's server that takes the question for parts amiss."""


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
            reader = FileReader(address.path, self._waiting)
            return self._by_content(reader, address.path.resolve(), live=False)
        if address.scheme in HTTP_SCHEMES:
            return self._connect_http()
        if address.scheme in PROTOCOLS:
            options = self._options
            limits = Limits(self._where, options.max_pixels, options.open_timeout_s)
            return RemoteTransport(address, limits, self._waiting)
        return self._by_content(self._receiver(), self._address.url, live=True)

    def _receiver(self) -> Reader:
        address = self._address
        if address.scheme == "tcp":
            connected = dial(address.host, address.parts.port or 0, self._where, self._waiting)
            return TcpReader(connected, self._waiting)
        return DatagramReader(address, self._where, self._waiting)

    def _connect_http(self) -> Transport:
        client = self._client(self._address)
        try:
            response = client.get(self._address.url, first=0)
        except LostError as error:
            if error.status != _NO_RANGES:
                raise
            response = client.get(self._address.url)
        if response.length is None:
            live = HttpLive(client, response, self._waiting)
            return self._by_content(live, response.url, live=True)
        patience_s = self._options.give_up_after_s
        file = HttpFile(
            client, response, self._waiting, PATIENCE_S if patience_s is None else patience_s
        )
        return self._by_content(file, response.url, live=False)

    def _client(self, origin: Address | None) -> HttpClient:
        options = self._options
        return HttpClient(self._waiting, origin, options.headers, options.query)

    def _by_content(self, reader: Reader, location: Location, *, live: bool) -> Transport:
        head, reader = peek(reader, SNIFF_SIZE)
        if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(SIGNATURE.encode()):
            return self._hls(reader, location)
        if is_transport_stream(head):
            reader = TsReader(reader)
        return OnePart(reader, live=live)

    def _hls(self, reader: Reader, location: Location) -> Transport:
        text = bytearray()
        while len(text) <= MAX_BYTES and (data := reader.read(65536)):
            text += data
        failure = reader.failure
        reader.close()
        if failure:
            raise LostError(self._where, failure)
        folder = location.parent if isinstance(location, Path) else None
        if len(text) > MAX_BYTES:
            problem = f"the playlist is larger than {MAX_BYTES} bytes"
            if folder is None:
                raise LostError(self._where, problem)
            raise refused(self._where, f"{problem}; check the playlist")
        client = self._client(None if folder else self._address)
        resources = Resources(client, self._waiting, folder)
        return HlsTransport(
            resources,
            location,
            text.decode("utf-8", "replace"),
            self._wanted,
            self._waiting,
            self._where,
        )
