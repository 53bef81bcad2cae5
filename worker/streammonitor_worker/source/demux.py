"""Takes containers apart: bytes of a reader in, compressed packets out.

The media library gets nothing but the bytes. Whatever a container names (other files, keys,
playlists) it asks for through `_refuse`, which refuses; the allowlist of formats leaves out those
whose purpose is to name others; and the allowlist of protocols is empty.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

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
from streammonitor_worker.source.reader import Reader
from streammonitor_worker.source.tracks import Track, choose_tracks

_MPEGTS_WRAP = 2**33
"""Timestamps of MPEG transport streams have 33 bits (ISO/IEC 13818-1, 2.4.3.7)."""
_READ_SIZE = 65536
"""Bytes asked of a reader at a time: 0.1 s of a 5 Mb/s stream."""
_SHOWN_URL = 200
"""Characters of a refused address in a message."""


class Demuxer:
    """An opened container.

    Parameters
    ----------
    where: what to call it in messages, without secrets.
    named: see `choose_tracks`.

    Raises
    ------
    SourceError: permanent where the bytes are no media, otherwise the reader's own failure.
    """

    def __init__(
        self,
        reader: Reader,
        where: str,
        *,
        max_pixels: int,
        timeout_s: float,
        named: dict[str, int] | None = None,
    ) -> None:
        bound_media_library()
        began = time.thread_time()
        self.reader = reader
        self.cpu_s = 0.0
        self.failure = ""
        """Why the packets ended before the bytes did."""
        self._where = where
        self._refused = ""
        self._container = self._open(reader, max_pixels, timeout_s)
        try:
            self._check_complete()
            self.tracks = choose_tracks(
                self._container,
                where,
                max_pixels=max_pixels,
                named={} if named is None else named,
                shift_s=reader.begins_at_s or 0.0,
            )
        except SourceError:
            self._container.close()
            raise
        reader.pids = frozenset(track.stream.id for track in self.tracks)
        # Set by the binding: would hold packets back to guess the timestamps they lack.
        self._container.flags &= ~Flags.gen_pts.value
        self.cpu_s = time.thread_time() - began

    @property
    def duration_s(self) -> float | None:
        """As the container says; None where it does not."""
        duration = self._container.duration
        return duration / av.time_base if duration and duration > 0 else None

    @property
    def format(self) -> str:
        """Name of the container format, `mpegts`."""
        return str(self._container.format.name)

    @property
    def wrap_s(self) -> float | None:
        """Period after which its timestamps start again at 0."""
        return _MPEGTS_WRAP / 90_000 if self.format == "mpegts" else None

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
            except (av.error.FFmpegError, IndexError) as error:
                # IndexError: the binding trips over tracks that appeared after opening.
                if not isinstance(error, IndexError):
                    self.failure = f"cannot be read any further ({reason_of(error)})"
                packet = None
            finally:
                self.cpu_s += time.thread_time() - began
            if packet is None:
                return
            if packet.size:
                yield by_index[packet.stream_index], packet

    def close(self) -> None:
        """Close the container, not the reader."""
        self._container.close()

    def _open(self, reader: Reader, max_pixels: int, timeout_s: float) -> Any:
        options = {
            "format_whitelist": FORMATS,
            "protocol_whitelist": "",
            "probesize": str(PROBE_BYTES),
            "analyzeduration": str(PROBE_US),
            "max_pixels": str(max_pixels),
            "max_streams": "128",
            "threads": "1",
            "correct_ts_overflow": "0",  # timeline.py does, more than once
        }
        try:
            return av.open(
                reader,
                "r",
                format=reader.container_format,
                options=options,
                buffer_size=_READ_SIZE,
                timeout=(timeout_s, None),
                io_open=self._refuse,
                metadata_errors="replace",
            )
        except av.error.ExitError as error:
            raise LostError(
                self._where, f"no media was recognised within {timeout_s:g} s"
            ) from error
        except (av.error.FFmpegError, ValueError) as error:
            raise self._not_media(error) from error

    def _check_complete(self) -> None:
        if self._refused:
            raise SourceError(
                f"{self._where}: it refers to {self._refused!r}, which is not opened; "
                "use media that is complete in itself",
                permanent=True,
            )

    def _not_media(self, error: Exception) -> SourceError:
        if self.reader.hopeless:
            return SourceError(self.reader.hopeless, permanent=True)
        if self.reader.failure:
            return LostError(self._where, self.reader.failure)
        return SourceError(
            f"{self._where}: this is no media that can be read ({reason_of(error)}); "
            "name a media file or stream",
            permanent=True,
        )

    def _refuse(self, url: str, flags: int, options: dict[str, str]) -> Reader:
        """Give nothing for what a container names.

        An exception would be kept by the binding, and printed when a second one comes.
        """
        self._refused = self._refused or url[:_SHOWN_URL]
        return _Nothing()


class _Nothing(Reader):
    def read(self, size: int) -> bytes:
        return b""

    def close(self) -> None:
        """Nothing is open."""


def reason_of(error: Exception) -> str:
    """The media library's own words, in lower case, without codes and addresses."""
    if isinstance(error, av.error.FFmpegError) and error.strerror:
        return str(error.strerror).lower()
    return type(error).__name__
