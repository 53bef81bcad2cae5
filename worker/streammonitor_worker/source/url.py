"""Which addresses may be opened, and how they are shown.

The allowlist is the whole of it: whatever is not named here is refused, so `concat:`, `data:`,
`subfile:`, `pipe:`, `gopher:` and whatever else a media library can open never reach one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from streammonitor_api.errors import SourceError

HTTP_SCHEMES = ("http", "https")
NETWORK_SCHEMES = (*HTTP_SCHEMES, "udp", "rtp", "tcp", "rtmp", "rtmps", "rtsp", "rtsps")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.,-]*):")
"""With commas, though RFC 3986 has none: `subfile,,start,0,end,9,,:` is a protocol to FFmpeg."""
_HOST_AND_PORT = re.compile(r"(\[[^]]*\]|[^:\[\]]*)(:[0-9]*)?")
_HIDDEN = "***"
_SHOWN_LENGTH = 200
"""Characters of an address in a message: enough for any real one, too few to flood a terminal."""


@dataclass(frozen=True)
class Address:
    """A source's address, taken apart: a local `path`, or a network `scheme` and `parts`."""

    url: str
    scheme: str
    parts: SplitResult
    path: Path | None = None

    @property
    def host(self) -> str:
        return self.parts.hostname or ""

    @property
    def credentials(self) -> tuple[str, str] | None:
        """User and password of the address, percent-decoded."""
        if self.parts.username is None:
            return None
        return unquote(self.parts.username), unquote(self.parts.password or "")


def scheme_of(url: str) -> str:
    """The scheme in lower case; empty for a plain path."""
    found = _SCHEME.match(url)
    return found[1].lower() if found else ""


def parse(url: str, *, local_files: bool) -> Address:
    """Take an address apart.

    Raises
    ------
    SourceError: permanent, for a protocol that is not allowed or an address that is none.
    """
    scheme = scheme_of(url)
    if scheme in NETWORK_SCHEMES:
        return _parse_network(url, scheme)
    path = _local_path(url, scheme)
    if path is None:
        allowed = ", ".join((*NETWORK_SCHEMES, "file") if local_files else NETWORK_SCHEMES)
        raise refused(url, f'protocol "{scheme}" is not allowed; use one of {allowed}')
    if not local_files:
        raise refused(url, "files of this machine are not allowed here; use a network address")
    return Address(url, "file", urlsplit(""), path)


def _parse_network(url: str, scheme: str) -> Address:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        what = "this is not an address; check its host and port, write %2F for / in a password"
        raise refused(url, what) from error  # whose words may hold part of a password
    if not parts.hostname and scheme not in ("udp", "rtp"):
        raise refused(url, "the address names no host; write for example http://host/path")
    if any(character.isspace() for character in parts.hostname or ""):
        raise refused(url, "the name of the host holds a space; check it")
    if any(ord(character) < 0x20 for character in url):
        raise refused(url, "the address holds control characters; remove them")
    if scheme in ("udp", "rtp", "tcp") and port is None:
        raise refused(url, f"the address names no port; write for example {scheme}://host:5000")
    return Address(url, scheme, parts)


def _local_path(url: str, scheme: str) -> Path | None:
    """The path meant by a plain path, by `file:`, or by a file whose name has a colon."""
    if scheme == "file":
        return Path(unquote(urlsplit(url).path))
    if not scheme or ("/" not in scheme and Path(url).is_file()):
        return Path(url)
    return None


def refused(url: str, what: str) -> SourceError:
    """An error that no retry can help, naming the address without its secrets."""
    return SourceError(f"{redact(url)}: {what}", permanent=True)


def redact(url: str) -> str:
    """Remove user, password and the values of query parameters, which often are tokens."""
    foreign = "//" in url and scheme_of(url) not in ("", "file")
    shown = _redact(url) if foreign or scheme_of(url) in NETWORK_SCHEMES else url
    shown = "".join(character if character.isprintable() else "?" for character in shown)
    return shown if len(shown) <= _SHOWN_LENGTH else f"{shown[: _SHOWN_LENGTH - 1]}…"


def _redact(url: str) -> str:
    head, _, _ = _without_user(url).partition("#")
    head, question, query = head.partition("?")
    scheme, slashes, rest = head.partition("//")
    authority, slash, path = rest.partition("/")
    shown_query = "&".join(_redact_parameter(parameter) for parameter in query.split("&"))
    return f"{scheme}{slashes}{authority}{slash}{path}{question}{shown_query if query else ''}"


def _without_user(url: str) -> str:
    """The address without user and password, also where these hold what should be written as
    `%2F`: then the address is none, but what comes before the last `@` is a secret all the same."""
    scheme, slashes, rest = url.partition("//")
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if "@" in authority:
        return f"{scheme}{slashes}{rest[authority.rindex('@') + 1 :]}"
    if "@" in rest and not _HOST_AND_PORT.fullmatch(authority):
        return f"{scheme}{slashes}{rest.rpartition('@')[2]}"
    return url


def _redact_parameter(parameter: str) -> str:
    name, equals, _ = parameter.partition("=")
    return f"{name}={_HIDDEN}" if equals else _HIDDEN
