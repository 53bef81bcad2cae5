"""What is kept of sound to judge its loudness, and when that changed.

Powers of blocks are what BS.1770 builds its gating blocks from; powers of chunks tell a change to
5 ms. 40 s of stereo take 100 kB.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from streammonitor_worker.media.loudness import (
    ABSOLUTE_GATE_LUFS,
    GATING_S,
    decibels,
    gated,
    lufs,
    power_of,
)
from streammonitor_worker.media.sound import BLOCK_CHUNKS, CHUNK_S

if TYPE_CHECKING:
    from numpy.typing import NDArray

    F32 = NDArray[np.float32]
    F64 = NDArray[np.float64]

STEP_S = BLOCK_CHUNKS * CHUNK_S
"""Length of a block, and with it the distance of gating blocks: a quarter of their length."""
_OVERLAP = round(GATING_S / STEP_S)

_LEAST_CHANGE_LU = 2.0
"""Smaller steps are in every programme."""
_LEAST_BLOCKS = 10
"""A level is that of 1 s at least, so that a single bang is no change."""
_DEPTH_DB = 30.0
"""What is farther below the loudest block counts as this far: the depth of a pause says nothing
about the level."""
_NEAR_S = 1.0
"""The blocks tell a change to within this; the chunks near it tell it exactly."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A block of sound, by its K-weighted mean square over all channels."""

    start: float
    end: float
    power: float
    chunk_powers: F32
    """(chunks,)."""
    chunk_starts: F64
    """Media times: (chunks,)."""


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

    Splits the levels in two where the squared difference of the means, weighted by how much there
    is on either side, is largest (the first step of binary segmentation). Silence is left out.
    """
    powers = np.array([block.power for block in blocks])
    places = np.flatnonzero(powers > power_of(ABSOLUTE_GATE_LUFS))
    count = len(places)
    if count < 2 * _LEAST_BLOCKS:
        return None
    levels = decibels(powers[places])
    levels = np.maximum(levels, levels.max() - _DEPTH_DB)
    sums = np.cumsum(levels)
    sizes = np.arange(_LEAST_BLOCKS, count - _LEAST_BLOCKS + 1)
    before = sums[sizes - 1] / sizes
    after = (sums[-1] - sums[sizes - 1]) / (count - sizes)
    best = int(np.argmax(sizes * (count - sizes) * np.square(before - after)))
    means = float(before[best]), float(after[best])
    if abs(means[0] - means[1]) < _LEAST_CHANGE_LU:
        return None
    split = min(int(sizes[best]), count - 1)
    return _exactly(blocks, blocks[int(places[split])].start, means)


def _exactly(blocks: Sequence[Heard], about: float, means: tuple[float, float]) -> float:
    """Where the chunks near it speak most for the one level before and the other after it."""
    near = [block for block in blocks if abs(block.start - about) <= _NEAR_S]
    powers = np.concatenate([block.chunk_powers for block in near])
    starts = np.concatenate([block.chunk_starts for block in near])
    reach = (means[0] - means[1]) / 2
    for_before = (decibels(powers) - sum(means) / 2) * np.sign(reach)
    np.clip(for_before, -abs(reach), abs(reach), out=for_before)
    for_before[powers <= power_of(ABSOLUTE_GATE_LUFS)] = 0
    turn = int(np.argmax(np.concatenate(([0.0], np.cumsum(for_before)))))
    return float(starts[min(turn, len(starts) - 1)])
