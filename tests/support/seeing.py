"""Pictures for tests of detectors: from arrays or a file to pictures, from those to incidents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from streammonitor_api.incident import Moment
from streammonitor_worker.detectors.base import Detector, Measure
from streammonitor_worker.incidents import Defect, Tracker
from streammonitor_worker.media import Picture
from streammonitor_worker.source import Source, SourceOptions

Plane = NDArray[np.uint8] | NDArray[np.uint16]
Planes = tuple[Plane, Plane, Plane]
Colour = tuple[int, int, int]
FPS = 25
GREY: Colour = (126, 128, 128)


def field(height: int = 180, width: int = 320, colour: Colour = GREY) -> Planes:
    """Planes of one colour, 4:2:0, 8 bits."""
    half = (height + 1) // 2, (width + 1) // 2
    sizes = (height, width), half, half
    luma, blue, red = (np.full(s, c, np.uint8) for s, c in zip(sizes, colour, strict=True))
    return luma, blue, red


def texture(
    height: int = 180, width: int = 320, seed: int = 0, contrast: float = 30.0
) -> NDArray[np.uint8]:
    """Luma with structure of all sizes, as natural pictures have it (power falls as 1/f²)."""
    rng = np.random.default_rng(seed)
    down, across = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)
    spectrum = np.fft.rfft2(rng.normal(size=(height, width)))
    spectrum /= np.maximum(np.hypot(down, across), 1 / max(height, width))
    spectrum[0, 0] = 0
    rough = np.fft.irfft2(spectrum, s=(height, width))
    luma: NDArray[np.uint8] = np.clip(126 + contrast * rough / rough.std(), 17, 234).astype(
        np.uint8
    )
    return luma


def coloured(luma: NDArray[np.uint8]) -> Planes:
    """Planes with this luma and no colour."""
    _, blue, red = field(*luma.shape)
    return luma, blue, red


def deepened(planes: Planes, depth: int) -> Planes:
    """The same in as many bits."""
    if depth == 8:
        return planes
    luma, blue, red = ((plane * np.uint16(1 << depth - 8)).astype(np.uint16) for plane in planes)
    return luma, blue, red


def picture(planes: Planes, **known: Any) -> Picture:
    """A single picture at media time 0."""
    luma, *chroma = planes
    given = {"track": "video:0", "time": 0.0, "duration": 1 / FPS, **known}
    return Picture(luma, (chroma[0], chroma[1]), **given)


def film(
    frames: Iterable[Planes], *, fps: float = FPS, keys_each: int = 1 << 30, **known: Any
) -> Iterator[Picture]:
    """Pictures at `fps`, one after the other, every `keys_each`th of them a key picture."""
    before: Picture | None = None
    for index, planes in enumerate(frames):
        before = picture(
            planes,
            time=index / fps,
            duration=1 / fps,
            key=index % keys_each == 0,
            previous=before,
            **known,
        )
        yield before


def pictures_of(path: Path) -> Iterator[Picture]:
    """The pictures of a file, each with the one before it, as a pipeline has them."""
    before: Picture | None = None
    for item in Source(str(path), SourceOptions()).items():
        if isinstance(item, Picture):
            if before is not None:
                item.follow(before)
            yield item
            item.forget_previous()
            before = item


def measures(detector: Detector[Picture], pictures: Iterable[Picture]) -> list[Measure]:
    """All that a detector says."""
    return [measure for one in pictures for measure in detector.observe(one)]


def measure(detector: Detector[Picture], planes: Planes, **known: Any) -> Measure:
    """What a detector says of a single picture."""
    (said,) = detector.observe(picture(planes, **known))
    return said


def incidents(
    detectors: Sequence[Detector[Picture]], pictures: Iterable[Picture]
) -> dict[str, list[Defect]]:
    """What becomes an incident, by detector, at their own durations: as it was when it ended."""
    trackers = {
        detector.name: Tracker(
            alarm_after=detector.alarm_after,
            clear_after=detector.clear_after,
            bridge=detector.bridge,
            threshold=detector.threshold,
            moment=lambda time: Moment(time, ""),
        )
        for detector in detectors
    }
    ended: dict[str, list[Defect]] = {}
    for one in pictures:
        for detector in detectors:
            for said in detector.observe(one):
                for told in trackers[detector.name].observe(said):
                    if told.kind == "closed":
                        ended.setdefault(detector.name, []).append(told.defect)
    for name, tracker in trackers.items():
        for told in tracker.finish():
            if told.kind == "closed":
                ended.setdefault(name, []).append(told.defect)
    return ended


def encode(
    frames: Iterable[Planes],
    path: Path,
    *,
    codec: str = "libx264",
    fps: int = FPS,
    gop: int = 2 * FPS,
    options: Mapping[str, str] | None = None,
) -> Path:
    """Write planes of 8 bits, 4:2:0, to a file; `options` are the encoder's."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=Fraction(fps), options=dict(options or {}))
        stream.codec_context.gop_size = gop
        stream.codec_context.thread_count = 1
        for index, planes in enumerate(frames):
            height, width = planes[0].shape
            if not index:
                stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            frame = av.VideoFrame(width, height, "yuv420p")
            for target, source in zip(frame.planes, planes, strict=True):
                rows = np.frombuffer(memoryview(target), np.uint8).reshape(-1, target.line_size)
                rows[:, : target.width] = source
            frame.pts, frame.time_base = index, 1 / Fraction(fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def planes_of(path: Path) -> list[Planes]:
    """All pictures of a file of 8 bits, 4:2:0, copied: to encode them a second time."""
    found: list[Planes] = []
    for one in pictures_of(path):
        assert one.chroma is not None
        found.append((one.luma.copy(), one.chroma[0].copy(), one.chroma[1].copy()))
    return found


def drawn_by_ffmpeg(source: str, count: int) -> list[Planes]:
    """Pictures of one of FFmpeg's own sources, such as `testsrc2=s=320x180:r=25`."""
    graph = av.filter.Graph()
    name, _, arguments = source.partition("=")
    ends = [
        graph.add(name, arguments),
        graph.add("format", "pix_fmts=yuv420p"),
        graph.add("buffersink"),
    ]
    graph.link_nodes(*ends).configure()
    found: list[Planes] = []
    for _ in range(count):
        frame: Any = graph.pull()
        luma, blue, red = (
            np.frombuffer(memoryview(plane), np.uint8)
            .reshape(-1, plane.line_size)[: plane.height, : plane.width]
            .copy()
            for plane in frame.planes
        )
        found.append((luma, blue, red))
    return found


def told_by_ffmpeg(path: Path, filter_name: str, arguments: str, key: str) -> list[float]:
    """Times that a detecting filter of FFmpeg writes into the metadata of frames under `key`."""
    times: list[float] = []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        graph = av.filter.Graph()
        ends = [
            graph.add_buffer(template=stream),
            graph.add(filter_name, arguments),
            graph.add("buffersink"),
        ]
        graph.link_nodes(*ends).configure()
        for frame in container.decode(stream):
            graph.push(frame)
            found = graph.pull()
            if key in found.metadata:
                times.append(float(found.metadata[key]))
    return times
