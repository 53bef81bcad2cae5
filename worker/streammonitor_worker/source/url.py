"""Which addresses may be opened, and how they are shown.

The allowlist is the whole of it: whatever is not named here is refused, so `concat:`, `data:`,
`subfile:`, `pipe:`, `gopher:` and whatever else a media library can open never reach one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from streammonitor_api.errors import SourceError
from streammonitor_api.urls import HTTP_SCHEMES, NETWORK_SCHEMES, redact, scheme_of

__all__ = ["HTTP_SCHEMES", "NETWORK_SCHEMES", "Address", "parse", "redact", "refused", "scheme_of"]


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
