"""Turns canvases and sample blocks into the frames that encoders take."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
from av.video.reformatter import ColorRange
from numpy.typing import NDArray

from streammonitor_worker.synth.canvas import U8, Canvas
from streammonitor_worker.synth.loudness import F32
from streammonitor_worker.synth.recipe import Recipe

_LEVELS = np.arange(256)
_FULL_LUMA = np.clip(np.round((_LEVELS - 16) * 255 / 219), 0, 255).astype(np.uint8)
_FULL_COLOUR = np.clip(np.round((_LEVELS - 128) * 255 / 224 + 128), 0, 255).astype(np.uint8)
"""From limited to full range, ITU-T H.273."""


def to_video_frame(canvas: Canvas, recipe: Recipe, pts: int) -> av.VideoFrame:
    """Copy a canvas into a frame of the recipe's pixel format and range."""
    frame = av.VideoFrame(canvas.width, canvas.height, recipe.pix_fmt)
    for target, (source, to_full) in zip(
        frame.planes, zip(canvas.planes, (_FULL_LUMA, _FULL_COLOUR, _FULL_COLOUR), strict=True),
        strict=True,
    ):  # fmt: skip
        levels = to_full[source] if recipe.full_range else source
        _fill_plane(target, levels, recipe.depth)
    frame.pts = pts
    frame.time_base = 1 / recipe.fps
    frame.color_range = ColorRange.JPEG if recipe.full_range else ColorRange.MPEG
    return frame


def _fill_plane(plane: av.video.plane.VideoPlane, levels: U8, depth: int) -> None:
    height, width = levels.shape
    if depth == 8:
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
        rows[:height, :width] = levels
        return
    deep: NDArray[np.uint16] = np.frombuffer(memoryview(plane), np.uint16).reshape(
        plane.height, plane.line_size // 2
    )
    deep[:height, :width] = levels
    deep[:height, :width] <<= depth - 8


def to_audio_frame(samples: F32, recipe: Recipe, pts: int) -> av.AudioFrame:
    """Copy (channels, count) samples into a frame whose time base is the sampling rate."""
    frame = av.AudioFrame.from_ndarray(
        np.ascontiguousarray(samples), format="fltp", layout=recipe.audio_layout
    )
    frame.sample_rate = recipe.audio_rate
    frame.time_base = Fraction(1, recipe.audio_rate)
    frame.pts = pts
    return frame
