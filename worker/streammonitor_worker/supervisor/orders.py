"""From the spec of a stream to the order that an engine gets; here credentials are opened."""

from __future__ import annotations

from urllib.parse import quote, urlsplit, urlunsplit

from streammonitor_api.fidelity import Fidelity
from streammonitor_api.fleet.records import StreamSpec
from streammonitor_api.sealing import Credentials, FleetKey, SealingError
from streammonitor_worker.engine.messages import WatchOrder

_HTTP = ("http", "https")


def watch_order(spec: StreamSpec, key: FleetKey | None, join_s: float = 0.0) -> WatchOrder:
    """Say how to watch a stream, and how far back to begin. Raises SealingError for credentials
    that cannot be opened."""
    credentials = _credentials(spec, key)
    url, query, headers = spec.url, credentials.query, []
    over_http = urlsplit(url).scheme.lower() in _HTTP
    if credentials.username:
        url = _with_user(url, credentials)
    if query and not over_http:
        url, query = f"{url}{'&' if '?' in url else '?'}{query}", ""
    if credentials.header[0]:
        headers.append(credentials.header)
    return WatchOrder(
        spec.stream,
        spec.source_revision,
        url,
        {plan.name: plan for plan in spec.detectors},
        Fidelity(spec.mode),
        spec.renditions,
        tuple(headers),
        query,
        join_s,
    )


def without_credentials(spec: StreamSpec) -> WatchOrder:
    """The same where they cannot be opened: the source will say what it makes of that."""
    plan = {one.name: one for one in spec.detectors}
    return WatchOrder(
        spec.stream, spec.source_revision, spec.url, plan, Fidelity(spec.mode), spec.renditions
    )


def _credentials(spec: StreamSpec, key: FleetKey | None) -> Credentials:
    if spec.credentials is None:
        return Credentials()
    if key is None:
        raise SealingError(
            f"{spec.stream}: its credentials are sealed and this worker has no fleet key; set "
            "STREAMMONITOR_FLEET_KEY or STREAMMONITOR_FLEET_KEY_FILE to the operator's"
        )
    return Credentials.from_json(key.unseal(spec.credentials, spec.stream))


def _with_user(url: str, credentials: Credentials) -> str:
    parts = urlsplit(url)
    user = quote(credentials.username, safe="")
    password = quote(credentials.password, safe="")
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{user}:{password}@{host}"))
