"""Where bytes come from.

The media library only ever sees these objects: it asks for bytes, they decide where from. A
reader never raises into the library, which would keep the exception for a later, unrelated
call: it ends, and `failure` says why.
"""

from __future__ import annotations

import io
from abc import ABC, abstractmethod


class Reader(ABC):
    """A stream of bytes, as the media library reads it."""

    failure: str = ""
    """Why it ended before its time; empty at an honest end."""

    @abstractmethod
    def read(self, size: int) -> bytes:
        """Up to `size` bytes, at least one unless it ended; waits for them."""

    def seekable(self) -> bool:
        return False

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        raise io.UnsupportedOperation(f"cannot seek to {offset} from {whence}")

    def tell(self) -> int:
        """Bytes read so far; the position, for one that can seek."""
        raise io.UnsupportedOperation("position is not known")

    @property
    def size(self) -> int | None:
        """Bytes in all; None where it has no end or does not say."""
        return None

    def continuity_errors(self, position: int | None) -> int:
        """Transport packets found missing before `position` and not yet told."""
        return 0

    @abstractmethod
    def close(self) -> None:
        """Let go of files and sockets. May be called more than once."""


class Unread(Reader):
    """A reader with bytes put back in front, for those who had to look at them first."""

    def __init__(self, head: bytes, rest: Reader) -> None:
        self._head = head
        self._rest = rest
        self._position = 0

    def read(self, size: int) -> bytes:
        if self._head:
            data, self._head = self._head[:size], self._head[size:]
        else:
            data = self._rest.read(size)
            self.failure = self._rest.failure
        self._position += len(data)
        return data

    def tell(self) -> int:
        return self._position

    @property
    def size(self) -> int | None:
        return self._rest.size

    def close(self) -> None:
        self._rest.close()


def peek(reader: Reader, size: int) -> tuple[bytes, Reader]:
    """Look at the first `size` bytes (fewer at an early end); read on from the one returned."""
    head = bytearray()
    while len(head) < size and (data := reader.read(size - len(head))):
        head += data
    if reader.seekable():
        reader.seek(0)
        return bytes(head), reader
    unread = Unread(bytes(head), reader)
    unread.failure = "" if head else reader.failure
    return bytes(head), unread
