"""When a movement arrived at the picture that has stood still since.

An encoder that is short of bits goes on to draw a picture that has stopped: for up to a second
what it shows still changes, about as much as it did. Looked at from the end, the two differ:
what is drawn better and better differs little from what it becomes, while each step of a movement
leads away from it. So the picture stopped with the earliest one from which it has come nearer to
the last at no more than a fifth of the pace of what was before.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from streammonitor_worker.media.picture import Picture
from streammonitor_worker.media.tiles import mean_difference

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_PICTURES = 48
"""A second of drawing and a pace before it, at 30 pictures a second; 8 kB each."""
_PACE_PICTURES = 8
_SLOWER, _LEAST_PACE = 0.2, 0.5
"""Levels a picture; in a movement slower than that an encoder leaves out pictures itself."""
_FARTHEST = 4.0
"""Levels by which no encoder draws a picture better."""


class Arrival:
    """Remembers the last pictures of a track, thinned out."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, NDArray[np.uint8]]] = deque(maxlen=_PICTURES)

    def note(self, picture: Picture) -> None:
        """Take the next picture."""
        self._seen.append((picture.time, picture.probe))

    def forget(self) -> None:
        """Nothing that was seen can lead to what comes."""
        self._seen.clear()

    def at(self, onset: float) -> float:
        """When the picture stopped that is the latest one, which was believed to be at `onset`,
        seconds; at most that."""
        latest = self._seen[-1][1]
        times: list[float] = []
        apart: list[float] = []  # from the latest, in levels, counted from there
        for time, probe in reversed(self._seen):
            if probe.shape != latest.shape:
                break
            times.append(time)
            apart.append(mean_difference(probe, latest))
        arrived = onset
        for back in range(1, len(apart) - _PACE_PICTURES):
            if max(apart[: back + 1]) > _FARTHEST:
                break
            pace = (apart[back + _PACE_PICTURES] - apart[back]) / _PACE_PICTURES
            left = apart[back] - apart[back - 1]  # if much, the next picture was the first to stop
            if pace >= _LEAST_PACE and left < pace / 2 and apart[back] <= _SLOWER * pace * back:
                arrived = min(arrived, times[back])
        return arrived
