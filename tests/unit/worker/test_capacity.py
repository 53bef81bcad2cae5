"""How many cores: files as kernels write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from streammonitor_worker.capacity import SMALLEST_CORES, available_cores


def machine(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    return root


V2 = {"proc/self/cgroup": "0::/pods/one/container"}
V1 = {"proc/self/cgroup": "12:pids:/docker/a\n3:cpu,cpuacct:/docker/a"}


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({}, 8.0),
        (V2 | {"sys/fs/cgroup/pods/one/container/cpu.max": "250000 100000"}, 2.5),
        (V2 | {"sys/fs/cgroup/pods/one/container/cpu.max": "max 100000"}, 8.0),
        (V2 | {"sys/fs/cgroup/pods/cpu.max": "300000 100000"}, 3.0),
        ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "50000 100000"}, 0.5),
        ({"proc/self/cgroup": "0::/../../host", "sys/fs/cgroup/cpu.max": "50000 100000"}, 0.5),
        (
            V1
            | {
                "sys/fs/cgroup/cpu,cpuacct/docker/a/cpu.cfs_quota_us": "150000",
                "sys/fs/cgroup/cpu,cpuacct/docker/a/cpu.cfs_period_us": "100000",
            },
            1.5,
        ),
        (
            V1
            | {
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "400000",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
            },
            4.0,
        ),
        (
            V1
            | {
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
            },
            8.0,
        ),
        ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "1000 100000"}, SMALLEST_CORES),
    ],
    ids=["none", "v2", "v2-max", "v2-around", "v2-root", "v2-foreign", "v1", "v1-root", "v1-no",
         "tiny"],
)  # fmt: skip
def test_least_of_all_limits_counts(files: dict[str, str], cores: float, tmp_path: Path) -> None:
    assert available_cores(machine(tmp_path, files), affinity=8) == cores


def test_affinity_limits(tmp_path: Path) -> None:
    files = V2 | {"sys/fs/cgroup/pods/one/container/cpu.max": "250000 100000"}

    assert available_cores(machine(tmp_path, files), affinity=2) == 2.0
