"""A queue of records on disk: what has to be sent, and what was sent lately, in its order.

Segment files hold records as `length, CRC-32, payload`. A record is handed to the kernel whole
before `append` returns, so that it survives the process, SIGKILL included; it is forced to the disk
at least once a second by `sync`, so that a power cut takes the last second at most. What a torn
write leaves at the end of a segment is cut off when the folder is opened again.

Passed records stay for a while: a Redis that lost its data is told again. The queue is bounded;
when it is full the oldest segment goes, sent or not: the newest events tell the present state.
A disk that takes nothing is replaced by memory, bounded as well, until it does again.
One process at a time uses a folder; the lock goes with the process, however it ends.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from streammonitor_worker.segments import (
    Segment,
    create_file,
    lock_folder,
    size_of,
)

logger = logging.getLogger(__name__)

LIMIT_BYTES = 64 << 20
"""About 60,000 events: a fleet's worker that has one a second fills it in 17 hours."""
SEGMENT_BYTES = 1 << 20
KEEP_S = 900.0
"""For how long passed segments are kept: longer than a Redis needs to come back from a backup."""
SYNC_S = 1.0
MEMORY_RECORDS = 10_000
"""While the disk takes nothing: about 10 MB."""
RETRY_DISK_S = 5.0


@dataclass(frozen=True, slots=True)
class SpoolStatus:
    """How a spool is doing, for metrics. Counters only grow."""

    waiting: int
    bytes: int
    in_memory: int
    dropped: int
    """Records that were never sent: the spool was full."""
    damaged: int
    """Bytes that were found torn or altered."""


class Spool:
    """See the module. Safe to share between threads; nothing but opening raises."""

    def __init__(
        self,
        folder: Path | None,
        *,
        limit_bytes: int = LIMIT_BYTES,
        segment_bytes: int = SEGMENT_BYTES,
        keep_s: float = KEEP_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Open a folder, made if need be; None keeps everything in memory.

        Raises SpoolBusyError, and OSError for a folder that cannot be used at all.
        """
        self.folder = folder
        self._limit = limit_bytes
        self._segment_bytes = min(segment_bytes, limit_bytes // 4)
        self._keep_s = keep_s
        self._clock = clock
        self._lock = threading.RLock()
        self._memory: deque[bytes] = deque()
        self._file: int | None = None
        self._retry_at = 0.0
        self._synced_at = clock()
        self._unsynced = False
        self._in_doubt = False
        """Whether the disk refused what was to be forced to it, and that has been told."""
        self._waiting = 0
        self._dropped = 0
        self._damaged = 0
        self._segments: list[Segment] = []
        self._at, self._offset = 0, 0
        self._guard: int | None = None
        if folder is not None:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._guard = lock_folder(folder)
            self._segments = [self._left(path) for path in sorted(folder.glob("[0-9]*.segment"))]
            self._at, self._offset = self._read_cursor(folder)
            self._skip_passed()
            self._waiting = sum(1 for _ in self._from(self._at, self._offset))

    # Writing

    def append(self, record: bytes) -> None:
        """Add a record at the end."""
        with self._lock:
            self._waiting += 1
            if self._memory and self._clock() >= self._retry_at:
                self._move_to_disk()
            if not self._memory and self._clock() >= self._retry_at and self._write(record):
                return
            self._memory.append(record)
            if len(self._memory) > MEMORY_RECORDS:
                self._memory.popleft()
                self._drop(1, "neither the disk nor memory has room")

    def sync(self) -> None:
        """Force what is written to the disk, and remove what has been kept for long enough.

        Call it once a second or more often; it does nothing more than once a second.
        """
        with self._lock:
            now = self._clock()
            if now - self._synced_at < SYNC_S:
                return
            self._synced_at = now
            if self._memory and now >= self._retry_at:
                self._move_to_disk()
            self._settle()
            for segment in self._segments[:-1]:
                if segment.passed_at is not None and now - segment.passed_at >= self._keep_s:
                    self._remove(segment)

    def close(self) -> None:
        """Force everything to the disk and let another process have the folder."""
        with self._lock:
            self._move_to_disk()
            self._settle()
            if self._file is not None:
                os.close(self._file)
                self._file = None
            if self._guard is not None:
                os.close(self._guard)
                self._guard = None

    def delete(self) -> None:
        """Close, and remove the folder with all that is in it."""
        with self._lock:
            self.close()
            if self.folder is None:
                return
            for path in self.folder.iterdir():
                path.unlink(missing_ok=True)
            self.folder.rmdir()

    # Reading

    def peek(self) -> bytes | None:
        """The oldest record that has not been passed; None where there is none."""
        with self._lock:
            while self._is_on_disk:
                segment = self._segments[self._at]
                record = next(segment.read_from(self._offset), None)
                if record is not None:
                    return record
                self._leave_out_rest(segment)
            return self._memory[0] if self._memory else None

    def pending(self) -> Iterator[bytes]:
        """All records that have not been passed, the oldest first, as they are now."""
        with self._lock:
            yield from list(self._from(self._at, self._offset))

    def advance(self) -> None:
        """Pass the record that `peek` returned."""
        with self._lock:
            record = self.peek()
            if record is None:
                return
            self._waiting -= 1
            if not self._is_on_disk:
                self._memory.popleft()
                return
            self._offset += size_of(record)
            self._skip_passed()

    def rewind(self) -> int:
        """Begin again with the oldest record that is kept; returns how many wait now."""
        with self._lock:
            self._at, self._offset = 0, 0
            for segment in self._segments:
                segment.passed_at = None
            self._waiting = sum(segment.records for segment in self._segments) + len(self._memory)
            return self._waiting

    @property
    def status(self) -> SpoolStatus:
        with self._lock:
            size = sum(segment.size for segment in self._segments)
            memory = len(self._memory)
            return SpoolStatus(self._waiting, size, memory, self._dropped, self._damaged)

    # Segments

    @property
    def _is_on_disk(self) -> bool:
        """Whether the next record is; otherwise it is in memory, if there is one."""
        return self._at < len(self._segments) and self._offset < self._segments[self._at].size

    def _leave_out_rest(self, segment: Segment) -> None:
        """Go on behind what the disk has altered since it was written."""
        self._damaged += segment.size - self._offset
        logger.error("%s: damaged at byte %d; the rest is left out", segment.path, self._offset)
        segment.size = self._offset
        self._skip_passed()
        self._waiting = sum(1 for _ in self._from(self._at, self._offset))

    def _from(self, at: int, offset: int) -> Iterator[bytes]:
        for segment in self._segments[at:]:
            yield from segment.read_from(offset)
            offset = 0
        yield from self._memory

    def _skip_passed(self) -> None:
        """Go to the next segment when this one is passed and nothing more is written to it."""
        while self._at < len(self._segments):
            segment = self._segments[self._at]
            if self._offset < segment.size:
                return
            last = self._at == len(self._segments) - 1
            segment.passed_at = self._clock()
            if last and self._file is not None:
                return
            self._at, self._offset = self._at + 1, 0

    def _write(self, record: bytes) -> bool:
        """Write to the disk; False where it takes nothing."""
        if self.folder is None:
            return False
        try:
            self._make_room(size_of(record))
            file, segment = self._writable(self.folder, size_of(record))
            segment.write(file, record)
        except OSError as error:
            self._retry_at = self._clock() + RETRY_DISK_S
            logger.error(
                "%s: events cannot be kept on disk, %s; make room. Keeping %d in memory meanwhile",
                self.folder,
                error.strerror,
                MEMORY_RECORDS,
            )
            return False
        self._unsynced = True
        return True

    def _writable(self, folder: Path, size: int) -> tuple[int, Segment]:
        """Where to write: a new segment if the last is full or of an earlier process."""
        if self._file is not None:
            segment = self._segments[-1]
            if segment.size + size <= self._segment_bytes or segment.size == 0:
                return self._file, segment
            self._force()
            os.close(self._file)
            self._file = None
            self._skip_passed()
        number = self._segments[-1].number + 1 if self._segments else 1
        path = folder / f"{number:08d}.segment"
        self._file = create_file(path)
        self._segments.append(Segment(number, path))
        return self._file, self._segments[-1]

    def _make_room(self, size: int) -> None:
        while (
            len(self._segments) > 1
            and sum(segment.size for segment in self._segments) + size > self._limit
        ):
            oldest = self._segments[0]
            if self._at == 0:
                unsent = sum(1 for _ in oldest.read_from(self._offset))
                if unsent:
                    self._drop(unsent, f"the spool has its {self._limit >> 20} MiB")
                self._offset = 0
            self._remove(oldest)

    def _remove(self, segment: Segment) -> None:
        position = self._segments.index(segment)
        del self._segments[position]
        if position < self._at:
            self._at -= 1
        segment.path.unlink(missing_ok=True)

    def _move_to_disk(self) -> None:
        while self._memory and self._write(self._memory[0]):
            self._memory.popleft()

    def _settle(self) -> None:
        """Force to the disk what was written, and how far it was read; told once if that fails."""
        try:
            self._force()
            self._write_cursor()
        except OSError as error:
            if not self._in_doubt:
                logger.error(
                    "%s: the disk does not keep what it was given, %s; mend it. After a crash "
                    "events may be missing, or be sent again",
                    self.folder,
                    error.strerror,
                )
            self._in_doubt = True
        else:
            self._in_doubt = False

    def _force(self) -> None:
        if self._unsynced and self._file is not None:
            os.fdatasync(self._file)
            self._unsynced = False

    def _drop(self, count: int, why: str) -> None:
        self._waiting -= count
        self._dropped += count
        logger.error(
            "%s: the oldest %d events were dropped unsent, %s; %d so far. See why Redis is away",
            self.folder,
            count,
            why,
            self._dropped,
        )

    # What an earlier process left

    def _left(self, path: Path) -> Segment:
        segment, torn = Segment.left_at(path)
        if torn:
            self._damaged += torn
            logger.warning(
                "%s: %d bytes at its end are torn and left out; the process that wrote them "
                "was killed, or the disk is damaged",
                path,
                torn,
            )
        return segment

    def _read_cursor(self, folder: Path) -> tuple[int, int]:
        try:
            number, offset = (folder / "cursor").read_text().split()
            for at, segment in enumerate(self._segments):
                if segment.number == int(number) and int(offset) <= segment.size:
                    return at, int(offset)
                if segment.number > int(number):
                    return at, 0
        except (OSError, ValueError):
            return 0, 0
        return 0, 0

    def _write_cursor(self) -> None:
        if self.folder is None:
            return
        if self._at < len(self._segments):
            place = f"{self._segments[self._at].number} {self._offset}"
        else:
            place = f"{self._segments[-1].number + 1 if self._segments else 1} 0"
        new = self.folder / "cursor.new"
        new.write_text(place)
        new.replace(self.folder / "cursor")
