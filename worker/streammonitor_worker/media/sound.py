"""A block of decoded sound and the measures of it that detectors share.

The source joins decoded frames into blocks of `BLOCK_CHUNKS` chunks of about 5 ms; a shorter one
comes only at the end and before a gap. Levels are kept per chunk, so that the onset of a defect
is known to 5 ms although detectors run ten times a second.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    F32 = NDArray[np.float32]

CHUNK_S = 0.005
BLOCK_CHUNKS = 20


def chunk_samples(rate: int) -> int:
    """Samples of a chunk at `rate` per second: at least 1."""
    return max(1, int(rate * CHUNK_S))


class Sound:
    """A block of samples.

    Parameters
    ----------
    samples: (channels, count), float32, full scale is ±1; a lossy codec may exceed it.
    time: media time of the first sample. rate: samples per second.
    channels: names in order, such as ("FL", "FR", "FC", "LFE", "BL", "BR"), ("FC",) for mono.
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
        if samples.dtype != np.float32 or samples.ndim != 2 or len(samples) != len(channels):
            raise ValueError(
                f"Sound must be float32 shaped ({len(channels)}, samples), "
                f"got {samples.dtype} {samples.shape}"
            )
        self.samples = samples
        self.track = track
        self.time = time
        self.rate = rate
        self.channels = channels

    @property
    def duration(self) -> float:
        return self.samples.shape[1] / self.rate

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
    def _starts(self) -> NDArray[np.intp]:
        return np.arange(0, self.samples.shape[1], chunk_samples(self.rate))

    @cached_property
    def peaks(self) -> F32:
        """Largest |sample| of each chunk: (channels, chunks)."""
        peaks: F32 = np.maximum.reduceat(np.abs(self.samples), self._starts, axis=1)
        return peaks

    @cached_property
    def powers(self) -> F32:
        """Mean square of each chunk: (channels, chunks)."""
        sums = np.add.reduceat(np.square(self.samples), self._starts, axis=1)
        sizes = np.diff(np.append(self._starts, self.samples.shape[1]))
        powers: F32 = sums / sizes.astype(np.float32)
        return powers
