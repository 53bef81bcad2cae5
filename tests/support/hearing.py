"""Sound for tests of detectors: from samples or a file to blocks, from blocks to incidents.

Decodes with PyAV alone, so that these tests judge detectors and not the source. Media time 0 is
the first sample that is presented.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import av
import numpy as np
from numpy.typing import ArrayLike, NDArray

from streammonitor_api.incident import Moment
from streammonitor_worker.detectors.base import Detector, Measure
from streammonitor_worker.incidents import Defect, Tracker
from streammonitor_worker.media import Sound
from streammonitor_worker.media.sound import BLOCK_CHUNKS, chunk_samples

STEREO = ("FL", "FR")


@dataclass(frozen=True)
class Clip:
    """All samples of a track: (channels, count) float32."""

    samples: NDArray[np.float32]
    rate: int
    channels: tuple[str, ...]

    def blocks(
        self,
        *,
        track: str = "audio:0",
        start: float = 0.0,
        chunks: Sequence[int] = (BLOCK_CHUNKS,),
    ) -> Iterator[Sound]:
        """Cut it as the source does, or into blocks of so many chunks, in turn; the last block
        is short."""
        first = 0
        for count in cycle(chunks):
            if first >= self.samples.shape[1]:
                return
            size = count * chunk_samples(self.rate)
            yield Sound(
                self.samples[:, first : first + size],
                track=track,
                time=start + first / self.rate,
                rate=self.rate,
                channels=self.channels,
            )
            first += size


def clip(samples: ArrayLike, rate: int = 48000, channels: tuple[str, ...] | None = None) -> Clip:
    """Make a clip of samples shaped (channels, count) or (count,); two channels are stereo."""
    array = np.atleast_2d(np.asarray(samples, np.float32))
    return Clip(array, rate, channels or (("FC",) if len(array) == 1 else STEREO))


def decode_sound(path: Path) -> Clip:
    """Decode the first audio track of a file."""
    parts = []
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        layout, rate = stream.codec_context.layout, stream.codec_context.sample_rate
        to_floats = av.AudioResampler(format="fltp", layout=layout, rate=rate)
        for frame in container.decode(stream):
            parts += [part.to_ndarray() for part in to_floats.resample(frame)]
    return Clip(np.concatenate(parts, axis=1), rate, tuple(one.name for one in layout.channels))


def measures(detector: Detector[Sound], sounds: Iterable[Sound]) -> list[Measure]:
    """All that a detector says."""
    return [measure for sound in sounds for measure in detector.observe(sound)]


def incidents(detector: Detector[Sound], sounds: Iterable[Sound]) -> list[Defect]:
    """What becomes an incident, at the detector's own durations: as it was when it ended."""
    tracker = Tracker(
        alarm_after=detector.alarm_after,
        clear_after=detector.clear_after,
        bridge=detector.bridge,
        threshold=detector.threshold,
        moment=lambda time: Moment(time, ""),
    )
    ended = [one for m in measures(detector, sounds) for one in tracker.observe(m)]
    ended += tracker.finish()
    return [one.defect for one in ended if one.kind == "closed"]
