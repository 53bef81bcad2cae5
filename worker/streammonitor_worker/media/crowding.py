"""How samples crowd at full scale: clipping that a lossy codec left no plateau of.

The samples of sound thin out towards its peaks; a limiter bends that, but still leaves fewer near
full scale than below. Clipping heaps up whatever would have been beyond. A lossy codec blurs the
heap, so that about half of it lies beyond full scale, or, from decoders that give integers, at it.

Counted in one channel over a second:

    crowding    samples above 0.9 for one from 0.7 to 0.9
    overshoot   share of those above 0.9 that are at full scale or beyond
    density     share of samples above 0.9 in those chunks that come near full scale

Measured in 8 s each of speech, music, both, rock, pop, plucked strings and pink noise through AAC
at 64 and 128 kb/s, MP2, MP3, Opus, AC-3 and none (median where clipped, largest second elsewhere):

                                          crowding        crowding × overshoot
    as it is, or limited by up to 12 dB   to 0.51         to 0.05
    saturated by 6 dB                     to 0.95         to 0.09
    limited by 9 dB within 2 ms           to 1.05         to 0.18
    clipped by 6 dB                       0.2 to 1.8      0.0 to 0.8
    clipped by 9 dB                       0.5 to 2.3      0.0 to 1.1

AAC at 128 kb/s and MP3 scale loud sound down, so that little overshoots: there the shape of the
plateaus tells (`plateaus.py`). So it does in tones, which are as dense without any clipping: above
`_DENSEST` nothing is said here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streammonitor_worker.media.plateaus import HOT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streammonitor_worker.media.sound import Sound

    F64 = NDArray[np.float64]

_BELOW, _NEAR, _AT = 0.7, 0.9, 0.9999
"""Full scale of 16 bits is 0.99997."""
CROWDED = 0.4
_CROWDED_ALONE = 1.15
_CROWDED_BEYOND = 0.2
_FEWEST, _FEWEST_ALONE = 500, 300
"""Samples above 0.9 in a second at 48 kHz: 10 ms, 6 ms. With fewer, two loud moments decide."""
_REFERENCE_RATE = 48000
_DENSEST = 0.2
"""A tone whose crest is near enough to full scale to crowd there has 0.24 and more."""

COUNTS = 4
"""Rows of what `count` gives: below, near, at full scale, and all samples of the hot chunks."""


def count(sound: Sound) -> F64:
    """Samples of each kind in a block: (`COUNTS`, channels)."""
    loudest = float(sound.peaks.max())
    if loudest <= _BELOW:
        return np.zeros((COUNTS, len(sound.channels)))
    below = np.count_nonzero(sound.magnitudes > _BELOW, axis=1)
    near = at = np.zeros_like(below)
    if loudest > _NEAR:
        near = np.count_nonzero(sound.magnitudes > _NEAR, axis=1)
        at = np.count_nonzero(sound.magnitudes > _AT, axis=1)
    everything = ((sound.peaks >= HOT) * sound.chunk_sizes).sum(axis=1)
    return np.array((below - near, near, at, everything), float)


def crowding(counts: F64) -> F64:
    """Samples above 0.9 for one from 0.7 to 0.9: (channels,)."""
    below, near = counts[:2]
    return np.asarray(near / np.maximum(below, 1))


def is_crowded(counts: F64, rate: int) -> NDArray[np.bool_]:
    """Whether these counts, of a second, are those of clipped sound: (channels,)."""
    _, near, at, everything = counts
    crowded_by = crowding(counts)
    overshoot = at / np.maximum(near, 1)
    share = rate / _REFERENCE_RATE
    beyond = (
        (crowded_by >= CROWDED)
        & (crowded_by * overshoot >= _CROWDED_BEYOND)
        & (near >= _FEWEST * share)
    )
    alone = (crowded_by >= _CROWDED_ALONE) & (near >= _FEWEST_ALONE * share)
    crowded: NDArray[np.bool_] = (beyond | alone) & (near <= _DENSEST * everything)
    return crowded
