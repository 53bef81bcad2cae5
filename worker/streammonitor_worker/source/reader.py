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

    container_format: str | None = None
    """What the bytes are, where that is known: `mpegts`."""
    failure: str = ""
    """Why it ended before its time; empty at an honest end."""
    hopeless: str = ""
    """The whole message, where no retry can help."""
    segment: int = 0
    """Changes where what comes next need not follow from what was read before."""
    begins_at_s: float | None = None
    """When the first sample is presented, where the bytes themselves do not say."""
    pids: frozenset[int] = frozenset()
    """Identifiers of the tracks that are watched, in a transport stream."""

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
    def progress(self) -> float | None:
        """Share of the bytes read, 0 to 1; None where there is no end, or it is not known."""
        return None

    def rest(self) -> Reader | None:
        """What has to be opened anew after this one ended: other tracks; None mostly."""
        return None

    def continuity_errors(self, pid: int, position: int | None) -> int:
        """Transport packets lost up to the picture that begins at `position`, not yet told."""
        return 0

    def whole_before(self, position: int | None) -> bool:
        """Whether no bytes are known, or have to be feared, to be missing shortly before the
        picture that begins at `position`."""
        return False

    @abstractmethod
    def close(self) -> None:
        """Let go of files and sockets. May be called more than once."""


class Nothing(Reader):
    """No bytes at all."""

    def read(self, size: int) -> bytes:
        return b""

    def close(self) -> None:
        """There is nothing to let go of."""


class Unread(Reader):
    """A reader with bytes put back in front, for those who had to look at them first."""

    def __init__(self, head: bytes, rest: Reader) -> None:
        self._head = head
        self._rest = rest.inner if isinstance(rest, Unread) and not rest.unread else rest
        self.segment = rest.segment
        self._position = 0

    @property
    def unread(self) -> bool:
        """Whether there still is something in front."""
        return bool(self._head)

    @property
    def inner(self) -> Reader:
        return self._rest

    def read(self, size: int) -> bytes:
        if self._head:
            data, self._head = self._head[:size], self._head[size:]
        else:
            data = self._rest.read(size)
            self.failure, self.hopeless = self._rest.failure, self._rest.hopeless
            self.segment = self._rest.segment
        self._position += len(data)
        return data

    def tell(self) -> int:
        return self._position

    @property
    def progress(self) -> float | None:
        return self._rest.progress

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
    if not head:
        unread.failure, unread.hopeless = reader.failure, reader.hopeless
    return bytes(head), unread
