"""A block of decoded sound and the measures of it that detectors share.

The source joins decoded frames into blocks of `BLOCK_CHUNKS` chunks of about 5 ms; a shorter one
comes only at the end and before a gap. Levels are kept per chunk, so that the onset of a defect
is known to 5 ms although detectors run five times a second.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    F32 = NDArray[np.float32]

CHUNK_S = 0.005
BLOCK_CHUNKS = 40
"""What is done once a block costs more than what is done to its samples: half as much in blocks
of 200 ms as in blocks of 100 ms."""
FLOOR_DBFS = -120.0
"""Levels are told down to here, the noise of 20 bits, so that digital silence has a number too."""
_BEYOND_SOUND = 100.0
"""40 dB above full scale. A lossy codec overshoots by 12 dB at most (measured, Opus at 32 kb/s on
clipped music); what is larger, or no number, are the floats of a damaged file."""

_USUAL_CHANNELS = {
    1: ("FC",),
    2: ("FL", "FR"),
    3: ("FL", "FR", "LFE"),
    4: ("FL", "FR", "FC", "BC"),
    5: ("FL", "FR", "FC", "BL", "BR"),
    6: ("FL", "FR", "FC", "LFE", "BL", "BR"),
    7: ("FL", "FR", "FC", "LFE", "BC", "SL", "SR"),
    8: ("FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR"),
}
"""What so many channels mostly are: FFmpeg's default layouts, the order of Microsoft's WAVE."""


def chunk_samples(rate: int) -> int:
    """Samples of a chunk at `rate` per second: at least 1."""
    return max(1, int(rate * CHUNK_S))


def dbfs(amplitude: float) -> float:
    """Level of an amplitude (1 is full scale) in dBFS: `FLOOR_DBFS` or more."""
    return 20 * math.log10(amplitude) if amplitude > 1e-6 else FLOOR_DBFS


def distinct_channels(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names of channels; where the container gave them none, or twice the same (PCM in
    Matroska), those that they mostly have, or else numbers from 1."""
    if len(set(names)) == len(names):
        return names
    numbers = tuple(str(number) for number in range(1, len(names) + 1))
    return _USUAL_CHANNELS.get(len(names), numbers)


class Sound:
    """A block of samples.

    Parameters
    ----------
    samples: (channels, count), float32, count > 0, full scale is ±1; a lossy codec may exceed it.
        What is no number becomes 0, what is absurdly large is cut off.
    time: media time of the first sample. rate: samples per second.
    channels: names in order, such as ("FL", "FR", "FC", "LFE", "BL", "BR"), ("FC",) for mono.
        Names that are not distinct become so: see `distinct_channels`.
    """

    def __init__(
        self,
        samples: F32,
        *,
        track: str,
        time: float,
        rate: int,
        channels: tuple[str, ...],
    ) -> None:
        if (
            samples.dtype != np.float32
            or samples.ndim != 2
            or len(samples) != len(channels)
            or samples.size == 0
        ):
            raise ValueError(
                f"Sound must be float32 shaped ({len(channels)}, samples > 0), "
                f"got {samples.dtype} {samples.shape}"
            )
        self.samples = samples
        self.track = track
        self.time = time
        self.rate = rate
        self.channels = distinct_channels(channels)
        self.magnitudes: F32 = np.abs(samples)
        """|sample|: (channels, samples)."""
        self.peaks: F32 = np.maximum.reduceat(self.magnitudes, self.chunk_starts, axis=1)
        """Largest magnitude of each chunk: (channels, chunks)."""
        if not self.peaks.max() <= _BEYOND_SOUND:  # also where it is no number
            self.samples = np.clip(np.nan_to_num(samples), -_BEYOND_SOUND, _BEYOND_SOUND)
            self.magnitudes = np.abs(self.samples)
            self.peaks = np.maximum.reduceat(self.magnitudes, self.chunk_starts, axis=1)

    @property
    def duration(self) -> float:
        return int(self.samples.shape[1]) / self.rate

    @property
    def end(self) -> float:
        return self.time + self.duration

    @cached_property
    def chunk_edges(self) -> NDArray[np.float64]:
        """Media times of the chunks' edges: (chunks + 1,); the last chunk may be short."""
        size, count = chunk_samples(self.rate), self.samples.shape[1]
        edges = np.append(np.arange(0, count, size), count)
        return self.time + edges / self.rate

    @cached_property
    def chunk_starts(self) -> NDArray[np.intp]:
        """Index of the first sample of each chunk: (chunks,)."""
        return np.arange(0, self.samples.shape[1], chunk_samples(self.rate))

    @cached_property
    def chunk_sizes(self) -> F32:
        """Samples of each chunk: (chunks,)."""
        return np.diff(np.append(self.chunk_starts, self.samples.shape[1])).astype(np.float32)

    @cached_property
    def powers(self) -> F32:
        """Mean square of each chunk: (channels, chunks)."""
        powers: F32 = np.add.reduceat(np.square(self.samples), self.chunk_starts, axis=1)
        powers /= self.chunk_sizes
        return powers

    @cached_property
    def levels(self) -> F32:
        """Level of each chunk, (channels, chunks), as the amplitude of a sine of that power.

        A constant offset does not count: nobody hears it, and the high-pass filter of some
        encoders (Opus: 3 Hz) lets it die away over 0.2 s after a cut. Source: AES17, where 0 dBFS
        is the level of a full-scale sine; the noise of a pause at -70 dBFS stays below -60,
        although its peaks do not.
        """
        means = np.add.reduceat(self.samples, self.chunk_starts, axis=1)
        means /= self.chunk_sizes
        levels: F32 = np.sqrt(2 * np.maximum(self.powers - np.square(means), 0))
        return levels
