"""Encodes a recipe into an open container, all tracks in step.

`clip.py` lets it run as fast as it can; `live.py` holds it to the clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.frame import PictureType

from streammonitor_api.errors import InputError
from streammonitor_worker.synth import encoders
from streammonitor_worker.synth.defects import spans
from streammonitor_worker.synth.frames import to_audio_frame, to_video_frame
from streammonitor_worker.synth.material import Pictures, Samples
from streammonitor_worker.synth.packet_defects import PacketSpoiler
from streammonitor_worker.synth.recipe import Recipe
from streammonitor_worker.synth.stream_defects import key_pictures, passages

_BLOCK_S = Fraction(1, 20)
"""Sound is encoded this many seconds at a time where there is no picture to go along with."""

_LEFT_OUT = 0.3
"""Share of the pictures that a stream of variable rate does not have."""


def unhurried(_: float) -> bool:
    """Keep no pace: the next picture is always due."""
    return True


@contextmanager
def refusing_in_one_line(where: str) -> Iterator[None]:
    """Raise InputError where an encoder or a container cannot do what is asked of it."""
    try:
        yield
    except (av.error.FFmpegError, OSError) as error:
        raise InputError(
            f"{where}: cannot write this stream there ({error.strerror}); "
            "choose other codecs, another format, container or place"
        ) from error


class Encoding:
    """One recipe on its way into one container.

    `pace` is called with the time of each picture (or block of sound) before it is made, and
    ends the stream by returning False. `key_every` demands a key picture each so many pictures,
    besides those that the recipe's gop makes: segments begin with one.
    """

    def __init__(
        self,
        recipe: Recipe,
        container: OutputContainer,
        *,
        live: bool = False,
        pace: Callable[[float], bool] = unhurried,
        key_every: int | None = None,
    ) -> None:
        self.first_packet_s: dict[int, float] = {}
        """By stream: the recipe's time of the first packet, below 0 where a codec is primed."""
        self._recipe = recipe
        self._container = container
        self._pace = pace
        self.spoiler = PacketSpoiler(recipe)
        self._video: _VideoTrack | None = None
        if recipe.picture is not None:
            self._video = _VideoTrack(recipe, container, live=live, key_every=key_every)
        self._audio: list[tuple[AudioStream, Samples]] = [
            (encoders.add_audio(container, recipe), Samples(recipe, track))
            for track in range(len(recipe.sounds))
        ]
        self._samples_done = 0

    def run(self) -> None:
        """Encode everything, or until `pace` says that it is enough."""
        if self._video is not None:
            self._run_pictures(self._video)
            self._mux(self._video.flush(), "video:0")
        else:
            self._run_sound()
        for track, (stream, _) in enumerate(self._audio):
            self._mux(stream.encode(None), f"audio:{track}")

    def _run_pictures(self, video: _VideoTrack) -> None:
        recipe = self._recipe
        for index in range(recipe.pictures):
            if not self._pace(float(index / recipe.fps)):
                return
            self._mux(video.encode(index), "video:0")
            self._encode_sound_until((index + 1) / recipe.fps)
        self._encode_sound_until(Fraction(recipe.samples, recipe.audio_rate))

    def _run_sound(self) -> None:
        recipe = self._recipe
        end = Fraction(recipe.samples, recipe.audio_rate)
        time = Fraction(0)
        while time < end and self._pace(float(time)):
            time = min(time + _BLOCK_S, end)
            self._encode_sound_until(time)

    def _encode_sound_until(self, time: Fraction) -> None:
        first = self._samples_done
        count = min(int(time * self._recipe.audio_rate), self._recipe.samples) - first
        if count <= 0:
            return
        for track, (stream, samples) in enumerate(self._audio):
            frame = to_audio_frame(samples.read(first, count), self._recipe, first)
            self._mux(stream.encode(frame), f"audio:{track}")
        self._samples_done += count

    def _mux(self, packets: Sequence[av.Packet[Any]], track: str) -> None:
        for packet in packets:
            index = packet.stream.index
            if index not in self.first_packet_s and packet.pts is not None:
                self.first_packet_s[index] = float(packet.pts * packet.time_base)
            self.spoiler.spoil(packet, track)
            self._container.mux(packet)


class _VideoTrack:
    """The pictures of a recipe, encoded one by one, with a new encoder at a change of format."""

    def __init__(
        self, recipe: Recipe, container: OutputContainer, *, live: bool, key_every: int | None
    ) -> None:
        self._stream = encoders.add_video(container, recipe, live=live)
        self._encoder = self._stream.codec_context
        self._live = live
        self._recipe = recipe
        self._pictures = Pictures(recipe)
        self._changes = dict(passages(recipe)[1:])
        self._keys = key_pictures(recipe)
        self._key_every = key_every
        edges = {edge for span in spans(recipe, "video") for edge in (span.first, span.last)}
        self._never_left_out = self._keys | edges | {0, recipe.pictures - 1}

    def encode(self, index: int) -> list[av.Packet[Any]]:
        """Encode a picture, if there is one of that number."""
        packets = []
        if index in self._changes:
            packets = self.flush()
            self._recipe = self._changes[index]
            self._encoder = encoders.make_video_encoder(self._recipe, live=self._live)
            self._pictures = Pictures(self._recipe)
        if self._is_left_out(index):
            return packets
        frame = to_video_frame(self._pictures.render(index), self._recipe, index)
        if index in self._keys or (self._key_every and index % self._key_every == 0):
            frame.pict_type = PictureType.I
        return packets + self._of_stream(self._encoder.encode(frame))

    def flush(self) -> list[av.Packet[Any]]:
        """Give the packets that the encoder has kept back; it takes no picture after that."""
        return self._of_stream(self._encoder.encode(None))

    def _of_stream(self, packets: Sequence[av.Packet[Any]]) -> list[av.Packet[Any]]:
        for packet in packets:
            packet.stream = self._stream
        return list(packets)

    def _is_left_out(self, index: int) -> bool:
        begins_segment = self._key_every and index % self._key_every == 0
        if not self._recipe.variable_rate or begins_segment or index in self._never_left_out:
            return False
        return bool(np.random.default_rng([self._recipe.seed, index]).random() < _LEFT_OUT)
