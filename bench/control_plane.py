"""What the operator's loop costs: many monitors at once, a steady state, in CPU and memory.

    PYTHONPATH=.:api:operator:worker python bench/control_plane.py

Runs a real redis-server on this machine and toy workers that keep the contract, on a clock that
jumps. Times are of the operator's own cycles, its waiting for Redis included.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from streammonitor_api.plan import resolve_plan
from streammonitor_operator.inventory import Monitor
from tests.support.fleet_rig import FleetRig, a_monitor
from tests.support.redis_server import any_binary, running


def memory_mb() -> float:
    text = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(one for one in text.splitlines() if one.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


def monitors(count: int, streams: int) -> list[Monitor]:
    """Each with a plan of its own, as whoever reads resources makes them."""
    return [with_plan(a_monitor(f"monitor-{number}", streams)) for number in range(count)]


def with_plan(monitor: Monitor) -> Monitor:
    plan = tuple(resolve_plan().values())
    return replace(monitor, specs=tuple(replace(one, detectors=plan) for one in monitor.specs))


def report(what: str, value: float, unit: str, bound: float) -> None:
    verdict = "" if value <= bound else "  MISSED"
    print(f"  {what:44} {value:9.3f} {unit:6} (≤ {bound:g}){verdict}")


def at_once(rig: FleetRig, count: int, streams: int, workers: int) -> None:
    """Many monitors, applied in one go to a fleet that waits for them."""
    rig.start(*(f"worker-{number}" for number in range(workers)), capacity_cores=64.0)
    rig.inventory.complete()
    rig.run(4)
    before_mb = memory_mb()
    began = time.perf_counter()
    rig.apply(*monitors(count, streams))
    rig.step()
    took_s = time.perf_counter() - began
    assigned = sum(owner is not None for owner in rig.owners().values())
    print(f"{count} monitors of {streams} streams, {workers} workers: {assigned} streams assigned")
    report("applied to assigned", took_s, "s", 60)
    rig.until(rig.all_watched, 60)
    rig.run(20)
    report("memory of the process, with the toy workers", memory_mb(), "MB", 300)
    print(f"  before the monitors: {before_mb:.0f} MB")
    updates = len(rig.updates)
    rig.run(60)
    report("statuses written in a minute of steady state", len(rig.updates) - updates, "", 0)


def steady(rig: FleetRig, streams: int, workers: int) -> None:
    """A fleet at rest: what a second of it costs the operator."""
    rig.start(*(f"worker-{number}" for number in range(workers)), capacity_cores=16.0)
    rig.apply(*monitors(streams // 10, 10))
    rig.until(rig.all_watched, 60)
    rig.run(90)
    rig.step_cpu_s = rig.step_s = 0.0
    began, steps = rig.now, rig.steps
    rig.run(60)
    lasted_s = rig.now - began
    print(f"{streams} streams on {workers} workers at rest, {rig.steps - steps} cycles a minute")
    report("CPU of the operator", rig.step_cpu_s / lasted_s, "cores", 0.05)
    report("time in cycles, waiting included", rig.step_s / lasted_s, "s/s", 0.1)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--monitors", type=int, default=10_000)
    parser.add_argument("--streams", type=int, default=1)
    parser.add_argument("--workers", type=int, default=20)
    asked = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        running(any_binary(), Path(folder)) as server,
    ):
        steady(FleetRig(server), 1_000, asked.workers)
        at_once(FleetRig(server), asked.monitors, asked.streams, asked.workers)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    report("peak memory of the process", peak_mb, "MB", 300)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
