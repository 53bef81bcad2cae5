"""Files of a spool: records as `length, CRC-32, payload`, and the lock on their folder."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from streammonitor_api.errors import StreamMonitorError

_HEAD = struct.Struct("<II")


class SpoolBusyError(StreamMonitorError):
    """Another process uses that folder."""


@dataclass(slots=True)
class Segment:
    """A file of records. `size` is how much of it is whole."""

    number: int
    path: Path
    size: int = 0
    records: int = 0
    passed_at: float | None = None
    """When the last of its records was passed, on the spool's clock."""

    @classmethod
    def left_at(cls, path: Path) -> tuple[Segment, int]:
        """One that an earlier process wrote, and how many bytes at its end are torn."""
        segment = cls(int(path.stem), path)
        for record in read_records(path, 0, path.stat().st_size):
            segment.size += size_of(record)
            segment.records += 1
        torn = path.stat().st_size - segment.size
        if torn:
            os.truncate(path, segment.size)
        return segment, torn

    def read_from(self, offset: int) -> Iterator[bytes]:
        return read_records(self.path, offset, self.size)

    def write(self, file: int, record: bytes) -> None:
        """Add a record, whole or not at all. Raises OSError."""
        data = _HEAD.pack(len(record), zlib.crc32(record)) + record
        try:
            if os.write(file, data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            os.ftruncate(file, self.size)
            raise
        self.size += len(data)
        self.records += 1
        self.passed_at = None


def create_file(path: Path) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
    return os.open(path, flags, 0o600)


def size_of(record: bytes) -> int:
    """What a record takes on disk."""
    return _HEAD.size + len(record)


def read_records(path: Path, offset: int, size: int) -> Iterator[bytes]:
    """The records of a file from an offset, as far as they are whole."""
    with path.open("rb") as file:
        file.seek(offset)
        while offset + _HEAD.size <= size:
            head = file.read(_HEAD.size)
            if len(head) < _HEAD.size:
                return
            length, checksum = _HEAD.unpack(head)
            if offset + _HEAD.size + length > size:
                return
            record = file.read(length)
            if len(record) < length or zlib.crc32(record) != checksum:
                return
            yield record
            offset += _HEAD.size + length


def lock_folder(folder: Path) -> int:
    guard = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(guard)
        raise SpoolBusyError(
            f"{folder}: another process keeps its events there; give each worker its own folder"
        ) from None
    return guard
