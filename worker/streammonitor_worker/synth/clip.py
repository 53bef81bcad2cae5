"""Encodes a recipe into a file and tells the truth about it in media time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.stream import VideoStream

from streammonitor_api.errors import InputError
from streammonitor_worker.synth import encoders
from streammonitor_worker.synth.defects import check_injections
from streammonitor_worker.synth.frames import to_audio_frame, to_video_frame
from streammonitor_worker.synth.material import Pictures, Samples, material_defects
from streammonitor_worker.synth.recipe import Recipe
from streammonitor_worker.synth.truth import Truth

_BLOCK_S = Fraction(1, 20)
"""Sound is encoded this many seconds at a time where there is no picture to go along with."""


def write_clip(recipe: Recipe, path: Path | str, options: dict[str, str] | None = None) -> Truth:
    """Write the recipe's stream to a file and return what is wrong with it.

    The container follows from the file's name (.mp4, .mkv, .ts, .mov, .webm, .avi, .m3u8 …);
    `options` are the container's own. Raises InputError where the recipe cannot be made or does
    not fit the container.
    """
    check_injections(recipe)
    path = Path(path)
    with _as_input_error(path), av.open(str(path), "w", options=options or {}) as container:
        encoding = Encoding(recipe, container)
        encoding.run()
    shift = media_shift(path, encoding.first_packet_s)
    return Truth(
        recipe.to_dict(),
        tuple(
            sorted(
                (defect.shifted(shift) for defect in material_defects(recipe)),
                key=lambda defect: defect.onset_s,
            )
        ),
    )


@contextmanager
def _as_input_error(path: Path) -> Iterator[None]:
    try:
        yield
    except (av.error.FFmpegError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            f"{path}: cannot write this stream there ({reason}); "
            "choose other codecs or another container"
        ) from error


class Encoding:
    """Encodes a recipe into a container, all tracks in step.

    `pace` is called with the time of each picture (or block of sound) before it is made, and
    ends the stream by returning False: that is how a live stream keeps to the clock.
    """

    def __init__(
        self,
        recipe: Recipe,
        container: OutputContainer,
        *,
        live: bool = False,
        pace: Callable[[float], bool] = lambda _: True,
    ) -> None:
        self.recipe = recipe
        self.first_packet_s: dict[int, float] = {}
        """By stream: the recipe's time of the first packet, below 0 where a codec is primed."""
        self._container = container
        self._pace = pace
        self._video: VideoStream | None = None
        if recipe.picture is not None:
            self._video = encoders.add_video(container, recipe, live=live)
            self._pictures = Pictures(recipe)
        self._audio: list[tuple[AudioStream, Samples]] = [
            (encoders.add_audio(container, recipe), Samples(recipe, track))
            for track in range(len(recipe.sounds))
        ]
        self._samples_done = 0

    def run(self) -> None:
        """Encode everything, or until `pace` says that it is enough."""
        if self._video is not None:
            self._run_pictures(self._video)
        else:
            self._run_sound()
        if self._video is not None:
            self._mux(self._video.encode(None))
        for stream, _ in self._audio:
            self._mux(stream.encode(None))

    def _run_pictures(self, stream: VideoStream) -> None:
        recipe = self.recipe
        for index in range(recipe.pictures):
            if not self._pace(float(index / recipe.fps)):
                return
            frame = to_video_frame(self._pictures.render(index), recipe, index)
            self._mux(stream.encode(frame))
            self._encode_sound_until((index + 1) / recipe.fps)
        self._encode_sound_until(Fraction(recipe.samples, recipe.audio_rate))

    def _run_sound(self) -> None:
        recipe = self.recipe
        end = Fraction(recipe.samples, recipe.audio_rate)
        time = Fraction(0)
        while time < end and self._pace(float(time)):
            time = min(time + _BLOCK_S, end)
            self._encode_sound_until(time)

    def _encode_sound_until(self, time: Fraction) -> None:
        first = self._samples_done
        count = min(int(time * self.recipe.audio_rate), self.recipe.samples) - first
        if count <= 0:
            return
        for stream, samples in self._audio:
            frame = to_audio_frame(samples.read(first, count), self.recipe, first)
            self._mux(stream.encode(frame))
        self._samples_done += count

    def _mux(self, packets: Sequence[av.Packet[Any]]) -> None:
        for packet in packets:
            index = packet.stream.index
            if index not in self.first_packet_s and packet.pts is not None:
                self.first_packet_s[index] = float(packet.pts * packet.time_base)
            self._container.mux(packet)


def media_shift(path: Path, first_packet_s: dict[int, float]) -> float:
    """Find by how much media time is ahead of the recipe's time in a finished file.

    Codecs that are primed begin before 0; some containers cut that off when they are played,
    others move everything so that it begins at 0. Media time begins with the first sample that
    is presented, so it can only be known from the file.
    """
    moved: float | None = None
    presented: dict[int, float] = {}
    with av.open(str(path)) as container:
        for packet in container.demux():
            index = packet.stream.index
            if packet.pts is None or index in presented:
                continue
            if moved is None and index in first_packet_s:
                moved = float(packet.pts * packet.time_base) - first_packet_s[index]
            for frame in packet.decode():
                if isinstance(frame, av.VideoFrame | av.AudioFrame) and frame.time is not None:
                    presented.setdefault(index, frame.time)
            if len(presented) == len(first_packet_s):
                break
    if moved is None or not presented:
        raise InputError(f"{path}: nothing to watch was written; use a longer duration")
    return moved - min(presented.values())
