"""Addresses that a resource may name, and the rules on them.

Each rule leaves alone what another one refuses, so that one mistake is told once. The rules see
the address only: that a host exists is found out by whoever opens it.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from streammonitor_api.resource.rules import TextRule
from streammonitor_api.urls import HTTP_SCHEMES, NETWORK_SCHEMES

LONGEST = 1024
"""Characters. A thousand streams then fit into what etcd stores as one object (1.5 MiB)."""

_END = "(?:[?#]|$)"
"""Where the host and its port end, at the latest."""
_NO_PORT = r"[^?#@\[]*:\d*[^\d?#@][^?#@]*"
"""A host, and what cannot be its port: a mistake, or a user whose password holds a `/`."""
_TOO_HIGH = r"(?:\d{6}|[7-9]\d{4}|6[6-9]\d{3}|65[6-9]\d\d|655[4-9]\d|6553[6-9])"

_PLAIN = TextRule(
    r"[^\x00-\x20\x7f]*[\x00-\x20\x7f]",
    "an address holds neither spaces nor control characters; remove them, or write %20",
    forbidden=True,
)
_USER_MESSAGE = (
    "the address holds a user or a password; write it without them, and name the Secret that "
    "holds username and password in credentialsSecretRef"
)
# udp://@239.0.0.1:5000 has no user: it is how some write a multicast group.
_NO_USER = TextRule("[^?#]+@", _USER_MESSAGE, forbidden=True, at_host=True)
_NO_USER_WITH_SLASH = TextRule(
    r"[^/?#]*//[^/?#@\[]*:\d*[^\d/?#@][^/?#@]*[/?#].*@",
    _USER_MESSAGE,
    forbidden=True,
    containing="@",
)
_HOST = TextRule(
    rf"@?(?::\d*)?{_END}",
    "the address names no host; write for example https://host/path",
    forbidden=True,
    at_host=True,
)
_PORT_MESSAGE = "the port is no number up to 65535; write for example https://host:8443/path"
_PORT = TextRule(f"{_NO_PORT}{_END}", _PORT_MESSAGE, forbidden=True, at_host=True)
_PORT_HIGH = TextRule(f"[^?#@]*:{_TOO_HIGH}", _PORT_MESSAGE, forbidden=True, at_host=True)
_UDP_PORT = TextRule(
    r"(?i:udp|rtp|tcp)://(?:(?:[^/?#]*[^/?#\d])?|[^/?#]*[^/?#:\d]\d+)(?:[/?#]|$)",
    "the address names no port; write for example udp://239.0.0.1:5000",
    forbidden=True,
)


def _protocol(schemes: tuple[str, ...]) -> TextRule:
    begins = ", ".join(f"{scheme}://" for scheme in schemes[:-1]) + f" or {schemes[-1]}://"
    return TextRule(
        f"(?i:{'|'.join(schemes)})://", f"not an allowed protocol; write an address with {begins}"
    )


StreamUrl = Annotated[
    str,
    Field(min_length=1, max_length=LONGEST),
    _PLAIN,
    _protocol(NETWORK_SCHEMES),
    _NO_USER,
    _NO_USER_WITH_SLASH,
    _HOST,
    _PORT,
    _PORT_HIGH,
    _UDP_PORT,
]
"""Where a stream is: any protocol that a worker opens, no file, no password."""

HttpUrl = Annotated[
    str,
    Field(min_length=1, max_length=LONGEST),
    _PLAIN,
    _protocol(HTTP_SCHEMES),
    _NO_USER,
    _NO_USER_WITH_SLASH,
    _HOST,
    _PORT,
    _PORT_HIGH,
]
"""Where a notification goes."""
