"""Small files of every kind, and of none that an honest encoder writes."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from streammonitor_worker.synth import Injection, Recipe, write_clip

BLACK = Injection("video-black", 1.0, 0.5)
SILENCE = Injection("audio-silence", 1.0, 0.5)


def make(path: Path, **recipe: Any) -> Any:
    """A small clip and its truth."""
    fields: dict[str, Any] = {
        "duration_s": 2.0,
        "width": 160,
        "height": 90,
        "gop_s": 1.0,
        "injections": (BLACK, SILENCE),
    }
    return write_clip(Recipe(**{**fields, **recipe}), path)


def remux(source: Path, target: Path) -> Path:
    """The same packets in another container."""
    with av.open(str(source)) as reader, av.open(str(target), "w") as writer:
        copies = {stream: writer.add_stream_from_template(stream) for stream in reader.streams}
        for packet in reader.demux():
            if packet.dts is not None:
                packet.stream = copies[packet.stream]
                writer.mux(packet)
    return target


def encode(
    path: Path,
    frames: list[av.VideoFrame],
    codec: str,
    *,
    pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
) -> Path:
    """A video-only file of frames whose timestamps are in milliseconds."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=25, options=options or {})
        stream.width, stream.height = frames[0].width, frames[0].height
        stream.pix_fmt = pix_fmt
        stream.codec_context.time_base = Fraction(1, 1000)
        for frame in frames:
            frame.time_base = Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def grey_frames(
    count: int, at_ms: Callable[[int], int], *, width: int = 96, height: int = 64
) -> list[av.VideoFrame]:
    """Frames that get brighter."""
    frames = []
    for number in range(count):
        grey = np.full((height, width, 3), 40 + 10 * number % 200, np.uint8)
        frame = av.VideoFrame.from_ndarray(grey, format="rgb24").reformat(format="yuv420p")
        frame.pts = at_ms(number)
        frames.append(frame)
    return frames
