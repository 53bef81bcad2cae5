"""The bytes of one segment: fetched, gone on with where a connection broke, decrypted."""

from __future__ import annotations

import time
from dataclasses import dataclass

from streammonitor_api.errors import SourceError
from streammonitor_worker.source.hls.decryption import BLOCK, Decryption, vector_of
from streammonitor_worker.source.hls.playlist import SIGNATURE, Segment
from streammonitor_worker.source.hls.resources import Location, Resources, show
from streammonitor_worker.source.lost import LostError

MAX_SEGMENT = 64 << 20
"""Bytes of one segment: 10 s of 50 Mb/s."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a segment and its key are."""

    segment: Segment
    location: Location
    key: Location | None


class SegmentBody:
    """Reads one segment.

    Raises LostError where it cannot be had, or breaks off and cannot be gone on with.
    """

    def __init__(self, resources: Resources, place: Place, keys: Keys, where: str) -> None:
        self._resources = resources
        self._place = place
        self._where = where
        self._decryption = keys.decryption(place)
        self._received = 0
        self._resumed = False
        self.blocked_s = 0.0
        """Seconds spent waiting for the server."""
        began = time.monotonic()
        self._body = resources.open(place.location, place.segment.byte_range)
        self.blocked_s += time.monotonic() - began

    def read(self, size: int) -> bytes:
        """Some bytes; none at the end."""
        while True:
            data = self._receive(size)
            self._received += len(data)
            if self._received > MAX_SEGMENT:
                raise LostError(
                    show(self._place.location), f"the segment has more than {MAX_SEGMENT} bytes"
                )
            if self._decryption is None:
                return data
            if not data:
                decryption, self._decryption = self._decryption, None
                return decryption.finish()
            if plain := self._decryption.update(data):
                return plain

    def read_head(self, size: int) -> bytes:
        """The first bytes, `size` or a few more; fewer at an early end.

        Raises SourceError, permanent, where they are those of a playlist.
        """
        head = bytearray()
        while len(head) < size and (data := self.read(size)):
            head += data
        if head.startswith(SIGNATURE.encode()):
            raise SourceError(
                f"{self._where}: the playlist refers to a playlist, "
                f"{show(self._place.location)}, where a segment is expected; check the playlist",
                permanent=True,
            )
        return bytes(head)

    def close(self) -> None:
        self._body.close()

    def _receive(self, size: int) -> bytes:
        began = time.monotonic()
        try:
            return self._body.read(size)
        except LostError:
            if self._resumed or not self._received:
                raise
            self._resumed = True
            self._body = self._resources.open(
                self._place.location, self._place.segment.byte_range, skip=self._received
            )
            return self._body.read(size)
        finally:
            self.blocked_s += time.monotonic() - began


class Keys:
    """Fetches the keys of encrypted segments, each once."""

    KEPT = 16
    """Keys remembered; they are changed every few minutes, and used by segments in order."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._known: dict[Location, bytes] = {}

    def decryption(self, place: Place) -> Decryption | None:
        """What decrypts a segment; None for one in clear. Raises LostError without its key."""
        key = place.segment.key
        if key is None or place.key is None:
            return None
        value = self._known.get(place.key)
        if value is None:
            value = self._resources.read_all(place.key, None, 4 * BLOCK)
            if len(self._known) == self.KEPT:
                self._known.pop(next(iter(self._known)))
            self._known[place.key] = value
        return Decryption(value, vector_of(key, place.segment.sequence), show(place.key))
