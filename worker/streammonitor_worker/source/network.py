"""Reaches what is on the network, by the scheme of its address."""

from __future__ import annotations

from streammonitor_worker.source.datagrams import DatagramReader
from streammonitor_worker.source.demux import Limits
from streammonitor_worker.source.dial import dial
from streammonitor_worker.source.http import HttpClient
from streammonitor_worker.source.lost import LostError
from streammonitor_worker.source.options import SourceOptions
from streammonitor_worker.source.progressive import HttpFile, HttpLive
from streammonitor_worker.source.reader import Reader
from streammonitor_worker.source.remote import PROTOCOLS, RemoteTransport
from streammonitor_worker.source.tcp import TcpReader
from streammonitor_worker.source.transport import Transport
from streammonitor_worker.source.url import HTTP_SCHEMES, Address
from streammonitor_worker.source.waiting import Waiting

PATIENCE_S = 30.0
"""For a file on a web server to be readable again, where the user set no limit."""

_NO_RANGES = 416
"""The answer of a live stream's server that takes the question for parts amiss."""

Reached = tuple[Reader, str, bool]
"""Bytes, the address that they came from in the end, and whether they are live."""


def reach(
    address: Address, where: str, options: SourceOptions, waiting: Waiting
) -> Transport | Reached:
    """Connect: bytes, or a transport where the media library has to do it itself.

    Raises LostError where that fails; SourceError or InputError where it always will.
    """
    if address.scheme in HTTP_SCHEMES:
        return _reach_http(address, options, waiting)
    if address.scheme in PROTOCOLS:
        limits = Limits(where, options.max_pixels, options.open_timeout_s)
        return RemoteTransport(address, limits, waiting)
    if address.scheme == "tcp":
        connected = dial(address.host, address.parts.port or 0, where, waiting)
        return TcpReader(connected, waiting), address.url, True
    return DatagramReader(address, where, waiting), address.url, True


def _reach_http(address: Address, options: SourceOptions, waiting: Waiting) -> Reached:
    client = HttpClient(waiting, address, options.headers, options.query)
    try:
        response = client.get(address.url, first=0)
    except LostError as error:
        if error.status != _NO_RANGES:
            raise
        response = client.get(address.url)
    if response.length is None:
        return HttpLive(client, response, waiting), response.url, True
    patience_s = options.give_up_after_s
    patience_s = PATIENCE_S if patience_s is None else patience_s
    return HttpFile(client, response, waiting, patience_s), response.url, False
