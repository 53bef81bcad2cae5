"""From decoded frames of sound to blocks of samples whose times are exact.

Frames come in whatever size the codec likes; detectors get blocks of a fixed size. The frames of
a block are held and copied together: one by one, between two pictures, it takes twice as long.
Within a run
of sound time is counted in samples: timestamps are rounded (to 1 ms in Matroska) and jitter, so
they decide only where a run begins, and when they depart for good.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from streammonitor_worker.media import Sound
from streammonitor_worker.media.sound import BLOCK_CHUNKS, chunk_samples

if TYPE_CHECKING:
    from numpy.typing import NDArray

DRIFT_S = 0.015
"""Departure from the counted time that begins a new run: more than rounding and jitter of
containers (1 ms) and of RTMP senders (about 10 ms), less than one AAC frame lost (21 ms)."""

_FULL_SCALE = {
    "u8": 2.0**7,
    "s16": 2.0**15,
    "s32": 2.0**31,
    "s64": 2.0**63,
    "flt": 1.0,
    "dbl": 1.0,
}
_TYPES = {
    "u8": np.uint8,
    "s16": np.int16,
    "s32": np.int32,
    "s64": np.int64,
    "flt": np.float32,
    "dbl": np.float64,
}


class SoundAssembler:
    """Joins the frames of one track. Not more than one block and a frame are held."""

    def __init__(self, track: str) -> None:
        self._track = track
        self._rate = 0
        self._layout = ""
        self._channels: tuple[str, ...] = ()
        self._size = 0
        """Samples of a block."""
        self._frames: list[tuple[Any, int]] = []
        """What is held: frames, and how many samples of each are left out."""
        self._held = 0
        """Samples of them that are not left out."""
        self._anchor = 0.0
        """Media time of sample 0 of the run."""
        self._counted = 0
        """Samples of the run, those in the block included."""

    @property
    def end(self) -> float:
        """Media time up to which there are samples."""
        return self._anchor + self._counted / self._rate if self._rate else float("-inf")

    def add(self, frame: Any, time: float | None) -> Iterator[Sound]:
        """Take a frame; `time` is the media time of its first sample, None to go on counting."""
        layout = frame.layout.name
        if frame.sample_rate != self._rate or layout != self._layout:
            yield from self.flush()
            self._layout = layout
            channels = tuple(channel.name for channel in frame.layout.channels)
            self._start(frame.sample_rate, channels, time)
        skipped = 0
        if time is not None and abs(time - self.end) > DRIFT_S:
            yield from self.flush()
            skipped = max(0, min(frame.samples, round((self.end - time) * self._rate)))
            if not skipped:
                self._anchor, self._counted = time, 0
        if skipped == frame.samples:
            return
        self._frames.append((frame, skipped))
        self._held += frame.samples - skipped
        self._counted += frame.samples - skipped
        if self._held >= self._size:
            yield from self._blocks()

    def flush(self) -> Iterator[Sound]:
        """Give what is there, as a short block."""
        if self._held:
            yield from self._join()
            self._frames.clear()
            self._held = 0

    def _start(self, rate: int, channels: tuple[str, ...], time: float | None) -> None:
        begin = time if time is not None else (self.end if self._rate else 0.0)
        begin = max(begin, self.end)
        self._rate, self._channels = rate, channels
        self._anchor, self._counted = begin, 0
        self._size = BLOCK_CHUNKS * chunk_samples(rate)

    def _blocks(self) -> Iterator[Sound]:
        """Give the blocks that are full; hold what is left of the last frame."""
        frame, _ = self._frames[-1]
        left = self._held % self._size
        yield from self._join(left)
        self._frames = [(frame, frame.samples - left)] if left else []
        self._held = left

    def _join(self, left: int = 0) -> Iterator[Sound]:
        """Copy what is held, but for the last samples, and cut it into blocks."""
        samples = np.empty((len(self._channels), self._held), np.float32)
        filled = 0
        for frame, skipped in self._frames:
            scale = _FULL_SCALE[frame.format.name.rstrip("p")]
            end = filled + frame.samples - skipped
            for channel, view in enumerate(_views(frame, len(self._channels))):
                _convert(view[skipped:], scale, samples[channel, filled:end])
            filled = end
        begin = self._counted - self._held
        for first in range(0, self._held - left, self._size):
            block = samples[:, first : min(first + self._size, self._held - left)]
            time = self._anchor + (begin + first) / self._rate
            yield Sound(
                block, track=self._track, time=time, rate=self._rate, channels=self._channels
            )


def _views(frame: Any, channels: int) -> list[NDArray[Any]]:
    """One view of each channel's samples, as the decoder left them."""
    form = frame.format
    sample_type = _TYPES[form.name.rstrip("p")]
    count = frame.samples
    if form.is_planar:
        # The binding looks for the last plane beyond the end, where there are eight or more.
        planes = frame.planes[:channels]
        return [np.frombuffer(plane, sample_type, count) for plane in planes]
    packed = np.frombuffer(frame.planes[0], sample_type, count * channels)
    return [packed[channel::channels] for channel in range(channels)]


def _convert(samples: NDArray[Any], scale: float, into: NDArray[np.float32]) -> None:
    if samples.dtype == np.float32:
        into[:] = samples
    elif samples.dtype == np.uint8:
        into[:] = samples
        into -= scale
        into /= scale
    else:
        np.multiply(samples, 1.0 / scale, out=into, casting="unsafe")
