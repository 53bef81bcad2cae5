"""A stream of HLS: which rendition is watched, and the parts that it consists of."""

from __future__ import annotations

from collections.abc import Sequence

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
from streammonitor_worker.source.options import Wanted
from streammonitor_worker.source.reader import Reader, peek
from streammonitor_worker.source.transport import Join, Part
from streammonitor_worker.source.ts import SNIFF_SIZE, TsReader, is_transport_stream
from streammonitor_worker.source.waiting import Waiting


class HlsTransport:
    """A rendition of an HLS stream, with the sound that belongs to it.

    Its own playlists are loaded when they are first needed. Raises SourceError, permanent, where
    the playlists can never be played.
    """

    def __init__(
        self,
        resources: Resources,
        location: Location,
        text: str,
        wanted: Wanted,
        waiting: Waiting,
        where: str,
        *,
        join_s: float = 0.0,
    ) -> None:
        self._resources = resources
        self._location = location
        self._join_s = join_s
        self._text = text
        self._wanted = wanted
        self._waiting = waiting
        self._where = where
        self._keys = Keys(resources)
        self._opened: list[SegmentFeed] = []
        try:
            self._playlist = parse_playlist(text)
        except PlaylistError as error:
            raise SourceError(f"{where}: {error}; check the playlist", permanent=True) from error

    @property
    def renditions(self) -> tuple[str, ...]:
        return tuple(label_of(variant) for variant in self._variants)

    @property
    def position(self) -> int:
        return choose(self._variants, self._wanted)

    @property
    def persistent(self) -> bool:
        """Not before it has begun: its addresses may be others in the next master playlist."""
        return bool(self._opened)

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

    @property
    def _variants(self) -> tuple[Variant, ...]:
        """Of the master playlist; none where there is no master playlist."""
        return self._playlist.variants if isinstance(self._playlist, MasterPlaylist) else ()

    def _reader(self, feed: SegmentFeed) -> Reader:
        segments = SegmentReader(feed, self._resources, self._keys, self._waiting)
        head, reader = peek(segments, SNIFF_SIZE)
        if is_transport_stream(head):
            return TsReader(reader)
        reader.begins_at_s = segments.begins_at_s
        return reader

    @property
    def _feeds(self) -> list[SegmentFeed]:
        if not self._opened:
            self._opened = self._open_feeds()
        return self._opened

    def _open_feeds(self) -> list[SegmentFeed]:
        playlist, where = self._playlist, self._where
        if not isinstance(playlist, MasterPlaylist):
            return [
                SegmentFeed(
                    self._resources,
                    self._location,
                    self._waiting,
                    where,
                    self._text,
                    join_s=self._join_s,
                )
            ]
        variant = playlist.variants[self.position]
        uris = [variant.uri]
        sound = _sound_of(playlist, variant)
        if sound:
            uris.append(sound)
        return [
            SegmentFeed(
                self._resources,
                self._resources.locate(uri, self._location, where),
                self._waiting,
                where,
                join_s=self._join_s,
            )
            for uri in uris
        ]


def choose(variants: Sequence[Variant], wanted: Wanted) -> int:
    """Position of the variant to watch. Those without a picture count only where there are no
    others."""
    if wanted.position is not None:
        return min(wanted.position, len(variants) - 1)
    positions = range(len(variants))
    candidates = [position for position in positions if not variants[position].sound_only]
    ranked = sorted(candidates or positions, key=lambda position: _rank(variants[position]))
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
