"""Settings of the operator's core: name, unit, default, and why it is that."""

from __future__ import annotations

from dataclasses import dataclass

from streammonitor_api.errors import InputError
from streammonitor_operator.demand import CAPACITY_CORES, HEAD_ROOM


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorSettings:
    """What can be set. Raises InputError for what cannot be."""

    identity: str
    """Names the fleet's home: cluster and namespace, or the state folder. Another identity in the
    same Redis is another fleet, which is refused."""
    name: str
    """Names this process: the pod, or host and pid. For messages."""
    head_room: float = HEAD_ROOM
    """Workers wanted for each that the demand fills: 1 to 10."""
    worker_capacity_cores: float = CAPACITY_CORES
    """Cores of a worker, until one has been seen. Above 0."""
    host: str = "0.0.0.0"  # noqa: S104  probes and scrapes come from outside of the pod
    """Where /demand, /metrics, /healthz and /readyz are served."""
    port: int = 8080
    """0 takes a free one."""

    def __post_init__(self) -> None:
        if not 1 <= self.head_room <= 10:
            raise InputError(
                f"head-room: {self.head_room} is out of range; write a factor of 1 to 10, such as "
                f"{HEAD_ROOM}"
            )
        if not 0 < self.worker_capacity_cores < 10_000:
            raise InputError(
                f"worker capacity: {self.worker_capacity_cores} is out of range; write a number of "
                "cores above 0, such as 2"
            )
        if not 0 <= self.port < 65_536:
            raise InputError(f"port: {self.port} is out of range; write 0 to 65535")
