"""Which tracks of a container are watched, and what is known of them before decoding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from av.stream import Disposition

from streammonitor_api.errors import SourceError
from streammonitor_worker.source.limits import MAX_CHANNELS, MAX_TRACKS, sane_fps

_STILL = (
    Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
)  # cover art and preview strips: pictures, but not the programme's


@dataclass(frozen=True, slots=True)
class Track:
    """A video or audio track of an opened container."""

    name: str
    """`video:0`, `audio:1`: counted by kind."""
    kind: str
    index: int
    """Of the container's stream."""
    stream: Any
    """The media library's stream. Not to be used after the container has been closed."""
    decoder: Any
    """The media library's decoder, which outlives the container."""
    identifier: int
    """The container's own for it: the PID, in a transport stream."""
    time_base: float
    """Seconds of one unit of its timestamps."""
    codec: str
    fps: float
    """Nominal; 0 where unknown or absurd."""
    shift_s: float = 0.0
    """To be added to its timestamps: when the container begins, where it cannot say."""

    @property
    def is_video(self) -> bool:
        return self.kind == "video"


def choose_tracks(
    container: Any, where: str, max_pixels: int, named: dict[str, int], shift_s: float
) -> list[Track]:
    """All tracks that can be watched.

    `named` counts the tracks that already have a name, by kind, and is counted on: a stream may
    be spread over several containers. `shift_s` see Track.

    Raises
    ------
    SourceError: permanent, where there is none, or one is larger than the limits.
    """
    tracks: list[Track] = []
    for stream in container.streams:
        if not _is_watchable(stream):
            continue
        if len(tracks) == MAX_TRACKS:
            break
        _check_size(stream, where, max_pixels)
        number = named.get(stream.type, 0)
        name, named[stream.type] = f"{stream.type}:{number}", number + 1
        tracks.append(_track(stream, name, shift_s))
    if not tracks:
        raise SourceError(
            f"{where}: there is no video or audio in it that can be decoded; "
            "name a media file or stream",
            permanent=True,
        )
    return tracks


def _track(stream: Any, name: str, shift_s: float) -> Track:
    decoder = stream.codec_context
    return Track(
        name,
        stream.type,
        stream.index,
        stream,
        decoder,
        stream.id,
        time_base=float(stream.time_base),
        codec=decoder.codec.canonical_name,
        fps=sane_fps(stream.guessed_rate or stream.average_rate) if name[0] == "v" else 0.0,
        shift_s=shift_s,
    )


def _is_watchable(stream: Any) -> bool:
    if stream.type not in ("video", "audio") or stream.codec_context is None:
        return False
    if not stream.time_base:
        return False
    return stream.type == "audio" or not stream.disposition & _STILL


def _check_size(stream: Any, where: str, max_pixels: int) -> None:
    context = stream.codec_context
    if stream.type == "video":
        pixels = max(context.width * context.height, context.coded_width * context.coded_height)
        if pixels > max_pixels:
            raise SourceError(
                f"{where}: pictures of {context.width}x{context.height} are too large; "
                f"up to {max_pixels} pixels are watched",
                permanent=True,
            )
    elif context.channels > MAX_CHANNELS:
        raise SourceError(
            f"{where}: {context.channels} channels of sound are too many; "
            f"up to {MAX_CHANNELS} are watched",
            permanent=True,
        )
