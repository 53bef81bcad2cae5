"""What a source does between containers: reach the other side, and say what comes next.

A stream is a sequence of parts, each a set of containers that are opened together: one for a
file, one a connection for a live stream, one a discontinuity for HLS.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Protocol

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
    container_format: str | None = None
    """Where it is known."""


class Transport(Protocol):
    """A source that can be read, part by part."""

    live: bool
    cadence_s: float

    def next_part(self) -> Part | None:
        """The next part, once the one before has ended; None at the end of the stream.

        Raises SourceError: the source went away; permanent where no retry can help.
        """

    @property
    def progress(self) -> float | None:
        """Share of the bytes read, 0 to 1; None where there is no end."""

    def close(self) -> None: ...


@dataclass
class OnePart:
    """A stream that consists of one part: a file."""

    part: Part
    live: bool = False
    cadence_s: float = 0.0
    _begun: bool = field(default=False, init=False)

    def next_part(self) -> Part | None:
        if self._begun:
            return None
        self._begun = True
        return self.part

    @property
    def progress(self) -> float | None:
        return None

    def close(self) -> None:
        for reader in self.part.readers:
            reader.close()
