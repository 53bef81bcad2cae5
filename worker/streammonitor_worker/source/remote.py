"""RTMP and RTSP: the only sources that the media library opens by address.

It may use just the protocols that these two consist of. Its reads cannot be interrupted, so they
happen in a thread of their own, which is left behind when the stream is stopped and ends by its
time limits.
"""

from __future__ import annotations

import contextlib
import queue
import ssl
import threading
from collections.abc import Iterator
from typing import Any

import av
import av.error

from streammonitor_api.errors import SourceError
from streammonitor_worker.source.demux import Demuxer, Limits, reason_of
from streammonitor_worker.source.dial import SILENCE_S
from streammonitor_worker.source.limits import REMOTE_FORMATS, bound_media_library
from streammonitor_worker.source.lost import LostError
from streammonitor_worker.source.reader import Nothing
from streammonitor_worker.source.tracks import Track
from streammonitor_worker.source.transport import Join, Part
from streammonitor_worker.source.url import Address
from streammonitor_worker.source.waiting import SLICE_S, Waiting

PROTOCOLS = {
    "rtmp": "rtmp,tcp",
    "rtmps": "rtmps,tls,tcp",
    "rtsp": "rtsp,rtp,udp,tcp",
    "rtsps": "rtsps,rtsp,rtp,srtp,udp,tls,tcp",
}
"""What each scheme needs beneath it, and nothing else."""
QUEUE_PACKETS = 1000
"""Packets between the two threads: 10 s of 60 pictures/s with sound. A full queue holds up the
sender, as TCP does."""


class RemoteDemuxer(Demuxer):
    """A container that a thread reads, by `pump`, while another takes its packets."""

    has_thread = True

    def __init__(
        self, container: Any, limits: Limits, waiting: Waiting, closing: threading.Event
    ) -> None:
        super().__init__(container, Nothing(), limits, {})
        self._waiting = waiting
        self._closing = closing
        self._queue: queue.Queue[tuple[Track, Any] | None] = queue.Queue(QUEUE_PACKETS)

    def pump(self) -> None:
        """Read until the end or until it is closed; then close the container."""
        for found in super().packets():
            if not self._put(found):
                break
        self._put(None)
        self._closing.wait()  # packets that are still in the queue
        super().close()

    def packets(self) -> Iterator[tuple[Track, Any]]:
        while not self._waiting.stopped:
            with self._waiting.counted():
                try:
                    found = self._queue.get(timeout=SLICE_S)
                except queue.Empty:
                    continue
            if found is None:
                return
            yield found

    def close(self) -> None:
        self._closing.set()

    def _put(self, found: tuple[Track, Any] | None) -> bool:
        """Queue it; whether anybody still takes."""
        while not self._closing.is_set():
            with contextlib.suppress(queue.Full):
                self._queue.put(found, timeout=SLICE_S)
                return True
        return False


class RemotePart(Part):
    """One connection, which is open already."""

    def __init__(self, demuxer: RemoteDemuxer) -> None:
        super().__init__([], Join.RESUMES)
        self.demuxer = demuxer

    def open(self, limits: Limits) -> list[Demuxer]:
        return [self.demuxer]

    def rest(self) -> Part | None:
        return None


class RemoteTransport:
    """A stream that the media library opens by its address."""

    renditions = ()
    position = None
    cadence_s = 0.0
    persistent = False
    progress = None

    def __init__(self, address: Address, limits: Limits, waiting: Waiting) -> None:
        self._address = address
        self._limits = limits
        self._waiting = waiting
        self._asked = False
        self.live = True
        self.duration_s: float | None = None

    def next_part(self) -> Part | None:
        if self._asked:
            return None
        self._asked = True
        answer: queue.SimpleQueue[RemoteDemuxer | SourceError] = queue.SimpleQueue()
        abandoned = threading.Event()
        name = f"read {self._limits.where}"
        threading.Thread(
            target=self._read, args=(answer, abandoned), name=name, daemon=True
        ).start()
        found: RemoteDemuxer | SourceError | None = None
        while found is None:
            if self._waiting.stopped or self._waiting.overdue:
                abandoned.set()
                raise LostError(self._limits.where, "it could not be opened in time")
            with contextlib.suppress(queue.Empty):
                found = answer.get(timeout=SLICE_S)
        if isinstance(found, SourceError):
            raise found
        self.duration_s = found.duration_s
        self.live = found.duration_s is None
        return RemotePart(found)

    def close(self) -> None:
        """The connection belongs to the part."""

    def _read(
        self,
        answer: queue.SimpleQueue[RemoteDemuxer | SourceError],
        abandoned: threading.Event,
    ) -> None:
        """What the thread does."""
        try:
            demuxer = RemoteDemuxer(self._open(), self._limits, self._waiting, abandoned)
        except SourceError as error:
            answer.put(error)
            return
        answer.put(demuxer)
        demuxer.pump()

    def _open(self) -> Any:
        bound_media_library()
        where, timeout_s = self._limits.where, self._limits.timeout_s
        microseconds = str(int(SILENCE_S * 1_000_000))
        options = {
            **self._limits.options(REMOTE_FORMATS, PROTOCOLS[self._address.scheme]),
            "rtsp_flags": "prefer_tcp",
            # Each knows its own name only; to RTMP "timeout" means to wait for a caller.
            "timeout" if self._address.scheme.startswith("rtsp") else "rw_timeout": microseconds,
            "tls_verify": "1",
            "ca_file": ssl.get_default_verify_paths().cafile or "",
        }
        try:
            return av.open(
                self._address.url,
                "r",
                options=options,
                timeout=(timeout_s, SILENCE_S),
                metadata_errors="replace",
            )
        except (av.error.FFmpegError, ValueError) as error:
            raise LostError(where, f"cannot be opened ({reason_of(error)})") from error
