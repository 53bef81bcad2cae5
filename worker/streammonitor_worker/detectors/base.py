"""What a detector is.

A detector is a small class in a file of its own: name, settings, `observe`. It holds no clock,
does no I/O and knows no stream: it turns one item into measures. One instance serves one track
(or all tracks of one stream, see `scope`). When a measure becomes an incident is not its business:
see `incidents.py`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, NamedTuple, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

from streammonitor_worker.media import Item, Sound

ItemT = TypeVar("ItemT", bound=Item)


class Measure(NamedTuple):
    """What a detector found for one moment, from `start` to `end` in media time.

    `since` is set where the defect began before `start`: the first of several identical
    pictures, the beginning of a window. `value` is in the detector's unit, finite.
    """

    start: float
    end: float
    present: bool
    value: float
    since: float | None = None
    evidence: Mapping[str, object] | None = None


def setting(
    default: float | int | str,
    *,
    what: str,
    source: str,
    unit: str = "",
    minimum: float | None = None,
    maximum: float | None = None,
) -> Any:
    """Declare a field of a detector's settings, with all that a user is told about it.

    The catalogue, the validation of profiles and resources and the reference documentation are
    made from this. `minimum` and `maximum` are inclusive.
    """
    metadata = {
        "what": what,
        "source": source,
        "unit": unit,
        "minimum": minimum,
        "maximum": maximum,
    }
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of a detector: subclass it with `setting` fields. Empty for detectors without."""


class Detector(ABC, Generic[ItemT]):
    """Finds one kind of defect on one track.

    Class attributes say what the catalogue shows; instances hold the state of a track.
    """

    name: ClassVar[str]
    """Kebab case; the file and the class are named after it."""
    reads: ClassVar[type | tuple[type, ...]]
    """The kinds of item that `observe` takes: Picture, Sound, Packet, …"""
    scope: ClassVar[Literal["track", "stream"]] = "track"
    """One instance for each track, or one that sees the items of all tracks of a stream."""
    unit: ClassVar[str]
    """Unit of `Measure.value` and of `threshold`."""
    severity: ClassVar[str]
    """Default severity of its incidents: warning or critical."""
    alarm_after: ClassVar[float]
    """Default: seconds a defect lasts before it is an incident; 0 for events of an instant."""
    clear_after: ClassVar[float]
    """Default: seconds without the defect before the incident is closed."""
    bridge: ClassVar[float] = 0.0
    """Seconds without the defect that do not end it while it is not yet an incident: for defects
    that by their nature flicker."""
    momentary: ClassVar[bool] = False
    """What it finds lasts an instant: `observe` yields only what is present, and the passing of
    media time is its absence."""
    settings_type: ClassVar[type[Settings]] = Settings

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings: Any = settings if settings is not None else self.settings_type()

    @property
    @abstractmethod
    def threshold(self) -> float:
        """The value from which the defect counts as present, in `unit`."""

    @abstractmethod
    def observe(self, item: ItemT) -> Iterable[Measure]:
        """Measure one item: none, one or several measures, in order of time."""

    def adopt(self, evidence: Mapping[str, object]) -> None:
        """Go on as if it had found itself what another worker's did, with this evidence.

        For detectors that judge by what they have seen before: begun anew in the middle of a
        defect they would be unsure, and say that it is gone.
        """


def runs(
    sound: Sound,
    present: NDArray[np.bool_],
    values: NDArray[np.floating[Any]],
) -> Iterator[tuple[float, float, bool, NDArray[np.floating[Any]]]]:
    """Split a block of sound where `present` changes.

    `present` and `values` have one entry a chunk. Yields start and end in media time, whether
    the defect is present, and the values of the chunks in between.
    """
    edges = sound.chunk_edges
    cuts = np.flatnonzero(present[1:] != present[:-1]) + 1
    bounds = [0, *cuts.tolist(), len(present)]
    for first, last in pairwise(bounds):
        if last > first:
            yield float(edges[first]), float(edges[last]), bool(present[first]), values[first:last]
