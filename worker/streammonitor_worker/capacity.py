"""How many CPU cores this process may use: what cgroups (v1 and v2) and CPU affinity leave of the
machine's. A container's limit is not what `os.cpu_count` says.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

SMALLEST_CORES = 0.1
"""A limit below is taken for this: nothing can be decoded with less."""


def available_cores(root: Path = Path("/"), affinity: int | None = None) -> float:
    """CPU cores, > 0; a fraction where a quota says so.

    `root` is where /proc and /sys are; `affinity` how many CPUs may be used (asked, if None).
    """
    cores = float(len(os.sched_getaffinity(0)) if affinity is None else affinity)
    return max(SMALLEST_CORES, min([cores, *_quotas(root)]))


def _quotas(root: Path) -> Iterator[float]:
    """The quota of every cgroup that this process is in, and of those around it."""
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        mount = "sys/fs/cgroup" if not controllers else _mount_v1(root, controllers)
        if mount is None:
            continue
        for folder in _upwards(root / mount, path):
            quota = _quota_v1(folder) if controllers else _quota_v2(folder)
            if quota is not None:
                yield quota


def _mount_v1(root: Path, controllers: str) -> str | None:
    if "cpu" not in controllers.split(","):
        return None
    for name in (controllers, "cpu"):
        if (root / "sys/fs/cgroup" / name).is_dir():
            return f"sys/fs/cgroup/{name}"
    return None


def _upwards(mount: Path, path: str) -> Iterator[Path]:
    """The group and all around it; in a container only the mount itself may be there."""
    group = mount / path.lstrip("/")
    yield group
    for parent in group.parents:
        if not parent.is_relative_to(mount):
            return
        yield parent


def _quota_v2(folder: Path) -> float | None:
    quota, _, period = _read(folder / "cpu.max").partition(" ")
    return _ratio(quota, period)


def _quota_v1(folder: Path) -> float | None:
    return _ratio(_read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us"))


def _ratio(quota: str, period: str) -> float | None:
    try:
        cores = float(quota) / float(period)
    except (ValueError, ZeroDivisionError):  # "max", or nothing there
        return None
    return cores if cores > 0 else None


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
