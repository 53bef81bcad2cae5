"""HTTP to the addresses that authors of monitors name: guarded, bounded, never following.

The address is somebody else's choice, made with less rights than a worker has in its network. So:
http and https only; redirects are not followed; link-local addresses, where clouds keep the
credentials of their machines, are refused after the name was resolved; of an answer only its
status counts, and nothing of it is shown.
"""

from __future__ import annotations

import base64
import ipaddress
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from streammonitor_api.sealing import Credentials

SENDERS = 8
"""Threads that send at a time, and so connections to one target that are worth keeping."""
TIMEOUT = urllib3.Timeout(connect=5.0, read=10.0)
_LARGEST_ANSWER = 64 << 10
"""Bytes that are read so that the connection can be used again."""
_LONGEST_PAUSE_S = 300.0

_LATER = frozenset({401, 403, 404, 407, 408, 421, 423, 425, 429})
"""Statuses below 500 that may go away: busy, or a setting that somebody is about to mend."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request."""

    error: str | None = None
    """None: it was accepted. Else why not, in one line without credentials."""
    permanent: bool = False
    """The same request will be refused again."""
    pause_s: float | None = None
    """The server asks not to be tried again before that."""


class _ForbiddenError(OSError):
    """An address that no notification is sent to."""


def _check_address(text: str) -> None:
    """Raises _ForbiddenError for an address that is not to be reached; names are none."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return
    plain = getattr(address, "ipv4_mapped", None) or address
    if plain.is_link_local or plain.is_unspecified or plain.is_multicast:
        raise _ForbiddenError(f"{address} is a link-local address, which is not allowed")


def _check_peer(connection: socket.socket) -> None:
    """After the name was resolved, as that may give another address each time."""
    try:
        _check_address(str(connection.getpeername()[0]))
    except OSError:
        connection.close()
        raise


class _Connection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        connection = super()._new_conn()
        _check_peer(connection)
        return connection


class _TlsConnection(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        connection = super()._new_conn()
        _check_peer(connection)
        return connection


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class Poster:
    """Sends requests; connections are kept and shared between threads."""

    def __init__(self) -> None:
        self._pools = urllib3.PoolManager(
            num_pools=50, maxsize=SENDERS, retries=False, timeout=TIMEOUT, headers={}
        )
        self._pools.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}

    def post(
        self, url: str, body: bytes, headers: Mapping[str, str], credentials: Credentials
    ) -> Outcome:
        """Post a body. Raises nothing: whatever goes wrong is an outcome."""
        try:
            address = _address(url, credentials)
        except (ValueError, _ForbiddenError) as error:
            return Outcome(str(error), permanent=True)
        sent = {**headers, "User-Agent": "streammonitor", **_authorization(credentials)}
        try:
            answer = self._pools.request(
                "POST", address, body=body, headers=sent, redirect=False, preload_content=False
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            return Outcome(_reason(error))
        try:
            return _judge(answer)
        finally:
            _discard(answer)

    def close(self) -> None:
        self._pools.clear()


def _address(url: str, credentials: Credentials) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("its URL is not http or https; correct it")
    _check_address(parts.hostname)
    query = "&".join(part for part in (parts.query, credentials.query) if part)
    return urlunsplit((parts.scheme, parts.netloc, parts.path or "/", query, ""))


def _authorization(credentials: Credentials) -> dict[str, str]:
    headers: dict[str, str] = {}
    if credentials.username or credentials.password:
        pair = f"{credentials.username}:{credentials.password}".encode()
        headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
    name, value = credentials.header
    if name:
        headers[name] = value
    return headers


def _judge(answer: Any) -> Outcome:
    status = int(answer.status)
    if 200 <= status < 300:
        return Outcome()
    if 300 <= status < 400:
        return Outcome(
            f"it redirects (status {status}), which is not followed; give the final URL",
            permanent=True,
        )
    permanent = status < 500 and status not in _LATER
    return Outcome(f"it answers with status {status}", permanent, _pause(answer))


def _pause(answer: Any) -> float | None:
    text = str(answer.headers.get("Retry-After", ""))
    return min(float(text), _LONGEST_PAUSE_S) if text.isdigit() else None


def _discard(answer: Any) -> None:
    try:
        answer.read(_LARGEST_ANSWER)
        answer.release_conn()
    except (urllib3.exceptions.HTTPError, OSError):
        answer.close()


def _reason(error: BaseException) -> str:
    """The innermost cause in a few words; never the URL, whose query may hold a token."""
    chain: list[BaseException] = []
    seen: BaseException | None = error
    while seen is not None:
        chain.append(seen)
        seen = seen.__cause__ or seen.__context__
    for one in reversed(chain):
        if isinstance(one, _ForbiddenError):
            return str(one)
        if isinstance(one, socket.gaierror | urllib3.exceptions.NameResolutionError):
            return "its name cannot be resolved"
        if isinstance(one, ssl.SSLError):
            return f"TLS failed, {one.reason or 'for no stated reason'}"
        if isinstance(one, TimeoutError):
            return "it does not answer in time"
        if isinstance(one, OSError) and one.strerror:
            return one.strerror.lower()
    return "the connection failed"
