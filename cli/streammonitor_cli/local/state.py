"""The folder that keeps a local fleet: its Redis, its key, its workers' spools and logs.

A fleet that is started again on it continues where it was. `fleet.json` says where its Redis is, so
that `status` and `incidents` find it by the folder alone. The folder is its owner's only.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from streammonitor_api.errors import InputError
from streammonitor_api.names import FleetName, WorkerId, fleet_name

DEFAULT_STATE = Path(".streammonitor")
_LONGEST_SOCKET = 100
"""Bytes of the path of a socket: the kernel's limit is 107."""


@dataclass(frozen=True, slots=True)
class Description:
    """What others need to know of a fleet."""

    redis: str
    """URL without credentials."""
    fleet: FleetName
    pid: int
    folder: str
    """Of its StreamMonitor files."""


class StateFolder:
    """A state folder, by its path; nothing is made before `prepare`."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._lock: IO[str] | None = None

    @property
    def redis(self) -> Path:
        """Where Redis keeps its data."""
        return self.path / "redis"

    @property
    def socket(self) -> Path:
        """Where Redis listens: in the folder, or in a private one where that path is too long or
        would mean something else in a URL."""
        direct = self.path / "redis.sock"
        if len(os.fsencode(direct)) <= _LONGEST_SOCKET and not set("?#%") & set(str(direct)):
            return direct
        name = hashlib.blake2s(os.fsencode(self.path), digest_size=8).hexdigest()
        return Path(tempfile.gettempdir()) / f"streammonitor-{os.getuid()}-{name}" / "redis.sock"

    @property
    def key(self) -> Path:
        """The fleet key, which seals credentials."""
        return self.path / "fleet.key"

    def log(self, name: str) -> Path:
        return self.path / "logs" / f"{name}.log"

    def spool(self, worker: WorkerId) -> Path:
        return self.path / "spool" / worker

    def prepare(self) -> None:
        """Make the folder and take it for this process. Raises InputError."""
        from streammonitor_api.sealing import generate_key

        try:
            for folder in (self.path, self.redis, self.path / "logs", self.socket.parent):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self.socket.parent.stat().st_uid != os.getuid():
                raise InputError(f"{self.socket.parent}: belongs to somebody else; remove it")
            (self.path / ".gitignore").write_text("*\n", encoding="ascii")
            self._lock = (self.path / "lock").open("a+", encoding="ascii")
            self._take(self._lock)
            if not self.key.exists():
                self.key.touch(0o600)
                self.key.write_text(generate_key() + "\n", encoding="ascii")
        except OSError as error:
            raise InputError(
                f"--state {self.path}: cannot be written to, {error.strerror}; name another folder"
            ) from None

    def _take(self, lock: IO[str]) -> None:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise InputError(
                f"--state {self.path}: a fleet runs here already (process {lock.read().strip()}); "
                "stop it, or name another folder"
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()

    @property
    def is_taken(self) -> bool:
        """Whether a fleet runs on it now."""
        try:
            with (self.path / "lock").open("r", encoding="ascii") as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def describe(self, description: Description) -> None:
        """Tell others where the fleet is."""
        self._write("fleet.json", asdict(description))

    def write_monitors(self, conditions: Mapping[str, Any]) -> None:
        """Tell others what the operator says of each monitor."""
        self._write("monitors.json", conditions)

    def read_description(self) -> Description:
        """Read what `describe` wrote. Raises InputError where no fleet has been."""
        path = self.path / "fleet.json"
        try:
            written = json.loads(path.read_text(encoding="utf-8"))
            return Description(
                redis=str(written["redis"]),
                fleet=fleet_name(str(written["fleet"])),
                pid=int(written["pid"]),
                folder=str(written["folder"]),
            )
        except FileNotFoundError:
            raise InputError(
                f"--fleet {self.path}: no fleet has run here; start one with `streammonitor fleet "
                "DIR`, or name its state folder or Redis"
            ) from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path}: cannot be read, {error}; start the fleet again") from None

    def read_monitors(self) -> dict[str, Any]:
        """Read what `write_monitors` wrote; nothing where that is not there."""
        try:
            written = json.loads((self.path / "monitors.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return written if isinstance(written, dict) else {}

    def _write(self, name: str, content: object) -> None:
        """In one step: a reader sees the old or the new."""
        temporary = self.path / f".{name}.{os.getpid()}"
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        temporary.replace(self.path / name)
