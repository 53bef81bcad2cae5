"""What a source does between containers: reach the other side, and say what comes next.

A stream is a sequence of parts, each a set of containers that are opened together: one for a
file, one a connection for a live stream, one a discontinuity for HLS.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from streammonitor_api.errors import SourceError
from streammonitor_worker.source.demux import Demuxer, Limits, open_container
from streammonitor_worker.source.reader import Reader


class Join(Enum):
    """How the media time of a part follows from what was before."""

    FOLLOWS = auto()
    """It begins where the part before ended, whatever its timestamps say."""
    RESUMES = auto()
    """By its timestamps where they are plausible, otherwise by the clock."""


@dataclass
class Part:
    """Bytes that are opened together."""

    readers: list[Reader]
    join: Join = Join.RESUMES

    def open(self, limits: Limits) -> list[Demuxer]:
        """Open all containers. Raises SourceError where that fails."""
        named: dict[str, int] = {}
        demuxers: list[Demuxer] = []
        try:
            for reader in self.readers:
                demuxers.append(open_container(reader, limits, named))
        except SourceError:
            for demuxer in demuxers:
                demuxer.close()
            raise
        return demuxers

    def rest(self) -> Part | None:
        """What is to be opened next after this part ended with other tracks than it began with."""
        rest = [reader.rest() for reader in self.readers]
        if not any(rest):
            return None
        readers = [new or old for new, old in zip(rest, self.readers, strict=True)]
        return Part(readers, Join.RESUMES)

    def close(self) -> None:
        for reader in self.readers:
            reader.close()


class Transport(Protocol):
    """A source that can be read, part by part."""

    @property
    def live(self) -> bool: ...

    @property
    def cadence_s(self) -> float:
        """Interval at which media arrives: 0 for a continuous stream."""

    @property
    def persistent(self) -> bool:
        """Whether it goes on by itself after a failure; otherwise it has to be made anew."""

    @property
    def duration_s(self) -> float | None:
        """Of all its media, where it knows that better than the containers."""

    def next_part(self) -> Part | None:
        """The next part, once the one before has ended; None at the end of the stream.

        Raises SourceError: the source went away; permanent where no retry can help.
        """

    @property
    def progress(self) -> float | None:
        """Share of the bytes read, 0 to 1; None where there is no end."""

    @property
    def renditions(self) -> tuple[str, ...]:
        """What to call the variants of the same programme that there are; empty mostly."""

    @property
    def position(self) -> int | None:
        """Which of them this is."""

    def close(self) -> None: ...


class OnePart:
    """A stream that consists of one part: a file, or a live connection."""

    renditions = ()
    position = None
    cadence_s = 0.0
    persistent = False
    duration_s = None

    def __init__(self, reader: Reader, *, live: bool = False) -> None:
        self.live = live
        self._part: Part | None = Part([reader])
        self._reader = reader

    def next_part(self) -> Part | None:
        part, self._part = self._part, None
        return part

    @property
    def progress(self) -> float | None:
        return None if self.live or self._reader.seekable() else self._reader.progress

    def close(self) -> None:
        self._reader.close()
