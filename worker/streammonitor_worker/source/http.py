"""HTTP requests as sources need them: streamed, bounded in time, only to where they may go.

On the standard library's connections rather than a client on top of them, so that the socket is
in our hands: a stop shuts it down, whatever is being waited for. Redirects are followed by rule:
only to http and https, and without the credentials where they lead to another host.
"""

from __future__ import annotations

import base64
import http.client
import ssl
from collections.abc import Iterable
from functools import cache
from urllib.parse import quote, urljoin, urlsplit

from streammonitor_worker.source.http_connection import HttpConnection
from streammonitor_worker.source.lost import LostError
from streammonitor_worker.source.url import HTTP_SCHEMES, Address, parse, redact, refused
from streammonitor_worker.source.waiting import LATE, Waiting

MAX_REDIRECTS = 10
"""As many as curl's users set, half of what browsers follow."""
_REDIRECTS = (301, 302, 303, 307, 308)
_SAFE = "%/:=&~+!$,;'@()*[]"
"""Characters of a path that are sent as they are: all but those that would end it."""
_SAFE_QUERY = f'{_SAFE}?{{}}|^`\\"'
"""The same of a query, whose bytes a signature may cover."""
_USER_AGENT = "streammonitor"
_LARGEST = 1 << 60
"""Bytes of the largest file that is believed: more than a disk array holds, less than what the
media library can count."""


class HttpResponse:
    """The body of an answer, read as it comes. Close it, or read it to its end."""

    def __init__(self, client: HttpClient, key: Key, connection: HttpConnection, url: str) -> None:
        self._client = client
        self._key = key
        self._connection = connection
        self._ended = False
        self._response = connection.getresponse()
        self.url = url
        """Where it came from in the end, after redirects."""

    @property
    def status(self) -> int:
        return self._response.status

    @property
    def reason(self) -> str:
        """The server's words for its status, printable and short."""
        return "".join(c for c in self._response.reason[:60] if c.isprintable())

    def header(self, name: str) -> str:
        return self._response.getheader(name) or ""

    @property
    def length(self) -> int | None:
        """Bytes of the body; None where it is not known beforehand, or absurd."""
        length = self._response.length
        return None if length is None or length > _LARGEST else length

    def read(self, size: int) -> bytes:
        """Some bytes, at most `size`, as soon as there are any; none at the end.

        Raises LostError when the connection breaks.
        """
        if self._ended:
            return b""
        try:
            data = self._response.read1(size)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            raise LostError(redact(self.url), _broken(error)) from error
        if not data:
            missing = self._response.length
            if missing or self._client.overdue:
                self.close()
                early = f"the connection closed {missing} bytes early"
                raise LostError(redact(self.url), LATE if self._client.overdue else early)
            self._ended = True
            self._response.close()  # which the connection wants before its next request
            self._client.give_back(self._key, self._connection)
        return data

    def close(self) -> None:
        if not self._ended:
            self._ended = True
            self._response.close()
            self._connection.release()


Key = tuple[str, str, int]


class HttpClient:
    """Requests of one stream; connections are kept for the next request to the same server."""

    def __init__(
        self,
        waiting: Waiting,
        origin: Address | None = None,
        headers: Iterable[tuple[str, str]] = (),
        query: str = "",
    ) -> None:
        self._waiting = waiting
        self._origin = origin
        self._headers = tuple(headers)
        self._query = query
        self._idle: dict[Key, HttpConnection] = {}

    def get(self, url: str, first: int | None = None, last: int | None = None) -> HttpResponse:
        """Ask for a resource, or for its bytes from `first` to `last`: status 206 says that these
        are all that comes, 200 that it is the whole.

        Raises LostError where there is no answer or a refusal; SourceError, permanent, for a
        redirect to where none may lead.
        """
        headers = {}
        if first is not None:
            headers["Range"] = f"bytes={first}-{'' if last is None else last}"
        asked = url
        for _ in range(MAX_REDIRECTS + 1):
            if self.overdue:
                raise LostError(redact(asked), LATE)
            response = self._ask(url, headers)
            location = response.header("Location")
            if response.status not in _REDIRECTS or not location:
                break
            response.close()
            url = _redirected(asked, url, location)
        else:
            raise LostError(redact(asked), f"it redirects more than {MAX_REDIRECTS} times")
        if response.status not in (200, 206):
            reason = f"{response.status} {response.reason}".rstrip()
            response.close()
            raise LostError(
                redact(asked),
                f"the server answers {reason}",
                _advice(response.status),
                status=response.status,
            )
        return response

    @property
    def overdue(self) -> bool:
        """Whether what is asked for should be here by now."""
        return self._waiting.overdue

    def give_back(self, key: Key, connection: HttpConnection) -> None:
        """Keep a connection whose answer has been read to the end."""
        if self._idle.get(key) is None and connection.sock is not None:
            self._idle[key] = connection
        else:
            connection.release()

    def close(self) -> None:
        for connection in self._idle.values():
            connection.release()
        self._idle.clear()

    def _ask(self, url: str, headers: dict[str, str]) -> HttpResponse:
        address = parse(url, local_files=False)
        parts = address.parts
        secure = address.scheme == "https"
        key = (address.scheme, address.host, parts.port or (443 if secure else 80))
        target = quote(parts.path or "/", safe=_SAFE)
        own_query = self._query if self._same_server(key) else ""
        if query := "&".join(filter(None, (parts.query, own_query))):
            target += f"?{quote(query, safe=_SAFE_QUERY)}"
        sent = {
            "User-Agent": _USER_AGENT,
            "Accept": "*/*",
            "Accept-Encoding": "identity",
            **self._authorization(address, key),
            **headers,
        }
        kept = self._idle.pop(key, None)
        if kept is not None:
            try:
                return self._exchange(key, kept, target, sent, url)
            except LostError:
                pass  # the server had closed it meanwhile: ask on a new one
        connection = HttpConnection(
            key[1], key[2], redact(url), self._waiting, _tls() if secure else None
        )
        return self._exchange(key, connection, target, sent, url)

    def _exchange(
        self,
        key: Key,
        connection: HttpConnection,
        target: str,
        headers: dict[str, str],
        url: str,
    ) -> HttpResponse:
        timer = connection.shut_down_if_late()
        try:
            connection.request("GET", target, headers=headers)
            response = HttpResponse(self, key, connection, url)
            if connection.was_late:
                raise TimeoutError
            return response
        except (OSError, http.client.HTTPException, ValueError) as error:
            connection.release()
            raise LostError(redact(url), LATE if self.overdue else _broken(error)) from error
        except LostError:
            connection.release()
            raise
        finally:
            timer.cancel()

    def _authorization(self, address: Address, key: Key) -> dict[str, str]:
        """The address' own credentials; the source's, for others on the same server."""
        credentials = address.credentials
        if self._origin is not None and self._same_server(key):
            if self._headers:
                return dict(self._headers)
            credentials = credentials or self._origin.credentials
        if credentials is None:
            return {}
        token = base64.b64encode(":".join(credentials).encode()).decode()
        return {"Authorization": f"Basic {token}"}

    def _same_server(self, key: Key) -> bool:
        origin = self._origin
        if origin is None or origin.scheme not in HTTP_SCHEMES:
            return False
        port = origin.parts.port or (443 if origin.scheme == "https" else 80)
        return key == (origin.scheme, origin.host, port)


def _redirected(asked: str, url: str, location: str) -> str:
    """Where a redirect leads. Raises SourceError, permanent, where it may not lead there."""
    try:
        target = urljoin(url, location)
        allowed = urlsplit(target).scheme in HTTP_SCHEMES
    except ValueError:  # no address
        target, allowed = location, False
    if not allowed:
        raise refused(asked, f"it redirects to {redact(target)!r}, which is not opened")
    return target


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def _broken(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "the server does not answer"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the server's certificate is not valid ({error.verify_message})"
    if isinstance(error, OSError) and error.strerror:
        return f"the connection broke ({error.strerror.lower()})"
    return f"the connection broke ({type(error).__name__})"


def _advice(status: int) -> str:
    if status in (401, 403):
        return "check the credentials"
    return "check the address" if status in (404, 410) else "check the server"
