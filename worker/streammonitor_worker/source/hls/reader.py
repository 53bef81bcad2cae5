"""The bytes of a rendition's segments, one after the other, as long as they belong together."""

from __future__ import annotations

from streammonitor_api.errors import SourceError
from streammonitor_worker.source.hls.feed import SegmentFeed
from streammonitor_worker.source.hls.packed import tag_length, timestamp_of
from streammonitor_worker.source.hls.playlist import Segment
from streammonitor_worker.source.hls.resources import Resources
from streammonitor_worker.source.hls.segment import Keys, Place, SegmentBody
from streammonitor_worker.source.lost import LostError, problem_of
from streammonitor_worker.source.reader import Reader
from streammonitor_worker.source.waiting import Waiting

MAX_MAP = 1 << 20
"""Bytes of the header of a fragmented mp4; mostly it has a few thousand."""
MISSES = 2
"""Attempts to fetch a segment before it is passed over."""
RETRY_S = 0.3
"""Between them: enough for a server that publishes its playlist just before the segment."""
SLOW = 0.5
"""Share of a segment's duration from which its transfer counts as waited for: then it is the
network that sets the pace."""
_HEAD = 16


class SegmentReader(Reader):
    """Reads segments until one does not follow from the one before, or there is none.

    A segment that cannot be had is tried again, then passed over: the gap shows in the
    timestamps. `failure` says that the server itself is out of reach.
    """

    def __init__(
        self, feed: SegmentFeed, resources: Resources, keys: Keys, waiting: Waiting
    ) -> None:
        self.begins_at_s: float | None = None
        """When the first sample is presented, where the segments say so and nothing else does."""
        self._feed = feed
        self._resources = resources
        self._keys = keys
        self._waiting = waiting
        self._current: Segment | None = None
        self._body: SegmentBody | None = None
        self._ready = b""
        self._must_end = False
        self._ended = False
        self._missed = "there is no segment"
        """Why the last segment that was passed over could not be had."""

    def read(self, size: int) -> bytes:
        while not self._waiting.stopped:
            if self._ready:
                data, self._ready = self._ready[:size], self._ready[size:]
                return data
            if self._ended:
                break
            if self._waiting.overdue:
                self._ended, self.failure = True, "no segment came in time"
                break
            try:
                self._ready = self._more(size)
            except SourceError as error:
                self._ended = True
                self.failure = problem_of(error)
                self.hopeless = str(error) if error.permanent else ""
        return b""

    def close(self) -> None:
        if self._body is not None:
            self._body.close()
            self._body = None

    def _more(self, size: int) -> bytes:
        """Some bytes; none where a segment began or ended."""
        if self._body is None:
            segment = self._feed.peek()
            if segment is None or not self._follows(segment):
                self._ended = True
                self.failure = self._missed if self._current is None else ""
                return b""
            return self._begin(segment)
        try:
            data = self._body.read(size)
        except LostError:
            self._finish(whole=False)
            return b""
        if not data:
            self._finish(whole=True)
        return data

    def _follows(self, segment: Segment) -> bool:
        current = self._current
        if current is None:
            return True
        if self._must_end or segment.discontinuity or self._feed.restarted:
            return False
        return segment.map == current.map

    def _begin(self, segment: Segment) -> bytes:
        """Open a segment; its first bytes, after the header that it needs."""
        first = self._current is None
        body = self._fetch(segment)
        if body is None:
            self._skip()
            return b""
        self._body = body
        try:
            head = body.read_head(_HEAD)
        except LostError as error:
            self.close()
            self._note_miss(error)
            self._skip()
            return b""
        header = self._header(segment) if first else b""
        self._current = segment
        self.segment += 1
        return header + self._without_tag(head, body, first=first)

    def _fetch(self, segment: Segment) -> SegmentBody | None:
        """Open a segment; None where it is not there. Raises LostError where the server is not."""
        if segment.missing:
            self._missed = "no segment can be had (the playlist says that it is missing)"
            return None
        key = segment.key
        place = Place(
            segment,
            self._feed.locate(segment.uri),
            None if key is None else self._feed.locate(key.uri),
        )
        for attempt in range(MISSES):
            try:
                return SegmentBody(self._resources, place, self._keys, self._feed.where)
            except LostError as error:
                if attempt + 1 < MISSES:
                    self._waiting.sleep(RETRY_S)
                else:
                    self._note_miss(error)
        return None

    def _note_miss(self, error: LostError) -> None:
        """Note why a segment is passed over; raise it where it is the server that is away, unless
        it always is away for this very segment."""
        if not error.status and self._feed.miss() < MISSES:
            raise error
        self._missed = f"no segment can be had ({error.problem})"

    def _skip(self) -> None:
        """Pass over a segment that is not there."""
        self._feed.advance()
        self.segment += 1
        self._must_end = self._must_end or self.begins_at_s is not None

    def _finish(self, *, whole: bool) -> None:
        body, segment = self._body, self._current
        if body is None or segment is None:
            return
        if body.blocked_s > SLOW * segment.duration_s:
            self._waiting.count(body.blocked_s)
        self.close()
        self._feed.advance()
        if not whole:
            # The parser of a fragmented mp4 would take the next segment for the missing bytes.
            self._must_end = segment.map is not None or self.begins_at_s is not None

    def _header(self, segment: Segment) -> bytes:
        if segment.map is None:
            return b""
        location = self._feed.locate(segment.map.uri)
        return self._resources.read_all(location, segment.map.byte_range, MAX_MAP)

    def _without_tag(self, head: bytes, body: SegmentBody, *, first: bool) -> bytes:
        """Take off the tag of packed sound, and note what it says."""
        length = tag_length(head)
        while len(head) < length and (data := body.read(length - len(head))):
            head += data
        if length and first:
            self.begins_at_s = timestamp_of(head[:length])
        return head[length:]
