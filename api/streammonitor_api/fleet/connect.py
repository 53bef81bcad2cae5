"""Where a fleet's Redis is and how it is reached: one place for all who connect.

    redis://HOST:PORT/DB               rediss:// with TLS
    unix:///PATH?db=0
    redis-sentinel://HOST:PORT,HOST:PORT/SERVICE/DB      rediss-sentinel:// with TLS
    redis-cluster://HOST:PORT,HOST:PORT                  rediss-cluster:// with TLS

User and password may stand in the URL, `redis://USER:PASSWORD@HOST`, but better come from the
environment: a URL is easily shown. They appear in no error and no representation.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, cast
from urllib.parse import SplitResult, unquote, urlsplit

import redis
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.retry import Retry
from redis.sentinel import Sentinel

from streammonitor_api.errors import InputError, UnavailableError
from streammonitor_api.fleet.faults import TROUBLES, unavailable

DEFAULT_URL = "redis://127.0.0.1:6379/0"
ENVIRONMENT = "STREAMMONITOR_REDIS_"
OLDEST_REDIS = (6, 2)

_SCHEMES = (
    "redis",
    "rediss",
    "unix",
    *(f"redis{tls}-{kind}" for tls in ("", "s") for kind in ("sentinel", "cluster")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisSettings:
    """How to reach Redis. Each field can be given as STREAMMONITOR_REDIS_<FIELD>."""

    url: str = field(default=DEFAULT_URL, repr=False)
    username: str | None = None
    """ACL user; goes before one in the URL."""
    password: str | None = field(default=None, repr=False)
    password_file: str | None = None
    """Read anew at each connection, as mounted Secrets change."""
    ca_file: str | None = None
    """Certificates of authorities, PEM; None: the system's."""
    cert_file: str | None = None
    key_file: str | None = None
    sentinel_username: str | None = None
    sentinel_password: str | None = field(default=None, repr=False)
    connect_timeout_s: float = 2.0
    timeout_s: float = 5.0
    """For an answer; blocking reads wait less than that."""

    @classmethod
    def from_environment(
        cls, environment: Mapping[str, str] | None = None, **given: str | None
    ) -> RedisSettings:
        """Read the settings; what is given and not None goes before the environment."""
        environment = os.environ if environment is None else environment
        values: dict[str, Any] = {}
        for one in fields(cls):
            text = environment.get(f"{ENVIRONMENT}{one.name.upper()}")
            if text:
                values[one.name] = _seconds(one.name, text) if one.type == "float" else text
        values.update({name: value for name, value in given.items() if value is not None})
        return cls(**values)

    @property
    def address(self) -> str:
        """Where Redis is, without credentials: what messages call it."""
        return _Address(self).shown


class _Address:
    """A URL of Redis, taken apart."""

    def __init__(self, settings: RedisSettings) -> None:
        parts = _split(settings.url)
        self.scheme = parts.scheme
        self.tls = parts.scheme.startswith("rediss")
        self.kind = parts.scheme.partition("-")[2]
        credentials, _, hosts = parts.netloc.rpartition("@")
        username, _, password = credentials.partition(":")
        self.username = settings.username or unquote(username) or None
        self.password = settings.password or unquote(password) or None
        self.path = parts.path
        self.nodes = [] if self.scheme == "unix" else [_node(one) for one in hosts.split(",")]
        hosts = ",".join(f"{host}:{port}" for host, port in self.nodes)
        self.shown = f"{self.scheme}://{hosts}{parts.path}"
        self.service, self.database = self._targets(parts)

    def _targets(self, parts: SplitResult) -> tuple[str, int]:
        steps = [step for step in parts.path.split("/") if step]
        service = ""
        if self.kind == "sentinel":
            if not steps:
                raise InputError(
                    f"{self.shown}: no service named; write {self.scheme}://HOST:26379/mymaster"
                )
            service = steps.pop(0)
        number = steps[-1] if steps and self.scheme != "unix" else "0"
        if self.scheme == "unix" and parts.query.startswith("db="):
            number = parts.query.removeprefix("db=")
        if not number.isdigit():
            raise InputError(f"{self.shown}: database {number!r}; write a number, such as 0")
        return service, int(number)


def connect(settings: RedisSettings) -> redis.Redis:
    """Make a client. No connection is opened yet, except to find out about a cluster.

    Raises InputError for a URL that cannot be understood, UnavailableError where a cluster
    cannot be reached.
    """
    address = _Address(settings)
    options = _options(settings, address)
    match address.kind:
        case "sentinel":
            return _through_sentinels(settings, address, options)
        case "cluster":
            nodes = [ClusterNode(host, port) for host, port in address.nodes]  # type: ignore[no-untyped-call]
            try:
                # Its methods are those of Redis for the keys of one slot.
                return cast(redis.Redis, RedisCluster(startup_nodes=nodes, **options))
            except TROUBLES as error:
                raise unavailable(settings.address, error) from None
    options["db"] = address.database
    if address.scheme == "unix":
        unix = {key: value for key, value in options.items() if not key.startswith("ssl")}
        return redis.Redis(unix_socket_path=address.path, **unix)
    host, port = address.nodes[0]
    return redis.Redis(host=host, port=port, **options)


def examine(client: redis.Redis, settings: RedisSettings) -> list[str]:
    """Look whether this Redis will do; returns warnings, one line each.

    Raises UnavailableError where it cannot be used, or is too old.
    """
    try:
        info = client.info()
    except TROUBLES as error:
        raise unavailable(settings.address, error) from None
    if "redis_version" not in info:  # a cluster answers by node
        info = next(iter(info.values()), {})
    version = str(info.get("redis_version", "0"))
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST_REDIS:
        raise UnavailableError(
            f"Redis at {settings.address} is version {version}; run 6.2 or newer", permanent=True
        )
    policy = info.get("maxmemory_policy", "noeviction")
    if info.get("maxmemory") and policy != "noeviction":
        return [
            f"Redis at {settings.address} may evict what the fleet needs (maxmemory-policy "
            f"{policy}); set maxmemory-policy noeviction"
        ]
    return []


def _options(settings: RedisSettings, address: _Address) -> dict[str, Any]:
    options: dict[str, Any] = {
        "username": address.username,
        "password": _password(settings, address),
        "socket_connect_timeout": settings.connect_timeout_s,
        "socket_timeout": settings.timeout_s,
        "socket_keepalive": True,
        "health_check_interval": 15,
        "decode_responses": True,
        "protocol": 2,
    }
    if address.kind != "cluster":
        # Once more at once, for a pooled connection that a restart of Redis has closed. All calls
        # may be repeated. What to do when that fails too is for the caller to decide.
        options["retry"] = Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,))
    if address.tls:
        options |= {
            "ssl": True,
            "ssl_ca_certs": settings.ca_file,
            "ssl_certfile": settings.cert_file,
            "ssl_keyfile": settings.key_file,
            "ssl_check_hostname": True,
        }
    return options


def _through_sentinels(
    settings: RedisSettings, address: _Address, options: dict[str, Any]
) -> redis.Redis:
    own = {"username": settings.sentinel_username, "password": settings.sentinel_password}
    sentinels: Any = Sentinel(  # type: ignore[no-untyped-call]
        address.nodes, sentinel_kwargs={**options, **own}, **options, db=address.database
    )
    return cast(redis.Redis, sentinels.master_for(address.service))


def _password(settings: RedisSettings, address: _Address) -> str | None:
    if address.password or settings.password_file is None:
        return address.password
    try:
        return Path(settings.password_file).read_text(encoding="utf-8").strip() or None
    except OSError as error:
        raise InputError(
            f"{settings.password_file}: the password of Redis cannot be read, {error.strerror}; "
            f"name a file in {ENVIRONMENT}PASSWORD_FILE"
        ) from None


def _split(url: str) -> SplitResult:
    parts = urlsplit(url)
    if parts.scheme not in _SCHEMES:
        raise InputError(
            f"the URL of Redis begins with {parts.scheme or 'no scheme'!r}; write one such as "
            f"{DEFAULT_URL}, or with {', '.join(f'{scheme}://' for scheme in _SCHEMES[1:])}"
        )
    return parts


def _node(text: str) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    try:
        return parts.hostname or "127.0.0.1", parts.port or 6379
    except ValueError:
        raise InputError(f"the URL of Redis names {text!r}; write HOST:PORT") from None


def _seconds(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(
            f"{ENVIRONMENT}{name.upper()}: {text!r} is no number; write seconds, such as 5"
        ) from None
