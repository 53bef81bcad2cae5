"""A stream of HLS: which rendition is watched, and the parts that it consists of."""

from __future__ import annotations

from dataclasses import dataclass

from streammonitor_api.errors import SourceError
from streammonitor_worker.source.hls.feed import SegmentFeed
from streammonitor_worker.source.hls.playlist import (
    MasterPlaylist,
    PlaylistError,
    Variant,
    parse_playlist,
)
from streammonitor_worker.source.hls.reader import SegmentReader
from streammonitor_worker.source.hls.resources import Location, Resources
from streammonitor_worker.source.hls.segment import Keys
from streammonitor_worker.source.options import Renditions
from streammonitor_worker.source.reader import Reader, peek
from streammonitor_worker.source.transport import Join, Part
from streammonitor_worker.source.ts import SNIFF_SIZE, TsReader, is_transport_stream
from streammonitor_worker.source.waiting import Waiting


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rendition of a master playlist: the best, the least, or the one at a position."""

    renditions: Renditions = "highest"
    position: int | None = None


class HlsTransport:
    """A rendition of an HLS stream, with the sound that belongs to it.

    Raises SourceError, permanent, where the playlists can never be played.
    """

    persistent = True

    def __init__(
        self,
        resources: Resources,
        location: Location,
        text: str,
        wanted: Wanted,
        waiting: Waiting,
        where: str,
    ) -> None:
        self._resources = resources
        self._waiting = waiting
        self._keys = Keys(resources)
        self.variants: tuple[Variant, ...] = ()
        """Of the master playlist; none where there is no master playlist."""
        self._feeds = self._open_feeds(location, text, wanted, where)

    @property
    def live(self) -> bool:
        return self._feeds[0].live

    @property
    def cadence_s(self) -> float:
        return self._feeds[0].target_s

    @property
    def duration_s(self) -> float | None:
        return None if self.live else self._feeds[0].duration_s

    @property
    def progress(self) -> float | None:
        return None

    def next_part(self) -> Part | None:
        first = self._feeds[0].peek()
        if first is None:
            return None
        join = Join.FOLLOWS if first.discontinuity else Join.RESUMES
        readers = [self._reader(feed) for feed in self._feeds]
        return Part(readers, join)

    def close(self) -> None:
        self._resources.close()

    def _reader(self, feed: SegmentFeed) -> Reader:
        segments = SegmentReader(feed, self._resources, self._keys, self._waiting)
        head, reader = peek(segments, SNIFF_SIZE)
        if is_transport_stream(head):
            return TsReader(reader)
        reader.begins_at_s = segments.begins_at_s
        return reader

    def _open_feeds(
        self, location: Location, text: str, wanted: Wanted, where: str
    ) -> list[SegmentFeed]:
        try:
            playlist = parse_playlist(text)
        except PlaylistError as error:
            raise SourceError(f"{where}: {error}; check the playlist", permanent=True) from error
        if not isinstance(playlist, MasterPlaylist):
            return [SegmentFeed(self._resources, location, self._waiting, where, text)]
        self.variants = playlist.variants
        variant = choose(playlist, wanted)
        uris = [variant.uri]
        sound = _sound_of(playlist, variant)
        if sound:
            uris.append(sound)
        return [
            SegmentFeed(
                self._resources,
                self._resources.locate(uri, location, where),
                self._waiting,
                where,
            )
            for uri in uris
        ]


def choose(playlist: MasterPlaylist, wanted: Wanted) -> Variant:
    """The variant to watch. Those without a picture count only where there are no others."""
    if wanted.position is not None:
        return playlist.variants[min(wanted.position, len(playlist.variants) - 1)]
    candidates = [variant for variant in playlist.variants if not variant.sound_only]
    ranked = sorted(candidates or playlist.variants, key=_rank)
    return ranked[0] if wanted.renditions == "lowest" else ranked[-1]


def _rank(variant: Variant) -> tuple[int, int]:
    return variant.bandwidth, variant.width * variant.height


def _sound_of(playlist: MasterPlaylist, variant: Variant) -> str:
    """Address of the sound that goes with a variant; empty where the variant holds it itself."""
    group = [sound for sound in playlist.sounds if sound.group == variant.audio and sound.group]
    default = [sound for sound in group if sound.is_default] or group
    return default[0].uri if default else ""


def label_of(variant: Variant) -> str:
    """How a rendition is called: `1280x720-2500k`."""
    rate = f"{variant.bandwidth // 1000}k"
    return f"{variant.width}x{variant.height}-{rate}" if variant.height else rate
