"""Which segment comes next: one rendition's playlist, followed as it moves on.

Playlists that are complete are walked through from the first segment to the last, and so are
local ones; these have ended, too, when they stop growing. A live playlist is joined three segments
before its end, or further back where another missed something, and loaded again at the intervals
of RFC 8216, 6.3.4; after whatever goes wrong it is followed on by the numbers of its segments.
"""

from __future__ import annotations

from pathlib import Path

from streammonitor_api.errors import SourceError
from streammonitor_worker.source.hls.decryption import check_method
from streammonitor_worker.source.hls.playlist import (
    MAX_BYTES,
    MediaPlaylist,
    PlaylistError,
    Segment,
    parse_playlist,
)
from streammonitor_worker.source.hls.resources import Location, Resources, show
from streammonitor_worker.source.lost import LostError
from streammonitor_worker.source.waiting import Waiting

JOIN_SEGMENTS = 3
"""Segments before the end at which a live playlist is joined (RFC 8216, 6.3.3)."""
FAILURES = 3
"""Attempts to load a playlist that fail in a row before the stream counts as lost: two are one
hiccup of a server."""
RETRY_S = 0.5
"""Before a failed load is tried again; the stream-unavailable alarm comes after 2 s."""
STALE_SEGMENTS = 3
"""A playlist that ends this much earlier than the one before is an older copy, from another
server of a delivery network; one that ends even earlier began anew."""
STANDING = 3
"""Times that a local playlist may be found unchanged before it counts as complete: 2 target
durations, in which a recorder would have added to it."""
SHORTEST_RELOAD_S = 0.2
"""However short a playlist says its segments are, it is not asked for more often."""


class SegmentFeed:
    """Segments of one rendition, in order; of a live one at least the last `join_s` seconds.

    Raises SourceError, permanent, where a playlist can never be played.
    """

    def __init__(
        self,
        resources: Resources,
        location: Location,
        waiting: Waiting,
        where: str,
        text: str | None = None,
        *,
        join_s: float = 0.0,
    ) -> None:
        self._resources = resources
        self._location = location
        self._waiting = waiting
        self.where = where
        self._loaded_at = 0.0
        self._changed = True
        self._standing = 0
        self._playlist = self._parse(self._load() if text is None else text)
        self._next = self._first(join_s)
        self._restarted = False
        self._misses = 0

    @property
    def _is_local(self) -> bool:
        return isinstance(self._location, Path)

    @property
    def live(self) -> bool:
        return not self._playlist.ended and not self._is_local

    @property
    def target_s(self) -> float:
        return self._playlist.target_s

    @property
    def duration_s(self) -> float:
        """Of all segments there are."""
        return self._playlist.duration_s

    def locate(self, uri: str) -> Location:
        return self._resources.locate(uri, self._location, self.where)

    def peek(self) -> Segment | None:
        """The next segment, waiting for it if it does not exist yet; None at the end.

        Raises LostError where the playlist cannot be loaded again and again.
        """
        while not self._waiting.stopped:
            playlist = self._playlist
            if self._next < playlist.sequence:
                self._next = playlist.sequence  # fell behind: what was in between is gone
            if self._next < playlist.end:
                return playlist.segment(self._next)
            if playlist.ended or (self._is_local and self._standing == STANDING):
                return None
            self._reload()
        return None

    def advance(self) -> None:
        """Go on to the next segment."""
        self._next += 1
        self._restarted = False
        self._misses = 0

    def miss(self) -> int:
        """Note that the next segment could not be had; how often that was so already."""
        self._misses += 1
        return self._misses - 1

    @property
    def restarted(self) -> bool:
        """Whether the next segment does not follow from the one before, for the playlist began
        anew."""
        return self._restarted

    def _first(self, join_s: float = 0.0) -> int:
        playlist = self._playlist
        if not self.live:
            return playlist.sequence
        first, behind_s = playlist.end, 0.0
        for segment in reversed(playlist.segments):
            if playlist.end - first >= JOIN_SEGMENTS and behind_s >= join_s:
                break
            first, behind_s = first - 1, behind_s + segment.duration_s
        return first

    def _reload(self) -> None:
        """Load the playlist once more, when it is time to."""
        interval_s = self._playlist.target_s * (1.0 if self._changed else 0.5)
        interval_s = max(SHORTEST_RELOAD_S, interval_s)
        self._waiting.sleep(self._loaded_at + interval_s - self._waiting.now())
        if self._waiting.stopped:
            return
        if self._waiting.overdue:
            raise LostError(self.where, "no segment came in time")
        text = self._load_patiently()
        playlist = self._parse(text, self._next)
        before, self._playlist = self._playlist, playlist
        self._changed = (playlist.sequence, playlist.end) != (before.sequence, before.end)
        self._changed = self._changed or playlist.ended
        self._standing = 0 if self._changed else self._standing + 1
        if self._next - playlist.end > STALE_SEGMENTS:
            self._playlist = self._parse(text)
            self._next = self._first()
            self._restarted = True

    def _load_patiently(self) -> str:
        for _ in range(FAILURES - 1):
            try:
                return self._load()
            except LostError:
                self._waiting.sleep(RETRY_S)
        return self._load()

    def _load(self) -> str:
        self._loaded_at = self._waiting.now()
        data = self._resources.read_all(self._location, None, MAX_BYTES)
        return data.decode("utf-8", "replace")

    def _parse(self, text: str, since: int = 0) -> MediaPlaylist:
        """Read the playlist and check all that it names from segment `since` on, before anything
        of it is fetched."""
        try:
            playlist = parse_playlist(text, since)
        except PlaylistError as error:
            raise self._unplayable(str(error)) from error
        if not isinstance(playlist, MediaPlaylist):
            raise self._unplayable("a master playlist where one of segments is expected")
        if playlist.end == playlist.sequence and (playlist.ended or self._is_local):
            raise self._unplayable("the playlist is empty")
        for key in {segment.key for segment in playlist.segments}:
            if key is not None:
                check_method(key, self.where)
                self.locate(key.uri)
        for uri in {segment.map.uri for segment in playlist.segments if segment.map}:
            self.locate(uri)
        for uri in {segment.uri for segment in playlist.segments}:
            if self.locate(uri) == self._location:
                raise self._unplayable("the playlist refers to itself")
        return playlist

    def _unplayable(self, problem: str) -> SourceError:
        name = show(self._location)
        where = self.where if name in self.where else f"{self.where}: {name}"
        return SourceError(f"{where}: {problem}; check the playlist", permanent=True)
