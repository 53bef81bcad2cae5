"""Where sound ends and begins again, as it was before a codec smeared the edges.

A lossy codec cuts time into windows of 20 to 40 ms and spreads its noise over each of them: a cut
to silence decays for some milliseconds, and a faint echo comes before the sound that ends it.
Measured on tones, speech, music and noise cut off and on: up to 25 ms before (AC-3 at 192 kb/s)
and 30 ms after (Opus at 48 kb/s) the level is above -60 dBFS, but 20 dB or more below the sound.
So an edge is not where the level crosses the floor, but where it passes 20 dB below the loudest
of the next (or last) `SMEAR_CHUNKS`. A fade is slower than that and keeps its place.

Shared by the detectors that look for silence. Which of them is right about it is theirs to say.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from streammonitor_worker.media.sound import Sound

if TYPE_CHECKING:
    from numpy.typing import NDArray

    F32 = NDArray[np.float32]
    F64 = NDArray[np.float64]
    Mask = NDArray[np.bool_]

SMEAR_CHUNKS = 8
"""40 ms: a window of AAC at 48 kHz (2,048 samples), the longest of the codecs in use."""
_SMEAR_RATIO = np.float32(0.1)
_GAP_S = 0.001
"""Blocks farther apart than rounding have lost sound between them."""


class Stretch(NamedTuple):
    """Chunks of a block, and which channels are quiet in them."""

    edges: F64
    """Media times: (chunks + 1,)."""
    levels: F32
    """As `Sound.levels`: (channels, chunks)."""
    quiet: Mask
    """Below the floor, the smear of a codec left out: (channels, chunks)."""
    any_quiet: bool

    def runs(self, state: NDArray[Any]) -> Iterator[tuple[int, int, float, float]]:
        """Split where `state`, one entry a chunk, changes: first and last chunk (exclusive),
        start and end in media time."""
        cuts = np.flatnonzero(state[1:] != state[:-1]) + 1
        for first, last in pairwise([0, *cuts.tolist(), len(state)]):
            yield first, last, float(self.edges[first]), float(self.edges[last])


class QuietTrail:
    """Follows a track and tells which chunks are quiet.

    Where sound comes back, up to `SMEAR_CHUNKS` chunks are held until it is known whether they
    are an echo; where it ends, chunks told before may be told again, as quiet.
    `floor`: amplitude below which a level is quiet.
    """

    def __init__(self, floor: float) -> None:
        self.floor = np.float32(floor)
        self._end = float("-inf")
        self._forget(0)

    def follow(self, sound: Sound) -> Stretch | None:
        """Take the next block; give what is decided by it, None where nothing is."""
        levels = sound.levels
        if len(levels) != len(self._levels) or abs(sound.time - self._end) > _GAP_S:
            self._forget(len(levels))
        self._end = sound.end
        if not self._any_quiet and levels.min() >= self.floor:  # most blocks of most streams
            self._keep(sound.chunk_edges, levels, levels.shape[1])
            return Stretch(sound.chunk_edges, levels, np.zeros(levels.shape, bool), False)
        edges = np.concatenate((self._edges[:-1], sound.chunk_edges))
        levels = np.concatenate((self._levels, levels), axis=1)
        quiet, first, last = self._judge(levels)
        self._keep(edges, levels, last)
        if last <= first:
            return None
        return Stretch(edges[first : last + 1], levels[:, first:last], quiet[:, first:last], True)

    def _judge(self, levels: F32) -> tuple[Mask, int, int]:
        """Tell what is quiet, and from where to where that is news."""
        below = levels < self.floor
        self._any_quiet = bool(below[:, -SMEAR_CHUNKS:].any())
        first, last, quiet = self._told, below.shape[1], below
        turns = below[:, 1:] != below[:, :-1]
        if turns.any():
            quiet = below.copy()
            for channel, turn in zip(*np.nonzero(turns), strict=True):
                place = int(turn) + 1
                if below[channel, place]:
                    began = _leave_echo_behind(levels[channel], quiet[channel], place)
                    first = min(first, began) if place >= self._told else first
                else:
                    _leave_echo_ahead(levels[channel], quiet[channel], place)
                    if place + SMEAR_CHUNKS > below.shape[1]:
                        last = min(last, place)
        return quiet, first, max(self._told, last)

    def _forget(self, channels: int) -> None:
        self._edges = np.zeros(1)
        self._levels = np.empty((channels, 0), np.float32)
        self._any_quiet = False
        """Whether there is a quiet chunk in what is kept."""
        self._told = 0
        """Chunks at the beginning of what is kept that have been told."""

    def _keep(self, edges: F64, levels: F32, told: int) -> None:
        dropped = max(0, told - SMEAR_CHUNKS)
        self._edges, self._levels = edges[dropped:], levels[:, dropped:]
        self._told = told - dropped


def _leave_echo_ahead(levels: F32, quiet: Mask, place: int) -> None:
    """Sound comes back at `place`: what is far below it there is the codec's."""
    limit = levels[place : place + SMEAR_CHUNKS].max() * _SMEAR_RATIO
    while levels[place] < limit:
        quiet[place] = True
        place += 1


def _leave_echo_behind(levels: F32, quiet: Mask, place: int) -> int:
    """Sound has ended before `place`: what is far below it there is the codec's. Return the
    first quiet chunk."""
    limit = levels[max(0, place - SMEAR_CHUNKS) : place].max() * _SMEAR_RATIO
    while levels[place - 1] < limit:
        place -= 1
        quiet[place] = True
    return place
