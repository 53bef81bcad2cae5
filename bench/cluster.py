"""What do 10,000 StreamMonitors in a real API server cost the operator? Or `--monitors 1000`?

    KUBEBUILDER_ASSETS=… PYTHONPATH=.:api:operator:worker python bench/cluster.py

One stream each, with pretended workers and a real Redis. Printed: seconds from the start of the
operator's process, which lists and follows all of them, until each stream is with a worker; until
each status is written; PATCH requests, as the API server counts them; memory; CPU. Then the
operator is started again: nothing is to be written.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from streammonitor_api.names import FleetName
from streammonitor_api.resource.crd import build_crd
from tests.support.apiserver import ApiServer, can_run_apiserver, running_apiserver
from tests.support.monitors import Monitors
from tests.support.operator_process import OperatorProcess, operator_process
from tests.support.pretend_worker import PretendWorker, pretend_workers
from tests.support.redis_server import any_binary, running
from tests.support.waiting import wait_until

WORKERS = 4
LIMITED = 1_000
"""Monitors for which there are limits."""
REST_S = 20.0
"""How long the second operator is looked at."""
_PATCHES = re.compile(
    r'^apiserver_request_total\{.*resource="streammonitors".*verb="PATCH".*\} (\d+)$', re.MULTILINE
)


def main() -> None:
    """Measure and print, one JSON object."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--monitors", type=int, default=10_000)
    count = parser.parse_args().monitors
    if not can_run_apiserver():
        print("cluster: not measured, set KUBEBUILDER_ASSETS (etcd, kube-apiserver)")
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with running_apiserver(folder) as server, running(any_binary(), folder) as redis:
            server.install_crd(build_crd())
            monitors = Monitors(server, server.namespace())
            create_all(monitors, count)
            with pretend_workers(
                redis.scripts(), FleetName("default"), *(f"w-{i}" for i in range(WORKERS))
            ) as workers:
                with operator_process(server, folder, redis.url, await_ready=False) as operator:
                    first = measure_start(server, operator, workers, count)
                with operator_process(server, folder, redis.url, await_ready=False) as operator:
                    again = measure_restart(server, operator)
    print(json.dumps({"monitors": count, "start": first, "restart": again}, indent=2))
    if count == LIMITED:
        for what, value, limit in (
            ("all statuses written, s", first["written_s"], 60),
            ("memory of the operator, MB", again["memory_mib"] * 1.048576, 150),
            ("CPU of the operator at rest, cores", again["cores_at_rest"], 0.05),
        ):
            print(f"{what:<50} {value:8.3f}   <= {limit}")


def create_all(monitors: Monitors, count: int) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: monitors.create(f"m{number}"), range(count)))


def measure_start(
    server: ApiServer, operator: OperatorProcess, workers: list[PretendWorker], count: int
) -> dict[str, float]:
    """An operator that has never seen them."""

    def is_assigned() -> bool:
        return sum(len(worker.has) for worker in workers) >= count

    wait_until(is_assigned, "all are assigned", within_s=300, every_s=0.2)
    assigned_s = operator.age_s()
    wait_until(
        lambda: patches(server) >= count, "all statuses are written", within_s=900, every_s=1.0
    )
    written_s = operator.age_s()
    return {
        "assigned_s": round(assigned_s, 1),
        "written_s": round(written_s, 1),
        "patches": patches(server),
        "memory_mib": round(operator.memory_mib(), 1),
        "cpu_s": round(operator.cpu_s(), 1),
    }


def measure_restart(server: ApiServer, operator: OperatorProcess) -> dict[str, float]:
    """Another one, which finds everything as it should be."""
    before = patches(server)
    wait_until(operator.is_ready, "the operator is ready", within_s=300, every_s=0.2)
    ready_s, busy_s = operator.age_s(), operator.cpu_s()
    time.sleep(REST_S)
    return {
        "cores_at_rest": round((operator.cpu_s() - busy_s) / REST_S, 3),
        "ready_s": round(ready_s, 1),
        "patches": patches(server) - before,
        "memory_mib": round(operator.memory_mib(), 1),
        "cpu_s": round(operator.cpu_s(), 1),
    }


def patches(server: ApiServer) -> int:
    """How many PATCH requests for StreamMonitors the API server has answered."""
    return sum(
        int(number) for number in _PATCHES.findall(server.request("GET", "/metrics").message)
    )


if __name__ == "__main__":
    main()
