"""`streammonitor operator` as a process, as its pod runs it, against a real API server."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError, URLError

from tests.support.apiserver import ApiServer
from tests.support.redis_server import free_port
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[2]
START_S = 60.0


class OperatorProcess:
    """An operator that runs, and what it logs and answers."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.process = process
        self.port = port
        self._log = log
        self._started = time.monotonic()

    @property
    def log(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")

    def ask(self, path: str) -> tuple[int, str]:
        """Status and body; 0 where nothing answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as reply:
                return reply.status, reply.read().decode()
        except HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except (URLError, OSError):
            return 0, ""

    def memory_mib(self) -> float:
        """Resident memory."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        raise AssertionError("the process has ended")

    def age_s(self) -> float:
        """Since its process was started."""
        return time.monotonic() - self._started

    def cpu_s(self) -> float:
        """User and system time of its process so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def is_ready(self) -> bool:
        assert self.process.poll() is None, self.log
        return self.ask("/readyz")[0] == 200


@contextmanager
def operator_process(
    account: ApiServer,
    folder: Path,
    redis_url: str,
    *options: str,
    fleet: str = "default",
    namespace: str = "default",
    key: str = "",
    await_ready: bool = True,
) -> Iterator[OperatorProcess]:
    """Run an operator as that account; it is ended by SIGTERM."""
    port = free_port()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("STREAMMON")},
        "KUBECONFIG": str(account.kubeconfig(folder / "kubeconfig", namespace)),
        "PYTHONPATH": os.pathsep.join(str(ROOT / one) for one in ("api", "operator", "cli")),
        "STREAMMONITOR_REDIS_URL": redis_url,
        **({"STREAMMONITOR_FLEET_KEY": key} if key else {}),
    }
    command = [
        *(sys.executable, "-m", "streammonitor_cli.main", "operator", "--fleet", fleet),
        *("--listen", f"127.0.0.1:{port}", *options),
    ]
    path = folder / "operator.log"
    with path.open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    operator = OperatorProcess(process, port, path)
    try:
        if await_ready:
            wait_until(operator.is_ready, "the operator is ready", within_s=START_S)
        yield operator
    except AssertionError as error:
        error.add_note(operator.log[-5000:])
        raise
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
