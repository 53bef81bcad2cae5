"""The operator as a process, against a real API server and a real Redis, with pretended workers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from streammonitor_api.fleet.records import DEAD_AFTER_S
from streammonitor_api.names import StreamKey
from streammonitor_api.resource.crd import build_crd
from streammonitor_api.sealing import Credentials, FleetKey, generate_key
from tests.support.apiserver import ApiServer, lenient_crd
from tests.support.fleet_contract import Fleet
from tests.support.monitors import WITHIN_S, Monitors, put_pod
from tests.support.operator_process import OperatorProcess, operator_process
from tests.support.pretend_worker import PretendWorker, pretend_workers
from tests.support.redis_server import RedisServer
from tests.support.resources import a_stream
from tests.support.waiting import wait_until

PASSWORD = "hunter2-geheim"  # noqa: S105  # of nobody
LOGIN = {"name": "cdn-login"}


class Setting:
    """A namespace that an operator follows, and two workers that are pods in it."""

    def __init__(
        self,
        monitors: Monitors,
        operator: OperatorProcess,
        workers: list[PretendWorker],
        key: FleetKey,
    ) -> None:
        self.monitors, self.operator, self.workers, self.key = monitors, operator, workers, key
        self.ends_with = 0
        """Exit code that the operator is expected to have in the end."""

    def owner(self, stream: str) -> PretendWorker | None:
        key = StreamKey(f"{self.monitors.namespace}/{stream}")
        return next((one for one in self.workers if key in one.has), None)


@pytest.fixture
def setting(
    apiserver: ApiServer, namespace: str, redis_server: RedisServer, fleet: Fleet, tmp_path: Path
) -> Iterator[Setting]:
    key = generate_key()
    for name in ("worker-0", "worker-1"):
        put_pod(apiserver, namespace, name)
    with (
        pretend_workers(fleet.scripts, fleet.name, "worker-0", "worker-1", pods=True) as workers,
        operator_process(
            apiserver,
            tmp_path,
            redis_server.url,
            *("--namespaces", namespace, "--watch-nodes", "false"),
            fleet=fleet.name,
            namespace=namespace,
            key=key,
        ) as operator,
    ):
        made = Setting(Monitors(apiserver, namespace), operator, workers, FleetKey(key))
        yield made
    assert operator.process.returncode == made.ends_with, operator.log
    assert "Traceback" not in operator.log
    assert PASSWORD not in operator.log


def test_applied_monitor_is_watched_and_says_so(setting: Setting) -> None:
    monitors = setting.monitors
    monitors.create("sports", streams=[a_stream("a"), a_stream("b")])

    ready = monitors.await_condition("sports", "Ready", "AllStreamsWatched")

    assert ready["status"] == "True"
    status = monitors.get("sports")["status"]
    assert status["streams"] == {"total": 2, "watched": 2, "degraded": 0}
    assert status["incidents"] == {"open": 0, "newest": []}
    assert setting.owner("sports/a") is not setting.owner("sports/b")
    (event,) = monitors.await_true(lambda: monitors.events("sports"), "an Event")
    assert (event["type"], event["reason"]) == ("Normal", "AllStreamsWatched")


def test_steady_state_writes_nothing(setting: Setting) -> None:
    monitors = setting.monitors
    monitors.create("sports")
    monitors.await_condition("sports", "Ready", "AllStreamsWatched")
    before = monitors.get("sports")["metadata"]["resourceVersion"]
    beats = setting.workers[0].beats

    wait_until(
        lambda: setting.workers[0].beats > beats + 40, "four seconds of beats", within_s=WITHIN_S
    )

    assert monitors.get("sports")["metadata"]["resourceVersion"] == before


def test_changed_and_deleted_monitor_is_followed(setting: Setting) -> None:
    monitors = setting.monitors
    monitors.create("sports", streams=[a_stream("a"), a_stream("b")])
    monitors.await_condition("sports", "Ready", "AllStreamsWatched")

    monitors.change("sports", streams=[a_stream("b"), a_stream("c")])
    monitors.await_true(lambda: setting.owner("sports/c"), "c is watched")
    monitors.await_true(lambda: setting.owner("sports/a") is None, "a is not watched any more")

    monitors.change("sports", suspend=True)
    monitors.await_condition("sports", "Ready", "Suspended")
    assert setting.owner("sports/b") is None

    monitors.change("sports", suspend=False)
    monitors.await_true(lambda: setting.owner("sports/b"), "b is watched again")
    monitors.delete("sports")
    monitors.await_true(lambda: setting.owner("sports/b") is None, "nothing is watched")


def test_secret_may_come_later_change_and_go(setting: Setting) -> None:
    monitors = setting.monitors
    monitors.create("paid", streams=[a_stream("a", credentialsSecretRef=LOGIN), a_stream("b")])

    missing = monitors.await_condition("paid", "Degraded", "CredentialsMissing")
    assert f"Secret {monitors.namespace}/cdn-login: does not exist; create it" in missing["message"]
    assert setting.owner("paid/a") is None
    monitors.await_true(lambda: setting.owner("paid/b"), "b is watched all the same")

    monitors.put_secret("cdn-login", username="admin", password=PASSWORD)
    monitors.await_condition("paid", "Degraded", "AsAsked")
    owner = monitors.await_true(lambda: setting.owner("paid/a"), "a is watched")
    stream = StreamKey(f"{monitors.namespace}/paid/a")
    spec = owner.specs[stream]
    assert spec.credentials is not None
    opened = Credentials.from_json(setting.key.unseal(spec.credentials, stream))
    assert (opened.username, opened.password) == ("admin", PASSWORD)

    monitors.delete_secret("cdn-login")
    gone = monitors.await_condition("paid", "Degraded", "CredentialsMissing")
    assert "until then the credentials that it had are used" in gone["message"]
    assert setting.owner("paid/a") is owner

    written = f"{monitors.get('paid')['status']}{monitors.events('paid')}"
    assert PASSWORD not in written


def test_deleted_pod_fails_over_before_its_heartbeat_times_out(setting: Setting) -> None:
    monitors = setting.monitors
    monitors.create("sports", streams=[a_stream(f"s{number}") for number in range(6)])
    monitors.await_condition("sports", "Ready", "AllStreamsWatched")
    lost, other = setting.workers
    had = set(lost.has)
    assert had

    lost.die()
    path = f"/api/v1/namespaces/{monitors.namespace}/pods/{lost.name}"
    monitors.server.delete(path, gracePeriodSeconds="0")

    wait_until(
        lambda: had <= set(other.has), "all its streams are with the other", within_s=WITHIN_S
    )
    assert_told_before_it_was_silent(setting.operator.log, f"{lost.name}: its pod is gone", lost)


def assert_told_before_it_was_silent(log: str, told: str, worker: PretendWorker) -> None:
    """The watch told of its end, not its heartbeats, which time out after 3 s."""
    found = re.search(rf"{worker.name}: is dead, last heartbeat ([0-9.]+) s ago", log)
    assert found, log
    assert log.index(told) < found.start()
    assert float(found[1]) < DEAD_AFTER_S


def test_removed_node_fails_over_its_workers(
    apiserver: ApiServer, namespace: str, redis_server: RedisServer, fleet: Fleet, tmp_path: Path
) -> None:
    monitors = Monitors(apiserver, namespace)
    node = f"node-of-{namespace}"
    apiserver.create("/api/v1/nodes", {"metadata": {"name": node}})
    put_pod(apiserver, namespace, "worker-0", node=node)
    put_pod(apiserver, namespace, "worker-1")
    with (
        pretend_workers(fleet.scripts, fleet.name, "worker-0", "worker-1", pods=True) as workers,
        operator_process(
            apiserver, tmp_path, redis_server.url, "--namespaces", namespace,
            fleet=fleet.name, namespace=namespace,
        ) as operator,
    ):  # fmt: skip
        monitors.create("sports", streams=[a_stream(f"s{number}") for number in range(6)])
        monitors.await_condition("sports", "Ready", "AllStreamsWatched")
        lost, other = workers
        had = set(lost.has)
        assert had

        lost.die()
        apiserver.delete(f"/api/v1/nodes/{node}")

        wait_until(
            lambda: had <= set(other.has), "its streams are with the other", within_s=WITHIN_S
        )
        told = f"{lost.name}: its node {node} is gone"
        assert_told_before_it_was_silent(operator.log, told, lost)


def test_deletion_cost_follows_the_load(setting: Setting) -> None:
    monitors = setting.monitors
    monitors.create("sports", streams=[a_stream(f"s{number}") for number in range(6)])
    path = f"/api/v1/namespaces/{monitors.namespace}/pods/worker-0"

    def cost() -> str | None:
        annotations = monitors.server.get(path)["metadata"].get("annotations") or {}
        found: str | None = annotations.get("controller.kubernetes.io/pod-deletion-cost")
        return found

    wait_until(lambda: cost() == "3", "worker-0 costs as many as it has", within_s=30)


def test_invalid_resource_that_slipped_in_is_a_condition(
    setting: Setting, apiserver: ApiServer
) -> None:
    monitors = setting.monitors
    streams = [a_stream("a"), a_stream("b", "file:///etc/passwd")]
    with lenient_crd(apiserver, build_crd()):
        # The API server takes a while to judge by another definition.
        wait_until(
            lambda: monitors.try_to_create("old", streams=streams), "it slips in", within_s=WITHIN_S
        )

    invalid = monitors.await_condition("old", "Ready", "Invalid")

    assert "spec.streams[1].url: not an allowed protocol" in invalid["message"]
    monitors.await_true(lambda: setting.owner("old/a"), "what is valid is watched")
    assert setting.operator.ask("/healthz")[0] == 200


def test_operator_that_starts_again_changes_nothing(
    apiserver: ApiServer, namespace: str, redis_server: RedisServer, fleet: Fleet, tmp_path: Path
) -> None:
    monitors = Monitors(apiserver, namespace)
    monitors.put_secret("cdn-login", query=f"token={PASSWORD}")
    key = generate_key()

    def run() -> AbstractContextManager[OperatorProcess]:
        return operator_process(
            apiserver, tmp_path, redis_server.url, "--namespaces", namespace,
            fleet=fleet.name, namespace=namespace, key=key,
        )  # fmt: skip

    with pretend_workers(fleet.scripts, fleet.name, "local-0", "local-1") as workers:
        with run():
            monitors.create(
                "sports", streams=[a_stream("a", credentialsSecretRef=LOGIN), a_stream("b")]
            )
            monitors.await_condition("sports", "Ready", "AllStreamsWatched")
        version = monitors.get("sports")["metadata"]["resourceVersion"]
        before = [dict(worker.has) for worker in workers]
        beats = workers[0].beats

        with run() as operator:
            wait_until(
                lambda: workers[0].beats > beats + 60, "six seconds of beats", within_s=WITHIN_S
            )
            assert "decides, term 2" in operator.log

    assert [worker.has for worker in workers] == before
    assert monitors.get("sports")["metadata"]["resourceVersion"] == version


def test_second_operator_takes_over_and_the_first_ends(
    setting: Setting, apiserver: ApiServer, redis_server: RedisServer, fleet: Fleet, tmp_path: Path
) -> None:
    namespace = setting.monitors.namespace
    folder = tmp_path / "second"
    folder.mkdir()
    first = setting.operator
    with operator_process(
        apiserver, folder, redis_server.url, "--namespaces", namespace,
        fleet=fleet.name, namespace=namespace,
    ):  # fmt: skip
        wait_until(
            lambda: first.process.poll() is not None, "the first has ended", within_s=WITHIN_S
        )

    assert re.search(r"streammonitor: .*(operator|term)", first.log)
    setting.ends_with = 1
