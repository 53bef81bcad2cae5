"""Runs a source to its end and keeps what a test needs to know of its items."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from streammonitor_worker.media import Connection, Failure, Format, Item, Packet, Picture, Sound
from streammonitor_worker.source import Rendition, Source, SourceOptions

QUIET = 1e-3
"""Peak below which a chunk of sound counts as silent: -60 dBFS."""


@dataclass(frozen=True)
class Seen:
    """A picture, without its memory."""

    track: str
    time: float
    duration: float
    width: int
    height: int
    depth: int
    full_range: bool
    key: bool
    corrupt: bool
    mean: float
    """Of the luma, on the 8-bit scale."""


@dataclass(frozen=True)
class Heard:
    """A block of sound; `quiet` has one entry a chunk."""

    track: str
    time: float
    duration: float
    rate: int
    channels: tuple[str, ...]
    edges: tuple[float, ...]
    quiet: tuple[bool, ...]


@dataclass
class Watched:
    """All items of a stream, in order, and by kind."""

    source: Source
    order: list[str] = field(default_factory=list)
    packets: list[Packet] = field(default_factory=list)
    formats: list[Format] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    connections: list[Connection] = field(default_factory=list)
    pictures: list[Seen] = field(default_factory=list)
    sounds: list[Heard] = field(default_factory=list)

    @property
    def jumps(self) -> list[float]:
        return [packet.jump_s for packet in self.packets if packet.jump_s]

    @property
    def losses(self) -> int:
        return sum(packet.continuity_errors for packet in self.packets)

    def pictures_of(self, track: str = "video:0") -> list[Seen]:
        return [picture for picture in self.pictures if picture.track == track]

    def sounds_of(self, track: str = "audio:0") -> list[Heard]:
        return [sound for sound in self.sounds if sound.track == track]

    def black_s(self) -> tuple[float, float]:
        """When the first black picture begins and the last one ends."""
        black = [picture for picture in self.pictures if picture.mean < 24]
        return black[0].time, black[-1].time + black[-1].duration

    def silence_s(self) -> tuple[float, float]:
        """When the longest silence begins and ends."""
        chunks = [
            (start, end, quiet)
            for sound in self.sounds_of()
            for start, end, quiet in zip(sound.edges, sound.edges[1:], sound.quiet, strict=False)
        ]
        best, begin = (0.0, 0.0), None
        for start, end, quiet in chunks:
            begin = (start if begin is None else begin) if quiet else None
            if begin is not None and end - begin > best[1] - best[0]:
                best = (begin, end)
        return best


def watch(
    spec: str | Path | Rendition,
    *,
    until: Callable[[Watched], bool] | None = None,
    deadline_s: float = 30.0,
    source: Source | None = None,
    **options: object,
) -> Watched:
    """Watch until the stream ends, or `until` says so; fail after `deadline_s`."""
    if source is None:
        name = str(spec) if isinstance(spec, Path) else spec
        source = Source(name, SourceOptions(**options))  # type: ignore[arg-type]
    watched = Watched(source)
    late = threading.Event()

    def stop_late() -> None:
        late.set()
        source.stop()

    timer = threading.Timer(deadline_s, stop_late)
    timer.start()
    try:
        for item in source.items():
            _note(watched, item)
            del item
            if until is not None and until(watched):
                source.stop()
    finally:
        timer.cancel()
    assert not late.is_set(), f"not done after {deadline_s} s: {watched.connections}"
    return watched


def _note(watched: Watched, item: Item) -> None:
    watched.order.append(f"{type(item).__name__} {item.track}")
    if isinstance(item, Picture):
        watched.pictures.append(_seen(item))
    elif isinstance(item, Sound):
        watched.sounds.append(_heard(item))
    elif isinstance(item, Packet):
        watched.packets.append(item)
    elif isinstance(item, Format):
        watched.formats.append(item)
    elif isinstance(item, Failure):
        watched.failures.append(item)
    elif isinstance(item, Connection):
        watched.connections.append(item)


def _seen(picture: Picture) -> Seen:
    return Seen(
        picture.track,
        picture.time,
        picture.duration,
        picture.width,
        picture.height,
        picture.depth,
        picture.full_range,
        picture.key,
        picture.corrupt,
        float(np.mean(picture.luma)) / 2 ** (picture.depth - 8),
    )


def _heard(sound: Sound) -> Heard:
    return Heard(
        sound.track,
        sound.time,
        sound.duration,
        sound.rate,
        sound.channels,
        tuple(sound.chunk_edges.tolist()),
        tuple((sound.peaks.max(axis=0) < QUIET).tolist()),
    )


def times(items: Iterable[Seen | Heard | Packet]) -> list[float]:
    return [item.time for item in items]
