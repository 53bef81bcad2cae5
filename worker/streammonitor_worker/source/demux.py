"""Takes containers apart: bytes of a reader in, compressed packets out.

The media library gets nothing but the bytes. Whatever a container names (other files, keys,
playlists) it asks for through `_Refusal`, which gives nothing; the allowlist of formats leaves
out those whose purpose is to name others; and the allowlist of protocols is empty.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import av
import av.error
from av.container.core import Flags

from streammonitor_api.errors import SourceError
from streammonitor_worker.source.limits import (
    FORMATS,
    PROBE_BYTES,
    PROBE_US,
    bound_media_library,
)
from streammonitor_worker.source.lost import LostError
from streammonitor_worker.source.reader import Nothing, Reader
from streammonitor_worker.source.tracks import Track, choose_tracks

_MPEGTS_WRAP_S = 2**33 / 90_000
"""Timestamps of MPEG transport streams have 33 bits (ISO/IEC 13818-1, 2.4.3.7)."""
_READ_SIZE = 65536
"""Bytes asked of a reader at a time: 0.1 s of a 5 Mb/s stream."""
_SHOWN_URL = 200
"""Characters of a refused address in a message."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What opening may cost. `where`: what to call the source in messages, without secrets."""

    where: str
    max_pixels: int
    timeout_s: float

    def options(self, formats: str, protocols: str) -> dict[str, str]:
        """For the media library, with the protocols that it may use itself."""
        return {
            "format_whitelist": formats,
            "protocol_whitelist": protocols,
            "probesize": str(PROBE_BYTES),
            "analyzeduration": str(PROBE_US),
            "max_pixels": str(self.max_pixels),
            "max_streams": "128",
            "threads": "1",
            "correct_ts_overflow": "0",  # timeline.py does, more than once
        }


class Demuxer:
    """An opened container, and the reader that its bytes come from.

    `named`: see `choose_tracks`. Closing it is up to the caller; a container without anything
    to watch, which raises SourceError, is closed here.
    """

    has_thread: ClassVar[bool] = False
    """Whether packets are read in another thread than the one that takes and decodes them."""

    def __init__(
        self,
        container: Any,
        reader: Reader,
        limits: Limits,
        named: dict[str, int],
        taken: _Taken | None = None,
    ) -> None:
        self.reader = reader
        self._taken = taken
        self.cpu_s = 0.0
        """Seconds of CPU spent here."""
        self.taken_at: float | None = None
        """The thread's CPU time when the last packet had been taken; None once it was used, and
        where it is that of another thread."""
        self.failure = ""
        """Why the packets ended before the bytes did."""
        self._container = container
        shift_s = reader.begins_at_s or 0.0
        try:
            self.tracks = choose_tracks(container, limits.where, limits.max_pixels, named, shift_s)
        except SourceError:
            container.close()
            raise
        reader.pids = frozenset(track.identifier for track in self.tracks)
        # Set by the binding: would hold packets back to guess the timestamps they lack.
        container.flags &= ~Flags.gen_pts.value
        duration = container.duration
        self.duration_s = duration / av.time_base if duration and duration > 0 else None
        """As the container says; None where it does not."""
        self.format = str(container.format.name)
        """Name of the container format, `mpegts`."""

    @property
    def ended(self) -> bool:
        """Whether the bytes have come to their end, so that a packet may be the rest of one."""
        return self._taken is not None and self._taken.ended

    @property
    def wrap_s(self) -> float | None:
        """Period after which its timestamps start again at 0."""
        return _MPEGTS_WRAP_S if self.format == "mpegts" else None

    @property
    def sparse(self) -> bool:
        """Whether it is a format of files, in which a track may pause without a word."""
        return self.format.startswith(("mov", "matroska", "avi", "nut", "asf"))

    def packets(self) -> Iterator[tuple[Track, Any]]:
        """Packets of the tracks, as they come, until the bytes end or make no more sense."""
        by_index = {track.index: track for track in self.tracks}
        source = self._container.demux([track.stream for track in self.tracks])
        while True:
            began = time.thread_time()
            try:
                packet = next(source, None)
            except av.error.FFmpegError as error:
                self.failure = f"cannot be read any further ({reason_of(error)})"
                packet = None
            except IndexError:
                packet = None  # the end: the binding trips over tracks that appeared meanwhile
            finally:
                now = time.thread_time()
                self.cpu_s += now - began
                self.taken_at = None if self.has_thread else now
            if packet is None:
                return
            if packet.size:
                yield by_index[packet.stream_index], packet

    def close(self) -> None:
        """Close the container, not the reader."""
        self._container.close()


def open_container(reader: Reader, limits: Limits, named: dict[str, int]) -> Demuxer:
    """Open the container that a reader gives the bytes of.

    Raises
    ------
    SourceError: permanent where the bytes are no media, otherwise the reader's own failure.
    """
    bound_media_library()
    began = time.thread_time()
    refusal, taken = _Refusal(), _Taken(reader)
    try:
        container = av.open(
            taken,
            "r",
            format=reader.container_format,
            options=limits.options(FORMATS, protocols=""),
            buffer_size=_READ_SIZE,
            timeout=(limits.timeout_s, None),
            io_open=refusal,
            metadata_errors="replace",
        )
    except av.error.ExitError as error:
        problem = f"no media was recognised within {limits.timeout_s:g} s"
        raise LostError(limits.where, problem) from error
    except (av.error.FFmpegError, ValueError) as error:
        raise _unreadable(reader, refusal, limits.where, error) from error
    if refusal.url:
        container.close()
        raise refusal.error(limits.where)
    demuxer = Demuxer(container, reader, limits, named, taken)
    demuxer.cpu_s = time.thread_time() - began
    return demuxer


class _Taken:
    """The bytes as the media library takes them; notes when there are no more."""

    def __init__(self, reader: Reader) -> None:
        self.read_on, self.seek, self.tell = reader.read, reader.seek, reader.tell
        self.seekable = reader.seekable
        self.ended = False

    def read(self, size: int) -> bytes:
        data = self.read_on(size)
        self.ended = not data
        return data


class _Refusal:
    """Gives nothing for what a container names, and remembers that it did.

    Raising would not do: the binding keeps an exception, and prints it when a second one comes.
    """

    def __init__(self) -> None:
        self.url = ""

    def __call__(self, url: str, flags: int, options: dict[str, str]) -> Reader:
        self.url = self.url or url[:_SHOWN_URL] or "?"
        return Nothing()

    def error(self, where: str) -> SourceError:
        return SourceError(
            f"{where}: it refers to {self.url!r}, which is not opened; "
            "use media that is complete in itself",
            permanent=True,
        )


def _unreadable(reader: Reader, refusal: _Refusal, where: str, error: Exception) -> SourceError:
    if refusal.url:
        return refusal.error(where)
    if reader.hopeless:
        return SourceError(reader.hopeless, permanent=True)
    if reader.failure:
        return LostError(where, reader.failure)
    return SourceError(
        f"{where}: this is no media that can be read ({reason_of(error)}); "
        "name a media file or stream",
        permanent=True,
    )


def reason_of(error: Exception) -> str:
    """The media library's own words, in lower case, without codes and addresses."""
    if isinstance(error, av.error.FFmpegError) and error.strerror:
        return str(error.strerror).lower()
    return type(error).__name__
