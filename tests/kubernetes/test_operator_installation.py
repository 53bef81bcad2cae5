"""The operator may be there before StreamMonitor is, and outlives that it is removed."""

from __future__ import annotations

from pathlib import Path

from streammonitor_api.resource.crd import build_crd
from tests.support.apiserver import can_run_apiserver, running_apiserver
from tests.support.fleet_contract import Fleet
from tests.support.monitors import WITHIN_S, Monitors
from tests.support.operator_process import operator_process
from tests.support.pretend_worker import pretend_workers
from tests.support.redis_server import RedisServer, needed
from tests.support.waiting import wait_until

CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/streammonitors.streammonitor.dev"


def test_definition_may_come_go_and_come_back(
    redis_server: RedisServer, fleet: Fleet, tmp_path: Path
) -> None:
    if not can_run_apiserver():
        needed("no API server of its own: set KUBEBUILDER_ASSETS (etcd, kube-apiserver)")
    with (
        running_apiserver(tmp_path) as server,
        pretend_workers(fleet.scripts, fleet.name, "local-0") as (worker,),
        operator_process(
            server, tmp_path, redis_server.url, fleet=fleet.name, await_ready=False
        ) as operator,
    ):
        monitors = Monitors(server, server.namespace())
        wait_until(
            lambda: "StreamMonitor is not installed" in operator.log,
            "it says so",
            within_s=WITHIN_S,
        )
        assert "streammonitor crd | kubectl apply --server-side -f -" in operator.log

        server.install_crd(build_crd())
        monitors.create("sports")
        monitors.await_condition("sports", "Ready", "AllStreamsWatched")

        server.delete(CRD)
        wait_until(lambda: not worker.has, "nothing is watched", within_s=WITHIN_S)
        wait_until(lambda: not server.request("GET", CRD).accepted, "it is gone", within_s=WITHIN_S)
        server.install_crd(build_crd())
        monitors.create("news")
        monitors.await_condition("news", "Ready", "AllStreamsWatched")

    assert operator.process.returncode == 0, operator.log
