"""From decoded frames to pictures: views of the decoder's memory wherever it has planes."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from av.video.format import VideoFormat

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Plane = NDArray[np.uint8] | NDArray[np.uint16]

FULL_RANGE = 2
"""AVCOL_RANGE_JPEG."""
_FALLBACK = "yuv420p"
"""What pictures without planes of their own are turned into: RGB, palettes, packed YUV."""


class Layout(NamedTuple):
    """How the samples of a pixel format lie in memory."""

    depth: int
    chroma: str
    """`planes`, `pairs` (both colours in one plane, in turn) or `none`."""
    full_range: bool
    """Full range by definition, whatever the stream says."""


@cache
def layout_of(pixel_format: str) -> Layout | None:
    """None for a format whose luma is no plane of its own, 8 to 16 bits, low bits first."""
    if pixel_format in ("gray", "ya8"):
        return Layout(8, "none", full_range=True) if pixel_format == "gray" else None
    form = VideoFormat(pixel_format)
    first = form.components[0]
    if form.is_rgb or form.has_palette or form.is_bit_stream or form.is_bayer:
        return None
    if form.is_big_endian or not 8 <= first.bits <= 16:
        return None
    if pixel_format.startswith("gray"):
        return Layout(first.bits, "none", full_range=True)
    if pixel_format in ("nv12", "nv21", "nv16", "nv24", "nv42"):
        return Layout(8, "pairs", full_range=False)
    if pixel_format.startswith(("yuv", "yuva")) and len({c.plane for c in form.components}) >= 3:
        return Layout(first.bits, "planes", full_range=pixel_format.startswith("yuvj"))
    return None


class Planes(NamedTuple):
    """The samples of one frame."""

    luma: Plane
    chroma: Callable[[], tuple[Plane, Plane] | None]
    """Gives the colour planes: most pictures are judged by their luma."""
    depth: int
    full_range: bool
    frame: Any
    """The frame that owns the memory."""


def planes_of(frame: Any) -> Planes:
    """View a decoded frame, or a converted copy where its luma is no plane of its own."""
    layout = layout_of(frame.format.name)
    if layout is None:
        frame = frame.reformat(format=_FALLBACK, threads=1)
        layout = layout_of(_FALLBACK)
        assert layout is not None  # noqa: S101 - by definition of the fallback
    luma = _plane(frame.planes[0], layout, frame.width, frame.height)
    return Planes(
        luma,
        partial(_chroma, frame, layout),
        layout.depth,
        layout.full_range or frame.color_range == FULL_RANGE,
        frame,
    )


def _chroma(frame: Any, layout: Layout) -> tuple[Plane, Plane] | None:
    if layout.chroma == "none":
        return None
    first = frame.planes[1]
    if layout.chroma == "pairs":
        both = _plane(first, layout, 2 * first.width, first.height)
        return both[:, ::2], both[:, 1::2]
    second = frame.planes[2]
    return (
        _plane(first, layout, first.width, first.height),
        _plane(second, layout, second.width, second.height),
    )


def _plane(plane: Any, layout: Layout, width: int, height: int) -> Plane:
    line_size = plane.line_size
    samples: Plane
    if layout.depth == 8:
        samples = np.frombuffer(plane, np.uint8)
    else:
        samples = np.frombuffer(plane, np.uint16)
    rows = samples.reshape(height, abs(line_size) // samples.itemsize)
    if line_size < 0:  # stored bottom up
        rows = rows[::-1]
    view = rows[:, :width]
    view.flags.writeable = False
    return view
