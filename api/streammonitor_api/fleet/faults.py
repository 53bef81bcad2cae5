"""What Redis can answer instead of doing its work, in words that say what to do about it.

Redis tells its troubles in the first word of an answer; 6.2 hides that word in a longer text when
it comes out of a script. So texts are searched, not types. Nothing that is told here holds a
password: what redis-py says of a connection is its address, and answers quote no arguments.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass

import redis

from streammonitor_api.errors import UnavailableError

TROUBLES = (redis.RedisError, redis.exceptions.RedisClusterException, OSError)
"""All that redis-py raises about a server."""


@dataclass(frozen=True, slots=True)
class _Fault:
    signs: tuple[str, ...]
    """What the answer contains, in capitals; names of redis-py's errors where it cuts off the
    first word."""
    says: str
    """What is wrong, and what to do."""
    permanent: bool = False


_FAULTS = (
    _Fault(
        ("NOAUTH", "UNAUTHENTICATED"),
        "asks for a password; set STREAMMONITOR_REDIS_PASSWORD, or put it into the URL",
        permanent=True,
    ),
    _Fault(
        ("WRONGPASS", "INVALID USERNAME-PASSWORD", "INVALID PASSWORD"),
        "refused the user name or password; check STREAMMONITOR_REDIS_USERNAME and _PASSWORD",
        permanent=True,
    ),
    _Fault(
        ("WITHOUT ANY PASSWORD CONFIGURED",),
        "has no password, but one was given; leave it out, or set `requirepass` in Redis",
        permanent=True,
    ),
    _Fault(
        ("NOPERM", "NOPERMISSIONERROR"),
        "does not allow this user what is needed; grant it in Redis: "
        "ACL SETUSER <user> ~streammonitor:* +@all -@admin -@dangerous +info",
        permanent=True,
    ),
    _Fault(
        ("OOM ", "OUTOFMEMORYERROR"),
        "is full (maxmemory); raise maxmemory, or remove other data from it. "
        "Events are kept until there is room",
    ),
    _Fault(
        ("READONLY",),
        "is a read-only replica; give the address of the primary, or that of the Sentinels",
    ),
    _Fault(("LOADING",), "is still loading its data; waiting for it"),
    _Fault(("MASTERDOWN",), "is a replica without its primary; waiting for a new primary"),
    _Fault(("NO MASTER FOUND",), "has no primary that the Sentinels know; waiting for one"),
    _Fault(("CLUSTERDOWN",), "is a cluster that does not serve; see its CLUSTER INFO"),
    _Fault(
        ("MISCONF",),
        "cannot write its snapshots and so takes no writes; free its disk, see its log",
    ),
    _Fault(("NOREPLICAS",), "has too few replicas to take writes (min-replicas-to-write)"),
    _Fault(("BUSY REDIS",), "is busy with a script of somebody else; waiting for it"),
    _Fault(
        ("MAX NUMBER OF CLIENTS", "MAXCLIENTSERROR"),
        "has no room for another client; raise maxclients in Redis",
    ),
    _Fault(
        ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"),
        "does not speak TLS there; write redis:// instead of rediss://",
        permanent=True,
    ),
    _Fault(
        ("CERTIFICATE_REQUIRED",),
        "wants a client certificate; set STREAMMONITOR_REDIS_CERT_FILE and _KEY_FILE",
        permanent=True,
    ),
    _Fault(
        ("CERTIFICATE_VERIFY_FAILED",),
        "shows a certificate that cannot be verified; "
        "give its authority in STREAMMONITOR_REDIS_CA_FILE, and the name that is in it in the URL",
        permanent=True,
    ),
    _Fault(
        ("CLUSTER SUPPORT DISABLED", "CLUSTER MODE IS NOT ENABLED"),
        "is no cluster; write redis:// instead of redis-cluster://",
        permanent=True,
    ),
    _Fault(
        ("UNKNOWN COMMAND",),
        "lacks a command that is needed; run Redis 6.2 or newer",
        permanent=True,
    ),
    _Fault(
        ("WRONGTYPE", "WRONG KIND OF VALUE"),
        "holds other data under the fleet's keys; give the fleet another name",
        permanent=True,
    ),
)


def unavailable(address: str, error: BaseException) -> UnavailableError:
    """Say what an error of the connection or of Redis means. `address` is without credentials."""
    text = _text(error)
    for fault in _FAULTS:
        if any(sign in text.upper() for sign in fault.signs):
            return UnavailableError(f"Redis at {address} {fault.says}", permanent=fault.permanent)
    if isinstance(error, redis.TimeoutError | TimeoutError):
        hint = ". If it does not speak TLS, write redis://" if "rediss" in address else ""
        return UnavailableError(f"Redis at {address} does not answer in time; waiting for it{hint}")
    if "CLOSED BY SERVER" in text.upper() or "RESET BY PEER" in text.upper():
        return UnavailableError(
            f"Redis at {address} closed the connection; if it wants TLS, write rediss:// in the URL"
        )
    if isinstance(error, redis.ConnectionError | OSError):
        return UnavailableError(
            f"Redis at {address} cannot be reached, {_reason(error)}; "
            "check that it runs and that the address is right"
        )
    return UnavailableError(f"Redis at {address} refused, {_first_line(error)}; see its log")


def _text(error: BaseException) -> str:
    """The kinds and first lines of an error and of those behind it."""
    parts: list[str] = []
    seen: BaseException | None = error
    while seen is not None:
        parts.append(f"{type(seen).__name__} {_first_line(seen)}")
        seen = seen.__cause__ or seen.__context__
    return "; ".join(parts)


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0] or type(error).__name__


def _reason(error: BaseException) -> str:
    """`Connection refused` rather than the whole chain."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLError):
            return f"TLS failed: {seen.reason or seen}"
        if isinstance(seen, OSError) and seen.strerror:
            return seen.strerror.lower()
        seen = seen.__cause__ or seen.__context__
    return str(error).partition("\n")[0].rstrip(".") or type(error).__name__
