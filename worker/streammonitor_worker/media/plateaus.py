"""Finds where a waveform was cut off at full scale: clipped runs, and what codecs make of them.

In PCM a clipped run is a row of equal samples at full scale. After a lossy codec no two samples
are equal: the plateau ripples, overshoots by up to 12 dB and lies up to 8 % lower, because
encoders scale loud sound down. There it is recognised by its shape. A lobe is what of a half wave
is above half scale; an arch, such as a sine's, fills 5/6 of the box around it, a plateau more.
Broadband sound loses even that shape; there the decoder overshoots by 10 % so often as no sound
does that was below full scale, or cuts it off, where it gives integers.

The numbers below were measured on tones, speech, music and noise, clipped by 1 to 20 dB, limited,
saturated and plain, through AAC, MP3, AC-3, Opus and MP2 at 96 to 256 kb/s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from streammonitor_worker.media.sound import Sound

if TYPE_CHECKING:
    from numpy.typing import NDArray

    F32 = NDArray[np.float32]
    Index = NDArray[np.intp]

HOT = 0.88
"""Peaks of clipped sound reach this after any codec: 0.92 was the lowest (AAC at 96 kb/s)."""

_FULL_SCALE = 0.989
"""-0.1 dBFS. The largest value of 8 bits is 0.992, of 16 bits 0.99997."""
_LAST_BIT = 4e-5
"""Neighbours closer than this are equal: a little more than the last of 16 bits."""
_CORNER = 0.03
"""By how much the waveform must be off full scale half a run away from the run. The crest of a
20 Hz sine is off by 0.0004 there, that of a 100 Hz sine cut by a 16-bit decoder by 0.01; music
clipped by 1 dB by 0.1 and more."""
_LOBE = 0.5
_SHORTEST_LOBE = 8
"""Samples; with fewer, an arch can look flat."""
_FLAT = 0.9
"""Share of its box that a plateau fills. Arches fill 0.83 to 0.86; music and noise less."""
_PLATEAU = 0.87
"""Mean of a lobe that was clipped at full scale, at least. A full-scale sine has 0.83."""
_CUT = 0.9999
"""Full scale of 16 bits is 0.99997: what a decoder that gives integers cuts off."""
_CUT_SHARE = 0.1
"""Equal neighbours at full scale in a chunk: 0.075 is the crest of a 100 Hz sine, cut by MP2."""
_BEYOND = 1.1
_BEYOND_SHARE = 0.05
"""Unclipped music at full scale has less than 3 such chunks a second in one channel, at 64 kb/s
and more; noise and music clipped by 12 dB have 4 to 60 where their plateaus are lost."""
_FEWEST = 2
"""Samples: a short chunk at the end says little."""
_NEAR_FULL_SCALE = 0.8


class Plateaus(NamedTuple):
    """Clipped runs of one channel in one block, as indices of samples.

    `exact` are rows of equal full-scale samples; `shaped` are lobes recognised by their shape;
    `beyond` are chunks too often beyond full scale. Each shaped (2, found): first and last sample.
    Indices may be negative: a lobe that began in the block before.
    """

    exact: Index
    shaped: Index
    beyond: Index

    @property
    def all(self) -> Index:
        """All of them; the same may be in it twice."""
        return np.concatenate((self.exact, self.shaped, self.beyond), axis=1)


_NOTHING: Index = np.empty((2, 0), np.intp)
NONE = Plateaus(_NOTHING, _NOTHING, _NOTHING)


class PlateauFinder:
    """Follows one channel. `shortest`: samples of a clipped run, at least."""

    def __init__(self, shortest: int) -> None:
        self._shortest = shortest
        self._carried: F32 = np.empty(0, np.float32)
        """A lobe that was not finished when the block ended."""

    def find(self, sound: Sound, channel: int) -> Plateaus:
        """Look at the next block; most are decided by their peaks alone."""
        peaks = sound.peaks[channel]
        samples = sound.samples[channel]
        carried = len(self._carried)
        if not carried and peaks.max() < HOT:
            return NONE
        sizes = sound.magnitudes[channel]
        if carried:
            samples = np.concatenate((self._carried, samples))
            sizes = np.abs(samples)
        bounds = self._lobes(samples)
        if len(bounds) < 2:
            return NONE
        return Plateaus(
            self._exact(samples, sizes, int(bounds[-1])) - carried,
            self._flat(sizes, bounds) - carried,
            _beyond(sound, channel),
        )

    def reset(self) -> None:
        """Forget the unfinished lobe: sound is missing before the next block."""
        self._carried = np.empty(0, np.float32)

    def _lobes(self, samples: F32) -> Index:
        """Bounds of lobes and of what is between them; the last lobe is carried if unfinished."""
        signs = (samples > _LOBE).view(np.int8) - (samples < -_LOBE).view(np.int8)
        cuts = np.flatnonzero(signs[1:] != signs[:-1]) + 1
        bounds = np.concatenate(([0], cuts, [len(samples)]))
        self._carried = np.empty(0, np.float32)
        if signs[-1] and len(cuts):  # without a cut the lobe is longer than a block: take it
            self._carried = samples[cuts[-1] :].copy()
            bounds = bounds[:-1]
        return bounds

    def _exact(self, samples: F32, sizes: F32, until: int) -> Index:
        """Rows of equal full-scale samples before `until`, with a corner at one end at least."""
        full = sizes >= _FULL_SCALE
        full[until:] = False
        if np.count_nonzero(full) < self._shortest:
            return _NOTHING
        equal = full[1:] & full[:-1] & (np.abs(np.diff(samples)) <= _LAST_BIT)
        turns = np.flatnonzero(np.diff(np.concatenate(([0], equal.view(np.int8), [0]))))
        runs = turns.reshape(-1, 2).T
        runs = runs[:, runs[1] - runs[0] + 1 >= self._shortest]
        away = (runs[1] - runs[0] + 1) // 2
        before = np.maximum(runs[0] - away, 0)
        after = np.minimum(runs[1] + away, len(samples) - 1)
        signs = np.sign(samples[runs[0]])
        lower = np.minimum(samples[before] * signs, samples[after] * signs)
        kept: Index = runs[:, sizes[runs[0]] - lower >= _CORNER]
        return kept

    def _flat(self, sizes: F32, bounds: Index) -> Index:
        """Lobes that fill their box, and are not exactly flat: PCM below full scale."""
        starts, lengths = bounds[:-1], np.diff(bounds)
        long = lengths >= max(self._shortest, _SHORTEST_LOBE)
        if not long.any():
            return _NOTHING
        tops = np.maximum.reduceat(sizes[: bounds[-1]], starts)
        means = np.add.reduceat(sizes[: bounds[-1]], starts) / lengths
        flat = long & (means >= _PLATEAU) & (means >= _FLAT * tops)
        below = np.flatnonzero(flat & (tops < _FULL_SCALE))
        if below.size:
            equal = (np.abs(np.diff(sizes, append=0)) <= _LAST_BIT).view(np.int8)
            counts = np.add.reduceat(equal[: bounds[-1]], starts, dtype=np.intp)
            flat[below] = counts[below] < lengths[below] / 2
        starts, lengths = starts[flat], lengths[flat]
        return np.stack((starts, starts + lengths - 1))


def _beyond(sound: Sound, channel: int) -> Index:
    """Chunks too much of which lies beyond full scale, or side by side at it."""
    if sound.peaks[channel].max() < _CUT:
        return _NOTHING
    samples, sizes = sound.samples[channel], sound.magnitudes[channel]
    beyond = sizes >= _BEYOND
    cut = sizes >= _CUT
    cut[:-1] &= cut[1:] & (np.abs(np.diff(samples)) <= _LAST_BIT)
    cut[-1] = False
    often = _count(sound, beyond) >= np.maximum(_BEYOND_SHARE * sound.chunk_sizes, _FEWEST)
    flat = _count(sound, cut) >= np.maximum(_CUT_SHARE * sound.chunk_sizes, _FEWEST)
    found = np.flatnonzero(often | flat)
    starts = sound.chunk_starts[found]
    return np.stack((starts, starts + sound.chunk_sizes[found].astype(np.intp) - 1))


def _count(sound: Sound, mask: NDArray[np.bool_]) -> Index:
    """How many samples of each chunk the mask has, along its last axis."""
    return np.add.reduceat(mask.view(np.int8), sound.chunk_starts, axis=-1, dtype=np.intp)


def densities(sound: Sound) -> F32:
    """Share of samples near full scale in each chunk, 0 to 1, of the worst channel: (chunks,)."""
    near = _count(sound, sound.magnitudes >= _NEAR_FULL_SCALE).max(axis=0)
    shares: F32 = near / sound.chunk_sizes
    return shares
