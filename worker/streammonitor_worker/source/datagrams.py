"""MPEG transport streams over UDP and RTP, unicast and multicast.

A thread takes the datagrams from the system at once, because its buffer holds a fraction of a
second and decoding a key picture may take longer. What does not fit into our own buffer is
dropped and counted, as the network would have done.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import threading
import time
from collections import deque
from typing import Any
from urllib.parse import parse_qs

from streammonitor_worker.source.continuity import SYNC
from streammonitor_worker.source.dial import SILENCE_S
from streammonitor_worker.source.lost import LostError
from streammonitor_worker.source.reader import Reader
from streammonitor_worker.source.url import Address
from streammonitor_worker.source.waiting import LATE, SLICE_S, Waiting

BUFFER_BYTES = 8 << 20
"""13 s of 5 Mb/s: longer than the lag at which fidelity is lowered, shorter than memory minds."""
SYSTEM_BUFFER_BYTES = 4 << 20
"""Asked of the system, which gives what it allows (Linux: net.core.rmem_max)."""
_LARGEST = 65536
_RTP_VERSION = 2
_RTP_HEADER = 12


class DatagramReader(Reader):
    """Receives on the port of an address, of its multicast group or interface if it names one."""

    def __init__(self, address: Address, where: str, waiting: Waiting) -> None:
        self._socket = _listen(address, where)
        self._waiting = waiting
        self._arrived = threading.Condition()
        self._datagrams: deque[bytes] = deque()
        self._buffered = 0
        self._closed = False
        self._last_at = time.monotonic()
        self.dropped = 0
        """Datagrams for which there was no room."""
        self._thread = threading.Thread(target=self._receive, name=f"receive {where}", daemon=True)
        self._thread.start()

    def read(self, size: int) -> bytes:
        with self._arrived:
            if not self._datagrams:
                with self._waiting.counted():
                    self._await_datagram()
            parts: list[bytes] = []
            length = 0
            while self._datagrams and length + len(self._datagrams[0]) <= size:
                parts.append(self._datagrams.popleft())
                length += len(parts[-1])
            if self._datagrams and not parts:  # one that is larger than what was asked for
                parts.append(self._datagrams[0][:size])
                self._datagrams[0] = self._datagrams[0][size:]
                length = size
            self._buffered -= length
        return b"".join(parts)

    def close(self) -> None:
        self._closed = True
        self._thread.join(2 * SLICE_S)
        self._socket.close()

    def _await_datagram(self) -> None:
        while not self._datagrams and not self._waiting.stopped:
            if time.monotonic() - self._last_at >= SILENCE_S:
                self.failure = f"nothing came for {SILENCE_S:g} s"
                return
            if self._waiting.overdue:
                self.failure = LATE
                return
            self._arrived.wait(SLICE_S)

    def _receive(self) -> None:
        while not self._closed and not self._waiting.stopped:
            try:
                payload = payload_of(self._socket.recv(_LARGEST))
            except TimeoutError:
                continue
            except OSError:
                return  # closed meanwhile
            if not payload:
                continue
            with self._arrived:
                self._last_at = time.monotonic()
                if self._buffered + len(payload) > BUFFER_BYTES:
                    self.dropped += 1
                    continue
                self._datagrams.append(payload)
                self._buffered += len(payload)
                self._arrived.notify()


def payload_of(datagram: bytes) -> bytes:
    """The transport packets of a datagram, without the RTP header it may have (RFC 3550, 5.1).

    Empty where it holds none: RTP of another kind of media, control packets, rubbish.
    """
    if datagram[:1] == bytes([SYNC]):
        return datagram
    if len(datagram) <= _RTP_HEADER or datagram[0] >> 6 != _RTP_VERSION:
        return b""
    begin = _RTP_HEADER + 4 * (datagram[0] & 0x0F)  # contributing sources
    end = len(datagram)
    if datagram[0] & 0x10 and begin + 4 <= end:  # header extension
        begin += 4 + 4 * int.from_bytes(datagram[begin + 2 : begin + 4], "big")
    if datagram[0] & 0x20:  # padding, whose last byte says how much
        end -= datagram[-1]
    payload = datagram[begin:end]
    # By its content rather than by payload type 33: some senders use a dynamic one.
    return payload if payload[:1] == bytes([SYNC]) else b""


def _listen(address: Address, where: str) -> socket.socket:
    port = address.parts.port or 0
    interface = parse_qs(address.parts.query).get("localaddr", [""])[0]
    group = _multicast_group(address.host)
    hosts = [address.host] if group else [interface or address.host, ""]
    problem = ""
    for host in hosts:
        receiver: socket.socket | None = None
        try:
            found = socket.getaddrinfo(
                host or None, port, type=socket.SOCK_DGRAM, flags=socket.AI_PASSIVE
            )[0]
            receiver = socket.socket(found[0], found[1], found[2])
            _prepare(receiver, found[4], group, interface)
        except OSError as error:
            problem = problem or (error.strerror or str(error)).lower()
            if receiver is not None:
                receiver.close()
        else:
            return receiver
    raise LostError(where, f"cannot listen on {address.host}:{port} ({problem})")


def _prepare(receiver: socket.socket, at: Any, group: Group | None, interface: str) -> None:
    if group is not None:  # every member gets a copy; of a unicast port the last one gets all
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    with contextlib.suppress(OSError):
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SYSTEM_BUFFER_BYTES)
    receiver.bind(at)
    receiver.settimeout(SLICE_S)
    if group is None:
        return
    if group.version == 4:
        request = group.packed + socket.inet_aton(interface or "0.0.0.0")  # noqa: S104 - any
        receiver.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)
    else:
        index = socket.if_nametoindex(interface) if interface else 0
        request = group.packed + index.to_bytes(4, "little")
        receiver.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, request)


Group = ipaddress.IPv4Address | ipaddress.IPv6Address


def _multicast_group(host: str) -> Group | None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    return address if address.is_multicast else None
