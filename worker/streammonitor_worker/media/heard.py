"""What is kept of sound to judge its loudness, and when that changed.

Powers of blocks are what BS.1770 builds its gating blocks from; powers of chunks tell a change to
5 ms. 40 s of stereo take 100 kB.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from streammonitor_worker.media.loudness import (
    ABSOLUTE_GATE_LUFS,
    GATING_S,
    decibels,
    gated,
    lufs,
    power_of,
)
from streammonitor_worker.media.sound import CHUNK_S

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streammonitor_worker.media.sound import Sound

    F32 = NDArray[np.float32]
    F64 = NDArray[np.float64]

_STEP_CHUNKS = 20
STEP_S = _STEP_CHUNKS * CHUNK_S
"""Length of what is kept as one, and with it the distance of gating blocks: a quarter of theirs."""
_OVERLAP = round(GATING_S / STEP_S)

_LEAST_CHANGE_LU = 2.0
"""Smaller steps are in every programme."""
_LEAST_BLOCKS = 10
"""A level is that of 1 s at least, so that a single bang is no change."""
_REACH_BLOCKS = 5
"""The loudest of 1 s around a block stands for it, so that pauses of speech are no change."""
_DEPTH_DB = 30.0
"""What is farther below the loudest counts as this far: the depth of a pause says nothing."""
_NEAR_S = 1.0
"""How exactly the blocks tell a change. Chunks this near it do not tell how either side is."""

_SILENT_DB, _LOUDEST_DB = -75, 10
"""Levels between which 1 dB makes a difference; all below are the same silence."""
_BLUR = np.array([0.05, 0.25, 0.4, 0.25, 0.05])
"""A level that was seen makes its neighbours likely: a normal distribution, 1 dB wide."""
_NEVER_SEEN = 0.002
"""How likely a level is that was not seen, of all together: the estimate of rare events by their
number of chances, one in 500 chunks."""
_MOST_CONVINCING = 4.0
"""As a logarithm: no single chunk makes one side more than 55 times as likely."""


class Heard(NamedTuple):
    """0.1 s of sound, by its K-weighted mean square over all channels."""

    start: float
    end: float
    power: float
    chunk_powers: F32
    """(chunks,)."""
    chunk_starts: F64
    """Media times: (chunks,)."""


class Hearing:
    """Divides a track's sound into what is kept of it, however it was cut into blocks."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew: sound is missing before the next block."""
        self._sums: F32 = np.empty(0, np.float32)
        self._sizes: F32 = np.empty(0, np.float32)
        self._starts: F64 = np.empty(0)
        """Of the chunks that do not make `STEP_S` yet."""

    def hear(self, sound: Sound, powers: F32) -> Iterator[Heard]:
        """Take a block whose samples, over all channels, have these powers: (samples,)."""
        edges = sound.chunk_edges
        sums = np.add.reduceat(powers, sound.chunk_starts)
        sizes, starts = sound.chunk_sizes, edges[:-1]
        if len(self._sums):
            sums = np.concatenate((self._sums, sums))
            sizes = np.concatenate((self._sizes, sizes))
            starts = np.concatenate((self._starts, starts))
        whole = len(sums) // _STEP_CHUNKS * _STEP_CHUNKS
        self._sums, self._sizes, self._starts = sums[whole:], sizes[whole:], starts[whole:]
        means: F32 = np.divide(sums, sizes, dtype=np.float32)
        for first in range(0, whole, _STEP_CHUNKS):
            last = first + _STEP_CHUNKS
            part = slice(first, last)
            power = float(sums[part].sum() / sizes[part].sum())
            end = float(starts[last]) if last < len(starts) else float(edges[-1])
            yield Heard(float(starts[first]), end, power, means[part], starts[part])


def loudness_of(blocks: Sequence[Heard], least_s: float) -> float | None:
    """Gated loudness in LUFS; None where less than `least_s` seconds are above the gates."""
    powers = np.array([block.power for block in blocks])
    if len(powers) < _OVERLAP:
        return None
    sums = np.concatenate(([0.0], np.cumsum(powers)))
    power, count = gated((sums[_OVERLAP:] - sums[:-_OVERLAP]) / _OVERLAP)
    return lufs(power) if count and count * STEP_S >= least_s else None


def change_point(blocks: Sequence[Heard]) -> float | None:
    """When the level changed most, in media time; None where it did not.

    First about: where the levels, split in two, differ most (the first step of binary
    segmentation, silence left out). Then exactly, see `_exactly`.
    """
    powers = np.array([block.power for block in blocks])
    around = sliding_window_view(np.pad(powers, _REACH_BLOCKS, mode="edge"), 2 * _REACH_BLOCKS + 1)
    loudest = around.max(axis=1)
    places = np.flatnonzero(loudest > power_of(ABSOLUTE_GATE_LUFS))
    count = len(places)
    if count < 2 * _LEAST_BLOCKS:
        return None
    levels = decibels(loudest[places])
    levels = np.maximum(levels, levels.max() - _DEPTH_DB)
    sums = np.cumsum(levels)
    sizes = np.arange(_LEAST_BLOCKS, count - _LEAST_BLOCKS + 1)
    before = sums[sizes - 1] / sizes
    after = (sums[-1] - sums[sizes - 1]) / (count - sizes)
    best = int(np.argmax(sizes * (count - sizes) * np.square(before - after)))
    if abs(before[best] - after[best]) < _LEAST_CHANGE_LU:
        return None
    return _exactly(blocks, blocks[int(places[sizes[best]])].start)


def segments(
    blocks: Sequence[Heard], is_split: Callable[[float], bool]
) -> Iterator[Sequence[Heard]]:
    """Split blocks where their level changes, in order of time, and go on with those parts whose
    loudness in LUFS `is_split` tells to."""
    loudness = loudness_of(blocks, _LEAST_BLOCKS * STEP_S)
    change = None if loudness is None or not is_split(loudness) else change_point(blocks)
    if change is None:
        yield blocks
        return
    count = sum(block.start < change for block in blocks)
    if not 0 < count < len(blocks):
        yield blocks
        return
    yield from segments(blocks[:count], is_split)
    yield from segments(blocks[count:], is_split)


def _exactly(blocks: Sequence[Heard], about: float) -> float:
    """Where what is before it is most likely of the one kind, and what is after it of the other.

    How likely each level is on either side is counted there: speech over music has two levels,
    and a mean of both would take a pause for the change. The logarithm of the ratio is added up
    along time; where the sum is highest, the evidence turns.
    """
    levels = decibels(np.concatenate([block.chunk_powers for block in blocks]))
    starts = np.concatenate([block.chunk_starts for block in blocks])
    places = np.clip(np.floor(levels), _SILENT_DB, _LOUDEST_DB).astype(np.intp) - _SILENT_DB
    before = _likelihoods(places[starts < about - _NEAR_S])
    after = _likelihoods(places[starts > about + _NEAR_S])
    for_before = np.clip(np.log(before / after), -_MOST_CONVINCING, _MOST_CONVINCING)
    turn = int(np.argmax(np.concatenate(([0.0], np.cumsum(for_before[places])))))
    return float(starts[min(turn, len(starts) - 1)])


def _likelihoods(places: NDArray[np.intp]) -> F64:
    """How likely each level is where these were seen: sums up to 1."""
    seen = np.bincount(places, minlength=_LOUDEST_DB - _SILENT_DB + 1)
    likely = np.convolve(seen, _BLUR, mode="same") + _NEVER_SEEN * max(1, len(places))
    return np.asarray(likely / likely.sum())
