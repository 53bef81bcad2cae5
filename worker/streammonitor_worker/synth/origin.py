"""Finds where a finished file's clock stands between the recipe's time and media time.

Codecs that are primed begin before 0; some containers cut that off when they are played, others
move everything so that it begins at 0. Media time begins with the first sample that is presented,
so it can only be known from the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import av

from streammonitor_api.errors import InputError
from streammonitor_worker.synth.transport import CLOCK, Unit


@dataclass(frozen=True)
class Origin:
    """Seconds between three clocks."""

    moved_s: float
    """The file's time of the recipe's time 0."""
    presented_s: float
    """The file's time of the first sample that is presented: media time 0."""

    def to_media(self, recipe_s: float) -> float:
        return recipe_s + self.moved_s - self.presented_s

    def to_ticks(self, recipe_s: float) -> int:
        """Give the file's time on the 90 kHz clock of MPEG-TS."""
        return round((recipe_s + self.moved_s) * CLOCK)

    def media_of(self, unit: Unit) -> float:
        return unit.pts / CLOCK - self.presented_s


def find_origin(media: Path | bytes, first_packet_s: Mapping[int, float]) -> Origin:
    """Compare a file, or the bytes of its beginning, with what was written to it.

    first_packet_s: the recipe's time of the first packet of each stream. Raises InputError where
    the file shows nothing.
    """
    moved = {index: time - first_packet_s[index] for index, (time, _) in _beginnings(media).items()}
    if not moved:
        raise _nothing(media)
    return Origin(next(iter(moved.values())), first_presented(media))


def first_presented(media: Path | bytes) -> float:
    """Give a file's time of its first picture or sample that is shown: media time 0."""
    times = [shown for _, shown in _beginnings(media).values() if shown is not None]
    if not times:
        raise _nothing(media)
    return min(times)


def _nothing(media: Path | bytes) -> InputError:
    name = media if isinstance(media, Path) else "stream"
    return InputError(f"{name}: nothing to watch was written; use a longer duration")


def _beginnings(media: Path | bytes) -> dict[int, tuple[float, float | None]]:
    """By stream: the times of the first packet and of the first picture or sample shown."""
    found: dict[int, tuple[float, float | None]] = {}
    with av.open(str(media) if isinstance(media, Path) else BytesIO(media), "r") as container:
        missing = {s.index for s in container.streams if s.type in {"video", "audio"}}
        for packet in container.demux():
            index = packet.stream.index
            if packet.pts is None or index not in missing:
                continue
            first, _ = found.get(index, (float(packet.pts * packet.time_base), None))
            shown = _presentation(packet)
            found[index] = (first, shown)
            if shown is not None:
                missing.discard(index)
            if not missing:
                break
    return found


def _presentation(packet: av.Packet[Any]) -> float | None:
    try:
        frames = packet.decode()
    except av.error.FFmpegError:
        return None  # damaged on purpose; the first one that can be decoded counts
    return next((frame.time for frame in frames if frame.time is not None), None)
