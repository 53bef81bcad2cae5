"""The Kubernetes API as far as the operator needs it beside kopf's watches.

Thin on purpose: aiohttp, which kopf brings, and the credentials that kopf uses. The official client
would more than double the operator's memory; it is imported only where a kubeconfig needs a helper
program to log in.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import logging
import os
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Self

import aiohttp
import kopf
import yaml

from streammonitor_api.errors import InputError, StreamMonitorError

_TIMEOUT = aiohttp.ClientTimeout(total=30.0, sock_connect=5.0)
_PAGE = 500
"""Objects of a list that are asked for at a time."""
_METADATA_ONLY = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
_NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")

_log = logging.getLogger("streammonitor.operator")


class KubernetesError(StreamMonitorError):
    """The API server refused something, or could not be asked."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status
        """HTTP's; 0 where there was no answer."""


def log_in(**_: Any) -> kopf.ConnectionInfo:
    """Find out how to reach the API server: the pod's account, else the kubeconfig.

    Raises InputError that says what to set.
    """
    settings = kopf.OperatorSettings()
    found = kopf.login_with_service_account(settings=settings)
    if found is not None:
        return found
    try:
        if _needs_helper():
            found = kopf.login_via_client(logger=_log, settings=settings)
            if found is None:
                raise InputError(
                    "KUBECONFIG: it logs in by a helper program, which takes the official client; "
                    "install it: pip install 'streammonitor[kubeconfig]'"
                )
        else:
            found = kopf.login_with_kubeconfig(settings=settings)
    except (OSError, KeyError, yaml.YAMLError, kopf.LoginError) as error:
        raise InputError(f"KUBECONFIG: cannot be used, {error}; name a valid kubeconfig") from None
    if found is None:
        raise InputError("no Kubernetes to be found; run in a pod, or set KUBECONFIG")
    return found


def home_namespace(connection: kopf.ConnectionInfo) -> str:
    """Where this operator lives: its pod's namespace, or the kubeconfig's."""
    if _NAMESPACE_FILE.exists():
        return _NAMESPACE_FILE.read_text(encoding="ascii").strip()
    return connection.default_namespace or "default"


def cluster_identity(connection: kopf.ConnectionInfo) -> str:
    """Tell one cluster from another: by its certificate authority, or else its address.

    The address inside a cluster is the same in all of them.
    """
    authority: bytes | str | None = connection.ca_data
    if connection.ca_path is not None:
        authority = Path(os.fsdecode(connection.ca_path)).read_bytes()
    if not authority:
        return connection.server
    if isinstance(authority, str):
        authority = authority.encode()
    pem = authority if authority.startswith(b"-----") else base64.b64decode(authority)
    return hashlib.blake2s(pem.strip(), digest_size=8).hexdigest()


def _needs_helper() -> bool:
    """Whether a kubeconfig logs in by means that only the official client knows."""
    names = os.environ.get("KUBECONFIG") or "~/.kube/config"
    paths = [Path(name).expanduser() for name in names.split(os.pathsep) if name]
    users = (
        user.get("user") or {}
        for path in paths
        if path.exists()
        for user in (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get("users") or []
    )
    return any("exec" in user or "auth-provider" in user for user in users)


class Kubernetes:
    """A connection to the API server. To be used in one event loop."""

    def __init__(self, connection: kopf.ConnectionInfo) -> None:
        self.connection = connection
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._open()
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._session is not None:
            await self._session.close()

    def _open(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(ssl=self.connection.as_ssl_context(), limit=16)
        self._session = aiohttp.ClientSession(
            self.connection.server, connector=connector, timeout=_TIMEOUT
        )
        return self._session

    async def list_metadata(
        self, path: str, label_selector: str = ""
    ) -> AsyncIterator[Mapping[str, Any]]:
        """Names, versions and labels of all objects of a list, without what is in them."""
        query = {"limit": str(_PAGE), "labelSelector": label_selector}
        while True:
            page = await self.request("GET", path, query=query, accept=_METADATA_ONLY)
            for one in page["items"] or ():  # null where there is none
                yield one["metadata"]
            token = page["metadata"].get("continue")
            if not token:
                return
            query["continue"] = token

    async def get(self, path: str) -> dict[str, Any]:
        return await self.request("GET", path)

    async def create(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return await self.request("POST", path, body, "application/json")

    async def merge(self, path: str, patch: Mapping[str, Any]) -> dict[str, Any]:
        """Apply a merge patch."""
        return await self.request("PATCH", path, patch, "application/merge-patch+json")

    async def replace_status(self, path: str, uid: str, status: Mapping[str, Any]) -> None:
        """Replace the status of the object that has this uid; another one is refused (422).

        A JSON patch, as a merge patch of a status leaves all metadata unread.
        """
        patch = [
            {"op": "test", "path": "/metadata/uid", "value": uid},
            {"op": "add", "path": "/status", "value": status},
        ]
        await self.request("PATCH", f"{path}/status", patch, "application/json-patch+json")

    async def request(
        self,
        method: str,
        path: str,
        body: object = None,
        content_type: str = "",
        *,
        query: Mapping[str, str] | None = None,
        accept: str = "application/json",
    ) -> dict[str, Any]:
        """Ask once; logs in anew where the credentials have expired. Raises KubernetesError."""
        status, answer = await self._ask(method, path, body, content_type, query, accept)
        if status == 401:
            await self._log_in_again()
            status, answer = await self._ask(method, path, body, content_type, query, accept)
        if status >= 400:
            raise KubernetesError(f"{method} {path}: {_message(status, answer)}", status)
        parsed: dict[str, Any] = json.loads(answer)
        return parsed

    async def _ask(
        self,
        method: str,
        path: str,
        body: object,
        content_type: str,
        query: Mapping[str, str] | None,
        accept: str,
    ) -> tuple[int, bytes]:
        session = self._session or self._open()
        headers = {"Accept": accept, **self.connection.as_http_headers()}
        if body is not None:
            headers["Content-Type"] = content_type
        try:
            async with session.request(
                method,
                path,
                params={name: value for name, value in (query or {}).items() if value},
                data=None if body is None else json.dumps(body),
                headers=headers,
            ) as answer:
                return answer.status, await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise KubernetesError(f"{method} {path}: {error or type(error).__name__}") from None

    async def _log_in_again(self) -> None:
        """Tokens of service accounts expire within the hour; their file holds the next one."""
        self.connection = await asyncio.to_thread(log_in)


def _message(status: int, answer: bytes) -> str:
    try:
        return str(json.loads(answer)["message"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP {status}"
