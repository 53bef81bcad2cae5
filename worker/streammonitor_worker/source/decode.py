"""Turns the packets of one track into pictures or sound.

Packets come with their place in media time. It is written into the packet before it is decoded,
so that the decoder, which reorders and holds pictures back, carries it to the right one; what a
unit of the track's time base is too coarse for is kept aside and added again.
"""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import av.error

from streammonitor_worker.media import Failure, Format, Picture, Sound
from streammonitor_worker.source.attention import Attention
from streammonitor_worker.source.awaited import SILENT_CODECS, AwaitedPictures
from streammonitor_worker.source.demux import reason_of
from streammonitor_worker.source.picture_format import PictureFormats
from streammonitor_worker.source.pictures import planes_of
from streammonitor_worker.source.sounds import SoundAssembler
from streammonitor_worker.source.timeline import LONGEST_S

if TYPE_CHECKING:
    from streammonitor_worker.source.tracks import Track

Decoded = Picture | Sound | Format | Failure

_NOMINAL_S = 1 / 25
"""Duration of a picture where neither container nor decoder knows one."""
_CONCEALED = "parts of the sound are missing or concealed"
_DROPPED = "no picture came of the packet"
_KEY_WAIT = 300
"""Packets for which the first key picture is waited for: 10 s at 30/s, the longest groups of
pictures of broadcast. Then the stream is one that refreshes bit by bit, without key pictures."""


class Decoder(ABC):
    """What decoders of video and sound share."""

    def __init__(self, track: Track, max_pixels: int) -> None:
        self.track = track
        self.cpu_s = 0.0
        self.began: float | None = None
        """The thread's CPU time now, where whoever asks to decode knows it: to ask the system for
        it takes 1 µs and more."""
        self._residue = 0.0
        self._context = track.decoder
        # One thread a stream: streams are what is run in parallel. Threads of the decoder would
        # also hold back as many pictures as there are threads.
        self._context.thread_count = 1
        self._context.thread_type = "NONE"
        self._context.options = {"max_pixels": str(max_pixels)}

    def decode(self, packet: Any, at: float, duration: float) -> Iterator[Decoded]:
        """Decode a packet that is presented at media time `at` for `duration` seconds."""
        base = self.track.time_base
        if packet.pts is None:
            shift = 0
        else:
            # The small amount keeps exact multiples, which floats miss by a hair, exact.
            placed = math.floor(at / base + 1e-6)
            self._residue = at - placed * base
            shift = placed - packet.pts
            packet.pts = placed
        if packet.dts is not None:
            packet.dts += shift
        yield from self._outcome(packet, at, duration)

    def finish(self) -> Iterator[Decoded]:
        """What the decoder still holds; then it is empty."""
        self.began = None
        yield from self._outcome(None, 0.0, 0.0)

    def _outcome(self, packet: Any, at: float, duration: float) -> Iterator[Decoded]:
        began, self.began = self.began, None
        if began is None:
            began = time.thread_time()
        failure: av.error.FFmpegError | None = None
        frames: list[Any] = []
        try:
            frames = self._context.decode(packet)
        except av.error.EOFError:
            pass  # nothing is left in it
        except av.error.FFmpegError as error:
            failure = error
        self.cpu_s += time.thread_time() - began
        if packet is not None:
            self._taken(packet, at)
        if failure is not None and packet is not None:
            yield Failure(self.track.name, at, duration, reason_of(failure))
        frames.reverse()
        while frames:
            yield from self._present(frames.pop())

    def _taken(self, packet: Any, at: float) -> None:  # noqa: B027  # sound takes no note of it
        """The packet presented at `at` has gone through the decoder; pictures may come later."""

    @abstractmethod
    def _present(self, frame: Any) -> Iterator[Decoded]:
        """What a decoded frame comes to."""

    def _time(self, stamp: int | None) -> float | None:
        return None if stamp is None else stamp * self.track.time_base + self._residue


class VideoDecoder(Decoder):
    """Pictures of one video track."""

    def __init__(
        self, track: Track, max_pixels: int, attention: Attention, formats: PictureFormats
    ) -> None:
        super().__init__(track, max_pixels)
        self._attention = attention
        self._formats = formats
        self._key_wait = _KEY_WAIT
        self._following = False
        """Whether packets that build on others can be decoded: those they build on were."""
        self._end: float | None = None
        self._fresh = True
        self._awaited = AwaitedPictures() if track.codec in SILENT_CODECS else None

    def decode(self, packet: Any, at: float, duration: float) -> Iterator[Decoded]:
        change = self._formats.sent(packet, at)
        if change is not None:
            yield change
        key, attentive = packet.is_keyframe, self._attention.wants_all(at)
        if not key and self._key_wait:
            self._key_wait -= 1
            self._following = not self._key_wait
        if self._following and not attentive:
            yield from self._empty()
        self._following = attentive and (self._following or key)
        if not key and not self._following:
            return
        self._key_wait = 0
        yield from super().decode(packet, at, duration)
        if not self._following:
            # Nothing follows that would push the picture out of the decoder.
            yield from self._empty()

    def _empty(self) -> Iterator[Decoded]:
        yield from self.finish()
        self._context.flush_buffers()
        if self._awaited is not None:
            self._awaited.forget()

    def _outcome(self, packet: Any, at: float, duration: float) -> Iterator[Decoded]:
        # Only here the packet has its place in media time.
        if self._awaited is not None and packet is not None and packet.pts is not None:
            self._awaited.send(packet.pts)
        yield from super()._outcome(packet, at, duration)

    def _taken(self, packet: Any, at: float) -> None:
        if packet.is_keyframe:
            self._formats.decoded(at)

    def _missing(self, frame: Any) -> Iterator[Failure]:
        if self._awaited is None or frame.pts is None:
            return
        for stamp in self._awaited.show(frame.pts):
            start = self._time(stamp)
            if start is not None:
                yield Failure(self.track.name, start, self._duration(frame), _DROPPED)

    def _present(self, frame: Any) -> Iterator[Decoded]:
        yield from self._missing(frame)
        start = self._start(frame)
        planes = planes_of(frame)
        picture = Picture(
            planes.luma,
            planes.chroma,
            track=self.track.name,
            time=start,
            duration=self._duration(frame),
            depth=planes.depth,
            full_range=planes.full_range,
            key=frame.key_frame,
            corrupt=frame.is_corrupt,
            fresh=self._fresh,
            frame=planes.frame,
        )
        self._fresh = False
        self._end = picture.end
        form = self._formats.shown(frame, start)
        del frame, planes
        if form is not None:
            yield form
        yield picture

    def _start(self, frame: Any) -> float:
        start = self._time(frame.pts if frame.pts is not None else frame.dts)
        if self._end is None:
            return 0.0 if start is None else start
        return self._end if start is None else start

    def _duration(self, frame: Any) -> float:
        duration = float(frame.duration * self.track.time_base)
        if 0 < duration <= LONGEST_S:
            return duration
        return 1 / self.track.fps if self.track.fps else _NOMINAL_S


class AudioDecoder(Decoder):
    """Sound of one audio track."""

    def __init__(self, track: Track, max_pixels: int) -> None:
        super().__init__(track, max_pixels)
        self._assembler = SoundAssembler(track.name)
        self._format: Format | None = None

    def finish(self) -> Iterator[Decoded]:
        yield from super().finish()
        yield from self._assembler.flush()

    def _present(self, frame: Any) -> Iterator[Decoded]:
        start = self._time(frame.pts)
        known, channels, layout = self._format, frame.layout.nb_channels, frame.layout.name
        form = frame.sample_rate, channels, layout
        if known is None or (known.rate, known.channels, known.layout) != form:
            yield from self._assembler.flush()
            self._format = Format(
                self.track.name,
                start if start is not None else max(0.0, self._assembler.end),
                self.track.codec,
                rate=frame.sample_rate,
                channels=channels,
                layout=layout,
            )
            yield self._format
        blocks = list(self._assembler.add(frame, start))
        if frame.is_corrupt:
            lasts = frame.samples / frame.sample_rate
            begins = start if start is not None else self._assembler.end - lasts
            yield Failure(self.track.name, begins, lasts, _CONCEALED)
        yield from blocks


def decoder_of(
    track: Track, max_pixels: int, attention: Attention, formats: PictureFormats | None
) -> Decoder:
    """The decoder of a track; `formats` follow those of its pictures, None for sound."""
    if formats is not None:
        return VideoDecoder(track, max_pixels, attention, formats)
    return AudioDecoder(track, max_pixels)
