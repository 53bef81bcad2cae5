"""Frames of any pixel format are seen as luma and chroma, without copying where possible."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from streammonitor_worker.source.pictures import layout_of, planes_of
from streammonitor_worker.source.still import encode_jpeg


def grey_frame(form: str, width: int = 62, height: int = 46) -> av.VideoFrame:
    """A frame with a horizontal ramp of grey, in any format."""
    ramp = np.linspace(20, 230, width).astype(np.uint8)[None].repeat(height, 0)
    rgb = np.repeat(ramp[:, :, None], 3, axis=2)
    return av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format=form)


PLANAR = {
    "yuv420p": (8, (23, 31)),
    "yuv422p": (8, (46, 31)),
    "yuv444p": (8, (46, 62)),
    "yuv410p": (8, (12, 16)),
    "yuvj420p": (8, (23, 31)),
    "yuva420p": (8, (23, 31)),
    "yuv420p10le": (10, (23, 31)),
    "yuv422p12le": (12, (46, 31)),
    "yuv444p16le": (16, (46, 62)),
    "nv12": (8, (23, 31)),
    "nv21": (8, (23, 31)),
    "gray": (8, None),
    "gray10le": (10, None),
    "gray16le": (16, None),
}


@pytest.mark.parametrize("form", PLANAR)
def test_planar_frame_is_viewed_without_a_copy(form: str) -> None:
    frame = grey_frame(form)
    depth, chroma_shape = PLANAR[form]

    planes = planes_of(frame)

    assert planes.frame is frame
    assert planes.luma.shape == (46, 62)
    assert planes.depth == depth
    assert planes.luma.dtype == (np.uint8 if depth == 8 else np.uint16)
    assert not planes.luma.flags.writeable
    address = planes.luma.__array_interface__["data"][0]
    assert address == frame.planes[0].buffer_ptr
    chroma = planes.chroma()
    if chroma_shape is None:
        assert chroma is None
    else:
        assert chroma is not None
        assert [plane.shape for plane in chroma] == [chroma_shape, chroma_shape]


@pytest.mark.parametrize("form", PLANAR)
def test_luma_has_the_levels_of_the_picture(form: str) -> None:
    planes = planes_of(grey_frame(form))

    row = planes.luma[20].astype(float) / 2 ** (planes.depth - 8)
    if not planes.full_range:
        row = (row - 16) * 255 / 219
    assert row[1] == pytest.approx(23, abs=4)
    assert row[60] == pytest.approx(227, abs=4)
    middle = 128 * 2 ** (planes.depth - 8)
    for plane in planes.chroma() or ():
        assert np.abs(plane.astype(float) - middle).max() <= 2 ** (planes.depth - 7)


@pytest.mark.parametrize(
    "form", ["rgb24", "bgra", "gbrp", "yuyv422", "uyvy422", "yuv420p10be", "p010le", "monow", "ya8"]
)
def test_other_formats_are_converted(form: str) -> None:
    planes = planes_of(grey_frame(form))

    assert layout_of(form) is None
    assert planes.frame.format.name == "yuv420p"
    assert planes.luma.shape == (46, 62)
    if form != "monow":
        assert (planes.luma[20, 60] - 16.0) * 255 / 219 == pytest.approx(227, abs=5)


def test_palette_is_looked_up() -> None:
    indices = np.zeros((46, 62), np.uint8)
    indices[:, 31:] = 1
    palette = np.zeros((256, 4), np.uint8)
    palette[:, 0] = 255  # alpha
    palette[1] = 255
    frame: Any = av.VideoFrame.from_ndarray((indices, palette), format="pal8")  # type: ignore[arg-type]

    planes = planes_of(frame)

    assert int(planes.luma[20, 5]) == pytest.approx(16, abs=2)
    assert int(planes.luma[20, 55]) == pytest.approx(235, abs=2)


@pytest.mark.parametrize(
    ("form", "declared", "expected"),
    [
        ("yuv420p", 0, False),
        ("yuv420p", 1, False),
        ("yuv420p", 2, True),
        ("yuvj420p", 0, True),
        ("gray", 0, True),
    ],
)
def test_range_is_what_the_stream_says_or_the_format_means(
    form: str, declared: int, expected: bool
) -> None:
    frame = av.VideoFrame(64, 48, form)
    frame.color_range = declared

    assert planes_of(frame).full_range is expected


@pytest.mark.parametrize(("width", "height"), [(1, 1), (3, 5), (161, 91), (64, 2)])
def test_odd_sizes_are_kept(width: int, height: int) -> None:
    planes = planes_of(av.VideoFrame(width, height, "yuv420p"))

    assert planes.luma.shape == (height, width)
    chroma = planes.chroma()
    assert chroma is not None
    assert chroma[0].shape == ((height + 1) // 2, (width + 1) // 2)


@pytest.mark.parametrize("form", ["yuv420p", "yuv422p10le", "gray", "nv12"])
def test_still_picture_looks_like_the_frame(form: str, tmp_path: Path) -> None:
    path = tmp_path / "still.jpg"
    path.write_bytes(encode_jpeg(planes_of(grey_frame(form)).frame))

    with av.open(str(path)) as container:
        seen = next(container.decode(video=0)).to_ndarray(format="gray")

    assert seen.shape == (46, 62)
    assert seen[20, 1] == pytest.approx(23, abs=8)
    assert seen[20, 60] == pytest.approx(227, abs=8)
