"""Addresses of streams: which protocols there are, and how they are shown without secrets.

Opening them is the worker's business, in `source/url.py`; which ones a resource may name is said
in `resource/addresses.py`.
"""

from __future__ import annotations

import re

HTTP_SCHEMES = ("http", "https")
NETWORK_SCHEMES = (*HTTP_SCHEMES, "udp", "rtp", "tcp", "rtmp", "rtmps", "rtsp", "rtsps")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.,-]*):")
"""With commas, though RFC 3986 has none: `subfile,,start,0,end,9,,:` is a protocol to FFmpeg."""
_HOST_AND_PORT = re.compile(r"(\[[^]]*\]|[^:\[\]]*)(:[0-9]*)?")
_HIDDEN = "***"
_SHOWN_LENGTH = 200
"""Characters of an address in a message: enough for any real one, too few to flood a terminal."""


def scheme_of(url: str) -> str:
    """The scheme in lower case; empty for a plain path."""
    found = _SCHEME.match(url)
    return found[1].lower() if found else ""


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
