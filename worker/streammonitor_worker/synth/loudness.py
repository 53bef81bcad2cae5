"""Programme loudness, so that a test sound has the level that it claims to have.

Works on a whole sound at once and in the frequency domain, unlike a detector, which has to follow
a stream: an independent second opinion for tests. Source: ITU-R BS.1770-4, EBU R128.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]

_SHELF = (
    1.53512485958697,
    -2.69169618940638,
    1.19839281085285,
    -1.69065929318241,
    0.73248077421585,
)
_HIGH_PASS = (1.0, -2.0, 1.0, -1.99004745483398, 0.99007225036621)
"""BS.1770 tables 1 and 2: b0, b1, b2, a1, a2 at 48 kHz."""

_WEIGHTS = {"BL": 1.41, "BR": 1.41, "SL": 1.41, "SR": 1.41, "LFE": 0.0}
"""BS.1770 table 3; all others count once."""


def integrated_loudness(samples: F32, rate: int, channels: tuple[str, ...]) -> float:
    """Gated loudness in LUFS of (channels, count) samples, periodic; -inf for silence.

    Sounds shorter than 0.4 s are measured as one block.
    """
    count = samples.shape[1]
    weighted = np.fft.irfft(np.fft.rfft(samples) * _k_weighting(count, rate), n=count)
    weights = np.array([_WEIGHTS.get(channel, 1.0) for channel in channels])
    power = weights @ np.square(weighted)
    size = min(count, round(0.4 * rate))
    sums = np.concatenate(([0.0], np.cumsum(power)))
    starts = np.arange(0, count - size + 1, max(1, size // 4))
    blocks = (sums[starts + size] - sums[starts]) / size
    blocks = blocks[blocks > 10 ** ((-70 + 0.691) / 10)]
    if not blocks.size:
        return -np.inf
    blocks = blocks[blocks > blocks.mean() / 10]
    return float(-0.691 + 10 * np.log10(blocks.mean()))


def _k_weighting(count: int, rate: int) -> NDArray[np.float64]:
    """Gain at each frequency of a real spectrum of `count` samples."""
    turns = np.exp(-2j * np.pi * np.minimum(np.fft.rfftfreq(count, 1 / rate), 24000) / 48000)
    gain = np.ones(len(turns))
    for b0, b1, b2, a1, a2 in (_SHELF, _HIGH_PASS):
        gain *= np.abs((b0 + b1 * turns + b2 * turns**2) / (1 + a1 * turns + a2 * turns**2))
    return gain
