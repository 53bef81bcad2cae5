"""Local files: regular ones only, because anything else can block for ever or never end."""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path

from streammonitor_api.errors import InputError
from streammonitor_worker.source.reader import Reader
from streammonitor_worker.source.url import redact
from streammonitor_worker.source.waiting import Waiting


class FileReader(Reader):
    """A regular file of this machine; ends early when the stream is stopped."""

    def __init__(self, path: Path, waiting: Waiting) -> None:
        self._waiting = waiting
        self._file = _open_regular(path)
        self._size = os.fstat(self._file.fileno()).st_size
        self._count = 0

    def read(self, size: int) -> bytes:
        if self._waiting.stopped:
            return b""
        try:
            data = self._file.read(size) or b""
        except OSError as error:
            self.failure = f"cannot be read ({error.strerror})"
            return b""
        self._count += len(data)
        return data

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    @property
    def progress(self) -> float | None:
        return min(1.0, self._count / self._size) if self._size else None

    def close(self) -> None:
        self._file.close()


def _open_regular(path: Path) -> io.FileIO:
    shown = redact(str(path))
    try:
        # Without O_NONBLOCK, opening a FIFO would wait for its writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(f"{shown}: cannot be opened ({reason}); check the path") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise InputError(f"{shown}: this is not a regular file; name a media file")
    return io.FileIO(descriptor, "rb")
