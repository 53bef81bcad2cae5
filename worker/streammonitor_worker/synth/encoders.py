"""Opens encoders for a recipe, quick ones by default: a test should not wait for its input."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from streammonitor_api.errors import InputError, suggestion
from streammonitor_worker.synth.recipe import Recipe

_VIDEO = {
    # Measured on 720p30 "testcard" with one core: milliseconds a picture.
    "h264": ("libx264", {"preset": "superfast"}),  # 7.5; the quickest with CABAC and B pictures
    "hevc": ("libx265", {"preset": "ultrafast"}),  # 22
    "mpeg2video": ("mpeg2video", {}),  # 3
    "mpeg4": ("mpeg4", {}),  # 3
    "vp8": ("libvpx", {"deadline": "realtime", "cpu-used": "8"}),  # 12
    "vp9": ("libvpx-vp9", {"deadline": "realtime", "cpu-used": "8"}),  # 13
    "av1": ("libsvtav1", {"preset": "12"}),  # 10
}
_PRESETS = (
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow",
)  # fmt: skip
"""Of x264 and x265; SVT-AV1 has numbers."""

_AUDIO = {"mp3": "libmp3lame", "opus": "libopus"}

LIVE_H264 = {"preset": "ultrafast", "tune": "zerolatency"}
"""3 ms a picture, and none is held back."""

_BITS_PER_PIXEL = 0.15
"""For the encoders that know no constant quality: 4 Mb/s at 720p30."""

_AUDIO_BITS_PER_CHANNEL = 64_000


def add_video(container: OutputContainer, recipe: Recipe, *, live: bool = False) -> VideoStream:
    """Add a video stream to a container."""
    name, options = _video_encoder(recipe, live=live)
    with _as_input_error():
        stream = cast(VideoStream, container.add_stream(name, rate=recipe.fps, options=options))
    _configure(stream.codec_context, recipe)
    return stream


def make_video_encoder(recipe: Recipe, *, live: bool = False) -> VideoCodecContext:
    """Make an encoder whose packets carry all headers in band."""
    name, options = _video_encoder(recipe, live=live)
    context = cast(VideoCodecContext, av.CodecContext.create(name, "w"))
    context.options = options
    context.framerate = recipe.fps
    _configure(context, recipe)
    return context


def add_audio(container: OutputContainer, recipe: Recipe) -> AudioStream:
    """Add an audio stream to a container."""
    name = _AUDIO.get(recipe.audio_codec, recipe.audio_codec)
    with _as_input_error():
        stream = cast(
            AudioStream,
            container.add_stream(name, rate=recipe.audio_rate, layout=recipe.audio_layout),
        )
    context = stream.codec_context
    context.time_base = Fraction(1, recipe.audio_rate)
    context.bit_rate = _AUDIO_BITS_PER_CHANNEL * len(recipe.channels)
    return stream


def bits_per_second(recipe: Recipe) -> int:
    """Estimate the rate of a stream, for playlists."""
    sound = _AUDIO_BITS_PER_CHANNEL * len(recipe.channels) * len(recipe.sounds)
    if recipe.picture is None:
        return sound
    return (recipe.video_bitrate or _usual_video_rate(recipe)) + sound


def _usual_video_rate(recipe: Recipe) -> int:
    return max(100_000, int(_BITS_PER_PIXEL * recipe.width * recipe.height * recipe.fps))


@contextmanager
def _as_input_error() -> Iterator[None]:
    """Tell users of a codec that does not belong into a container."""
    try:
        yield
    except ValueError as error:
        raise InputError(f"recipe: {error}; choose another codec or container") from error


def _configure(context: VideoCodecContext, recipe: Recipe) -> None:
    context.width, context.height = recipe.width, recipe.height
    context.pix_fmt = recipe.pix_fmt
    context.time_base = 1 / recipe.fps
    context.gop_size = max(1, round(recipe.gop_s * recipe.fps))
    context.thread_count = 1  # the same bytes on every machine
    context.color_range = 2 if recipe.full_range else 1
    if recipe.video_bitrate is not None:
        context.bit_rate = recipe.video_bitrate
    elif recipe.video_codec in {"mpeg2video", "mpeg4", "vp8"} and recipe.crf is None:
        context.bit_rate = _usual_video_rate(recipe)
    if recipe.video_codec == "av1":
        _open_with_our_priority(context)


def _open_with_our_priority(context: VideoCodecContext) -> None:
    """Open SVT-AV1 and undo the priority that it takes.

    Run by root, it makes its threads and the one that opens it SCHED_FIFO 99 (seen in 4.1.0).
    Such a thread starves all others of its core, and every process that it starts inherits that.
    """
    scheduler, parameter = os.sched_getscheduler(0), os.sched_getparam(0)
    others = _threads() - {threading.get_native_id()}
    context.open()
    for thread in _threads() - others:
        with suppress(ProcessLookupError):  # a thread may have ended meanwhile
            os.sched_setscheduler(thread, scheduler, parameter)


def _threads() -> set[int]:
    return {int(one.name) for one in Path("/proc/self/task").iterdir()}


def _video_encoder(recipe: Recipe, *, live: bool) -> tuple[str, dict[str, str]]:
    name, options = _VIDEO[recipe.video_codec]
    options = dict(options)
    if live and recipe.video_codec == "h264":
        options |= LIVE_H264
    if recipe.preset is not None:
        if "preset" not in options:
            raise InputError(
                f'preset "{recipe.preset}": {recipe.video_codec} has none; leave it out'
            )
        if recipe.video_codec != "av1" and recipe.preset not in _PRESETS:
            raise InputError(
                f'preset "{recipe.preset}": unknown; {suggestion(recipe.preset, _PRESETS)}'
            )
        options["preset"] = recipe.preset
    if recipe.crf is not None:
        if recipe.video_codec in {"mpeg2video", "mpeg4"}:
            raise InputError(f"crf {recipe.crf}: {recipe.video_codec} has none; give a bit rate")
        options["crf"] = str(recipe.crf)
    return name, options | _private(recipe)


def _private(recipe: Recipe) -> dict[str, str]:
    """Options of single encoders: forced key pictures, fields, silence, one thread."""
    codec = recipe.video_codec
    if codec == "h264":
        fields = ":tff=1" if recipe.interlaced else ""
        return {"forced-idr": "1", "x264-params": f"slices={recipe.slices}{fields}"}
    if codec == "hevc":
        if recipe.interlaced:
            raise InputError("interlaced: hevc codes fields apart; use h264 or mpeg2video")
        return {
            "forced-idr": "1",
            "x265-params": "pools=none:frame-threads=1:log-level=error",
        }
    if codec in {"mpeg2video", "mpeg4"} and recipe.interlaced:
        return {"flags": "+ildct+ilme", "top": "1"}
    if recipe.interlaced:
        raise InputError(f"interlaced: {codec} knows no fields; use h264 or mpeg2video")
    if codec == "av1":
        os.environ.setdefault("SVT_LOG", "1")  # else it greets on standard error
        # Without scm=0 the tools for screen content make colour bars that no decoder can read.
        return {"svtav1-params": "lp=1:scm=0"}
    return {}
