"""Everything of a stream that is neither picture nor sound.

Each item carries the track it belongs to (`video:0`, `audio:1`, or `stream` for the whole) and
its media time in seconds. Times count from an origin that is the same for all tracks of a stream;
they never jump: the source has unwrapped and re-anchored them, and says in `Packet.jump_s` that
it had to.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

STREAM_TRACK = "stream"
ASPECT_TOLERANCE = 0.01
"""Relative: 12:11 and 59:54, both written for the pixels of 4:3 at 576 lines, differ by 0.0015."""


class Packet(NamedTuple):
    """One compressed access unit, before it is decoded."""

    track: str
    time: float
    """Media time of its presentation, in seconds (of its decoding, where it has no other)."""
    duration: float
    """Seconds; 0 where the container does not say."""
    size: int
    """Bytes."""
    key: bool
    """Whether decoding can start here."""
    corrupt: bool = False
    """The demuxer marked it as damaged (bytes of it were lost)."""
    jump_s: float = 0.0
    """By how much its timestamp departs from where the packet before it ended; 0 for none."""
    continuity_errors: int = 0
    """MPEG-TS packets found missing or out of order since the packet before (all PIDs)."""

    @property
    def end(self) -> float:
        return self.time + self.duration


class Format(NamedTuple):
    """What a track is encoded as; sent before its first sample and whenever it changes."""

    track: str
    time: float
    codec: str
    width: int = 0
    height: int = 0
    fps: float = 0.0
    """Nominal pictures per second; 0 where unknown or absurd."""
    pixel_format: str = ""
    """As FFmpeg names it, without the range: `yuv420p`, never `yuvj420p`."""
    aspect: float = 1.0
    """Width of a pixel relative to its height."""
    full_range: bool = False
    transfer: str = ""
    """`pq` or `hlg`; empty for everything of standard dynamic range."""
    interlaced: bool = False
    rate: int = 0
    """Samples per second."""
    channels: int = 0
    layout: str = ""
    """Which channels, as FFmpeg names it: `stereo`, `5.1(side)`."""
    was_fps: float = 0.0
    """Where the rate was measured to have changed: the one before; 0 elsewhere."""

    def describe(self) -> str:
        """Write it as people do: `h264 1920x1080 29.97 fps yuv420p`, `aac 48000 Hz 2 channels`;
        what is out of the ordinary comes after it."""
        if self.rate:
            plural = "" if self.channels == 1 else "s"
            return f"{self.codec} {self.rate} Hz {self.channels} channel{plural}"
        fps = f" {self.fps:.5g} fps" if self.fps else ""
        usual = f"{self.codec} {self.width}x{self.height}{fps} {self.pixel_format}".rstrip()
        return usual + "".join(f" {word}" for word in self._unusual())

    def _unusual(self) -> Iterator[str]:
        if self.interlaced:
            yield "interlaced"
        if self.full_range:
            yield "full range"
        if self.transfer:
            yield self.transfer.upper()
        if abs(self.aspect - 1) > ASPECT_TOLERANCE:
            yield f"pixels {self.aspect:.4g}:1"


class Failure(NamedTuple):
    """A packet that the decoder refused, or a picture that it could decode only in part."""

    track: str
    time: float
    duration: float
    reason: str


class Connection(NamedTuple):
    """Whether the source can be read; repeated while it cannot.

    While there is no media, media time stands still: `time` counts on the stream's clock,
    seconds since the watching began.
    """

    track: str
    time: float
    up: bool
    reason: str = ""


class Idle(NamedTuple):
    """How long a live stream, or one of its tracks, has given no media, as of now.

    `time` is now: on the stream's clock for a whole stream, the media time that the other tracks
    have reached for a single one.
    """

    track: str
    time: float
    idle_s: float
    """Seconds beyond the interval at which this kind of source delivers; 0 while media flows."""
