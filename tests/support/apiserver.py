"""A real API server on loopback: etcd and kube-apiserver in a temporary folder, nothing else.

No controller runs, as in envtest: pods are never scheduled and namespaces never finish going, so
each test takes a namespace of its own. The programs come from KUBEBUILDER_ASSETS; a KUBECONFIG
names a cluster that is there already. Without either, tests skip and say so.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
import urllib3
import yaml

from tests.support.waiting import wait_until

MISSING = "no API server: set KUBEBUILDER_ASSETS (etcd, kube-apiserver) or KUBECONFIG"
AUDIT = "audit.jsonl"
_AUDIT_POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [ResponseComplete, Panic]
rules: [{level: None, users: [admin]}, {level: Metadata, userGroups: ["system:serviceaccounts"]}]
"""
_READY_WITHIN_S = 60.0
"""It takes 4 s on an idle machine; a busy one is given time."""


@dataclass(frozen=True)
class Answer:
    """What the API server said."""

    status: int
    body: dict[str, Any]

    @property
    def accepted(self) -> bool:
        return self.status < 300

    @property
    def message(self) -> str:
        return str(self.body.get("message", ""))


class ApiServer:
    """How an API server is reached: as an administrator, or as whoever a token stands for."""

    def __init__(self, url: str, authority: Path | None, token: str, **client: Any) -> None:
        self.url = url
        self.authority = authority
        self.token = token
        self._client = client
        self._http = urllib3.PoolManager(
            ca_certs=None if authority is None else str(authority),
            retries=False,
            timeout=30.0,
            **client,
        )

        self.audit: Path | None = None
        """The log of who asked for what, where this server was started here."""

    def close(self) -> None:
        self._http.clear()

    def asked(self, user: str) -> Iterator[dict[str, Any]]:
        """What an account asked for, from the audit log."""
        assert self.audit is not None
        for line in self.audit.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            if entry["user"]["username"] == user:
                yield entry

    def as_account(self, token: str) -> ApiServer:
        """The same server, seen by another account."""
        return ApiServer(self.url, self.authority, token)

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        content_type: str = "application/json",
        **query: str,
    ) -> Answer:
        """Ask; any status is an answer."""
        headers = {"Accept": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        sent: dict[str, Any] = {"fields": query} if query and body is None else {}
        if body is not None:
            headers["Content-Type"] = content_type
            sent["body"] = json.dumps(body).encode()
            if query:
                path += "?" + "&".join(f"{name}={value}" for name, value in query.items())
        reply = self._http.request(method, self.url + path, headers=headers, **sent)
        try:
            parsed = json.loads(reply.data)
        except ValueError:
            parsed = {"message": reply.data.decode(errors="replace")}
        return Answer(reply.status, cast("dict[str, Any]", parsed))

    def get(self, path: str, **query: str) -> dict[str, Any]:
        return self._must("GET", path, None, **query)

    def create(self, path: str, body: Mapping[str, Any], **query: str) -> dict[str, Any]:
        return self._must("POST", path, body, **query)

    def apply(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Apply on the server's side, as `kubectl apply --server-side` does."""
        answer = self.request(
            "PATCH", path, body, "application/apply-patch+yaml", fieldManager="tests", force="true"
        )
        return self._checked(answer, "PATCH", path)

    def patch(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Merge a patch."""
        answer = self.request("PATCH", path, body, "application/merge-patch+json")
        return self._checked(answer, "PATCH", path)

    def delete(self, path: str, **query: str) -> dict[str, Any]:
        return self._must("DELETE", path, None, **query)

    def _must(self, method: str, path: str, body: object, **query: str) -> dict[str, Any]:
        return self._checked(self.request(method, path, body, **query), method, path)

    def _checked(self, answer: Answer, method: str, path: str) -> dict[str, Any]:
        assert answer.accepted, f"{method} {path}: {answer.status} {answer.message}"
        return answer.body

    def namespace(self) -> str:
        """Make a namespace of its own for a test."""
        name = f"test-{secrets.token_hex(4)}"
        self.create("/api/v1/namespaces", {"metadata": {"name": name}})
        return name

    def install_crd(self, crd: Mapping[str, Any]) -> None:
        """Install a CustomResourceDefinition and wait until it is served."""
        name = crd["metadata"]["name"]
        path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}"
        self.apply(path, crd)
        spec = crd["spec"]
        version, plural = spec["versions"][0]["name"], spec["names"]["plural"]
        served = f"/apis/{spec['group']}/{version}/{plural}"

        def established() -> bool:
            conditions = self.get(path)["status"]["conditions"] or []
            true = {one["type"] for one in conditions if one["status"] == "True"}
            return "Established" in true and self.request("GET", served).accepted

        wait_until(established, f"{name} is served", within_s=_READY_WITHIN_S)

    def account(self, namespace: str, name: str) -> ApiServer:
        """Be a ServiceAccount that exists."""
        made = self.create(
            f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token",
            {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}},
        )
        return self.as_account(made["status"]["token"])

    def kubeconfig(self, path: Path, namespace: str = "default") -> Path:
        """Write how this account reaches this server."""
        cluster: dict[str, Any] = {"server": self.url}
        if self.authority is not None:
            cluster["certificate-authority"] = str(self.authority)
        user: dict[str, Any] = {"token": self.token} if self.token else {}
        if "cert_file" in self._client:
            user["client-certificate"] = self._client["cert_file"]
            user["client-key"] = self._client["key_file"]
        context = {"cluster": "test", "user": "test", "namespace": namespace}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": "test", "user": user}],
            "contexts": [{"name": "test", "context": context}],
        }
        path.write_text(yaml.safe_dump(config), encoding="utf-8")
        path.chmod(0o600)
        return path


@contextlib.contextmanager
def lenient_crd(server: ApiServer, crd: Mapping[str, Any]) -> Iterator[None]:
    """Have a definition without its rules meanwhile, as an older one might be."""

    def stripped(schema: Any) -> Any:
        if isinstance(schema, list):
            return [stripped(one) for one in schema]
        if not isinstance(schema, dict):
            return schema
        rest = {key: stripped(one) for key, one in schema.items()}
        rest.pop("x-kubernetes-validations", None)
        return rest

    server.install_crd(stripped(dict(crd)))
    try:
        yield
    finally:
        server.install_crd(crd)


def can_run_apiserver() -> bool:
    """Whether the environment names the programs to start one."""
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    programs = ("etcd", "kube-apiserver")
    return bool(assets) and all((Path(str(assets)) / name).exists() for name in programs)


def skip_without_server() -> None:
    """Skip where there is no API server to be had."""
    if not can_run_apiserver() and not os.environ.get("KUBECONFIG"):
        pytest.skip(MISSING)


@contextlib.contextmanager
def running_apiserver(folder: Path) -> Iterator[ApiServer]:
    """The API server that the environment offers; started here, it ends with this context."""
    if not can_run_apiserver():
        server = from_kubeconfig(Path(os.environ["KUBECONFIG"]), folder)
        try:
            yield server
        finally:
            server.close()
        return
    with _ControlPlane(Path(os.environ["KUBEBUILDER_ASSETS"]), folder) as server:
        yield server


class _ControlPlane:
    """etcd and kube-apiserver as processes; `stop` and `start` make outages."""

    def __init__(self, assets: Path, folder: Path) -> None:
        self._assets = assets
        self._folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> ApiServer:
        with contextlib.ExitStack() as begun:
            begun.callback(self._stop)
            server = self._start()
            begun.pop_all()
        return server

    def __exit__(self, *exc: object) -> None:
        self._stop()

    def _start(self) -> ApiServer:
        etcd, peer, port = free_ports(3)
        token = secrets.token_hex(16)
        tokens = self._folder / "tokens.csv"
        tokens.write_text(f'{token},admin,admin,"system:masters"\n', encoding="utf-8")
        policy = self._folder / "audit-policy.yaml"
        policy.write_text(_AUDIT_POLICY, encoding="utf-8")
        key = self._folder / "account.key"
        key.write_bytes(_private_key())
        self._run(
            "etcd",
            f"--data-dir={self._folder / 'etcd'}",
            f"--listen-client-urls=http://127.0.0.1:{etcd}",
            f"--advertise-client-urls=http://127.0.0.1:{etcd}",
            f"--listen-peer-urls=http://127.0.0.1:{peer}",
            f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}",
            f"--initial-cluster=default=http://127.0.0.1:{peer}",
            "--unsafe-no-fsync=true",
            "--log-level=error",
        )
        self._run(
            "kube-apiserver",
            f"--etcd-servers=http://127.0.0.1:{etcd}",
            f"--cert-dir={self._folder / 'certificates'}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--secure-port={port}",
            f"--token-auth-file={tokens}",
            "--authorization-mode=RBAC",
            "--service-account-issuer=https://127.0.0.1/",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--disable-admission-plugins=ServiceAccount",
            "--allow-privileged=true",
            "--watch-cache=true",
            "--shutdown-delay-duration=0s",
            f"--audit-policy-file={policy}",
            f"--audit-log-path={self._folder / AUDIT}",
        )
        certificate = self._folder / "certificates" / "apiserver.crt"
        wait_until(
            lambda: self._alive() and certificate.exists(),
            "a certificate",
            within_s=_READY_WITHIN_S,
        )
        server = ApiServer(f"https://127.0.0.1:{port}", certificate, token)
        server.audit = self._folder / AUDIT
        wait_until(lambda: self._alive() and _is_ready(server), "readyz", within_s=_READY_WITHIN_S)
        return server

    def _run(self, program: str, *arguments: str) -> None:
        with (self._folder / f"{program}.log").open("wb") as log:
            process = subprocess.Popen(
                [str(self._assets / program), *arguments], stdout=log, stderr=log
            )
        self._processes.append(process)

    def _alive(self) -> bool:
        for process in self._processes:
            if process.poll() is not None:
                logs = [
                    path.read_text(errors="replace")[-2000:] for path in self._folder.glob("*.log")
                ]
                pytest.fail(f"{process.args!r} ended with {process.returncode}: {logs}")
        return True

    def _stop(self) -> None:
        for process in reversed(self._processes):
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _is_ready(server: ApiServer) -> bool:
    try:
        ready = server.request("GET", "/readyz").status == 200
        # What RBAC needs from the start is made by a hook after that.
        return ready and server.request("GET", "/api/v1/namespaces/default").accepted
    except urllib3.exceptions.HTTPError:
        return False


def from_kubeconfig(path: Path, folder: Path) -> ApiServer:
    """The server of a kubeconfig's current context: with a token or a client's certificate."""
    import base64

    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    named = {kind: {one["name"]: one for one in config[kind]} for kind in _KINDS}
    context = named["contexts"][config["current-context"]]["context"]
    cluster = named["clusters"][context["cluster"]]["cluster"]
    user = named["users"][context["user"]]["user"]

    def file(source: Mapping[str, str], name: str) -> str | None:
        if f"{name}-data" not in source:
            return source.get(name)
        target = folder / name
        target.write_bytes(base64.b64decode(source[f"{name}-data"]))
        target.chmod(0o600)
        return str(target)

    authority = file(cluster, "certificate-authority")
    certificate, key = file(user, "client-certificate"), file(user, "client-key")
    client = {"cert_file": certificate, "key_file": key} if certificate else {}
    return ApiServer(
        cluster["server"], Path(authority) if authority else None, user.get("token", ""), **client
    )


_KINDS = ("contexts", "clusters", "users")


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody listens at."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _private_key() -> bytes:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
