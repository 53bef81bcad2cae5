"""How a source is to be opened and read: chosen by the user, constant while it runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from streammonitor_api.fidelity import Fidelity

Renditions = Literal["highest", "lowest", "all"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rendition of a master playlist: the best, the least, or the one at a position."""

    renditions: Renditions = "highest"
    position: int | None = None


@dataclass(frozen=True)
class SourceOptions:
    """What a user may choose about a source.

    renditions: which variant of a master playlist. realtime: read files at the speed they play
    at. give_up_after_s: end after a network source was out of reach for so long; None never.
    open_timeout_s: from the first connection attempt to knowing what is inside. local_files:
    whether files of this machine may be read (not in a cluster). max_pixels: of one picture;
    DCI 4K rounded up to whole macroblocks, more is refused before memory is allocated for it.
    headers, query: sent with each HTTP request to the source's own server, and to no other: they
    may be secrets. The query is added to the one that an address has. join_s: where in a live
    playlist to begin, at least so many seconds before its end, as far as it goes back.
    """

    renditions: Renditions = "highest"
    realtime: bool = False
    give_up_after_s: float | None = 30.0
    open_timeout_s: float = 30.0
    local_files: bool = True
    max_pixels: int = 4096 * 2304
    fidelity: Fidelity = Fidelity.FULL
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    query: str = field(default="", repr=False)
    join_s: float = 0.0
