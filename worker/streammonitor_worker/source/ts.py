"""MPEG transport streams: what is checked on their bytes before they are taken apart.

Read strictly forward, even from a file, so that the checks see each packet once and in order.
"""

from __future__ import annotations

import numpy as np

from streammonitor_worker.source.continuity import PACKET_SIZE, SYNC, ContinuityChecker, Loss
from streammonitor_worker.source.psi import Programmes
from streammonitor_worker.source.reader import Reader, Unread

SNIFF_SIZE = 8 * PACKET_SIZE
_SURE = 4
"""Sync bytes in a row that make a transport stream; chance would be 1 in 4 billion."""
_SHORTEST_PART = 16 << 10
"""Bytes before a change is followed: opening a demuxer costs as much as decoding them, and
nothing that can be watched is shorter."""

_MOST_LOSSES = 10_000
"""Kept until a packet comes that they belong to; more tell nothing new."""


def is_transport_stream(head: bytes) -> bool:
    """Whether these first bytes are a transport stream of 188-byte packets."""
    return _find_sync(head, 0) is not None


def _find_sync(data: bytes, begin: int) -> int | None:
    """Where packets begin, by sync bytes at their distance; None where too few are there."""
    at = data.find(SYNC, begin)
    while at >= 0 and at + (_SURE - 1) * PACKET_SIZE < len(data):
        if all(data[at + count * PACKET_SIZE] == SYNC for count in range(_SURE)):
            return at
        at = data.find(SYNC, at + 1)
    return None


class TsReader(Reader):
    """Passes a transport stream on, and notes lost packets and changes of programme.

    Ends where the programme changes; `rest` reads on from there.
    """

    container_format = "mpegts"

    def __init__(self, inner: Reader) -> None:
        self._inner = inner
        self._checker = ContinuityChecker()
        self._programmes = Programmes()
        self._losses: list[Loss] = []
        self._given = 0
        self._ready = b""
        self._partial = b""
        self._rest: bytes | None = None

    def read(self, size: int) -> bytes:
        while not self._ready:
            if self._rest is not None:
                return b""
            segment = self._inner.segment
            data = self._inner.read(size)
            if self._inner.segment != segment:
                self._checker.reset()
            if not data:
                self.failure, self.hopeless = self._inner.failure, self._inner.hopeless
                self._ready, self._partial = self._partial, b""
                break
            self._take(self._partial + data)
        data, self._ready = self._ready[:size], self._ready[size:]
        self._given += len(data)
        return data

    def rest(self) -> Reader | None:
        """What comes after the programme has changed; None where it has not."""
        if self._rest is None:
            return None
        return TsReader(Unread(self._rest, self._inner))

    def continuity_errors(self, pid: int, position: int | None) -> int:
        if position is None or not self._losses:
            return 0
        kept = [
            loss
            for loss in self._losses
            if loss.position > position or (loss.pid != pid and loss.pid in self.pids)
        ]
        told = len(self._losses) - len(kept)
        self._losses = kept
        return told

    def whole_before(self, position: int | None) -> bool:
        """Not between segments: one of them may have been left out."""
        if position is None or self._inner.segment:
            return False
        return all(loss.position > position for loss in self._losses)

    @property
    def progress(self) -> float | None:
        return self._inner.progress

    def close(self) -> None:
        self._inner.close()

    def _take(self, data: bytes) -> None:
        """Check all whole packets; those that are not packets pass unchecked."""
        begin = 0
        while len(data) - begin >= PACKET_SIZE:
            whole = (len(data) - begin) // PACKET_SIZE
            rows = np.frombuffer(data, np.uint8, whole * PACKET_SIZE, begin)
            rows = rows.reshape(whole, PACKET_SIZE)
            good = rows[:, 0] == SYNC
            count = whole if good.all() else int(np.argmin(good))
            change = self._programmes.first_change(rows[:count])
            if change is not None and self._given + begin < _SHORTEST_PART:
                change = None
            checked = rows[:count] if change is None else rows[:change]
            position = self._given + len(self._ready) + begin
            self._losses += self._checker.check(checked, position)
            del self._losses[:-_MOST_LOSSES]
            begin += len(checked) * PACKET_SIZE
            if change is not None:
                self._ready += data[:begin]
                self._rest = self._programmes.pat + data[begin:]
                return
            if count < whole:
                found = _find_sync(data, begin)
                if found is None:
                    break
                begin = found
        # Bytes without sync stay, as far as the next sync may need them; garbage passes.
        begin = max(begin, len(data) - _SURE * PACKET_SIZE)
        self._ready, self._partial = self._ready + data[:begin], data[begin:]
