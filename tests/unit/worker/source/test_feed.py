"""A live playlist is followed at the right moments and by the numbers of its segments."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from streammonitor_api.errors import SourceError
from streammonitor_worker.source.hls.feed import SegmentFeed
from streammonitor_worker.source.hls.playlist import ByteRange
from streammonitor_worker.source.hls.resources import Location, Resources
from streammonitor_worker.source.http import HttpClient
from streammonitor_worker.source.lost import LostError
from streammonitor_worker.source.waiting import Waiting

URL = "http://host/live.m3u8"


class Clock(Waiting):
    """Waits on a clock that moves only while somebody waits."""

    def __init__(self) -> None:
        super().__init__()
        self._now_s = 1000.0

    def now(self) -> float:
        return self._now_s

    def sleep(self, seconds: float) -> None:
        self._now_s += max(0.0, seconds)


class Server(Resources):
    """Gives one playlist after the other, the last one for ever; an error where there is None."""

    def __init__(self, clock: Clock, *playlists: str | None, folder: Path | None = None) -> None:
        super().__init__(HttpClient(clock), clock, folder)
        self._clock = clock
        self._playlists: Iterator[str | None] = iter(playlists)
        self._last: str | None = None
        self.asked_at: list[float] = []

    def read_all(self, location: Location, byte_range: ByteRange | None, limit: int) -> bytes:
        self.asked_at.append(self._clock.now() - 1000.0)
        self._last = next(self._playlists, self._last)
        if self._last is None:
            raise LostError("host", "the server answers 500", status=500)
        return self._last.encode()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def playlist(first: int, last: int, *, ended: bool = False, target: float = 4.0) -> str:
    segments = "".join(f"#EXTINF:{target},\ns{n}.ts\n" for n in range(first, last + 1))
    end = "#EXT-X-ENDLIST\n" if ended else ""
    head = f"#EXTM3U\n#EXT-X-TARGETDURATION:{target}\n#EXT-X-MEDIA-SEQUENCE:{first}\n"
    return head + segments + end


def follow(server: Server, clock: Clock, text: str | None = None) -> SegmentFeed:
    return SegmentFeed(server, URL, clock, "somewhere", text)


def take(feed: SegmentFeed, count: int) -> list[int]:
    """Sequence numbers of the next segments."""
    found = []
    for _ in range(count):
        segment = feed.peek()
        assert segment is not None
        found.append(segment.sequence)
        feed.advance()
    return found


def test_live_playlist_is_joined_three_segments_before_its_end(clock: Clock) -> None:
    feed = follow(Server(clock, playlist(10, 19)), clock)

    assert feed.live
    assert take(feed, 3) == [17, 18, 19]


@pytest.mark.parametrize(
    ("join_s", "first"),
    [(0.0, 17), (12.0, 17), (12.5, 16), (30.0, 12), (1000.0, 10)],
    ids=["not", "no-further", "a-segment", "eight-segments", "all-there-is"],
)
def test_live_playlist_is_joined_as_far_back_as_asked_for(
    clock: Clock, join_s: float, first: int
) -> None:
    server = Server(clock, playlist(10, 19))

    feed = SegmentFeed(server, URL, clock, "somewhere", join_s=join_s)

    assert take(feed, 1) == [first]


def test_complete_playlist_is_played_from_its_beginning_to_its_end(clock: Clock) -> None:
    feed = follow(Server(clock, playlist(0, 4, ended=True)), clock)

    assert not feed.live
    assert take(feed, 5) == [0, 1, 2, 3, 4]
    assert feed.peek() is None
    assert feed.duration_s == 20.0


def test_changed_playlist_is_loaded_again_after_a_target_duration(clock: Clock) -> None:
    server = Server(clock, playlist(0, 2), playlist(1, 3), playlist(2, 4))

    take(follow(server, clock), 5)

    assert server.asked_at == pytest.approx([0.0, 4.0, 8.0])


def test_unchanged_playlist_is_loaded_again_after_half_of_it(clock: Clock) -> None:
    server = Server(clock, playlist(0, 2), playlist(0, 2), playlist(0, 2), playlist(1, 3))

    take(follow(server, clock), 4)

    assert server.asked_at == pytest.approx([0.0, 4.0, 6.0, 8.0])


def test_stream_ends_when_its_playlist_says_so(clock: Clock) -> None:
    feed = follow(Server(clock, playlist(0, 2), playlist(0, 3, ended=True)), clock)

    assert take(feed, 4) == [0, 1, 2, 3]
    assert feed.peek() is None


def test_one_failed_load_is_passed_over(clock: Clock) -> None:
    feed = follow(Server(clock, playlist(0, 2), None, playlist(1, 3)), clock)

    assert take(feed, 4) == [0, 1, 2, 3]


def test_server_that_stays_away_is_told_and_followed_on_when_it_is_back(clock: Clock) -> None:
    server = Server(clock, playlist(0, 2), None, None, None, playlist(2, 5))
    feed = follow(server, clock)
    take(feed, 3)

    with pytest.raises(LostError, match="answers 500"):
        feed.peek()

    assert take(feed, 3) == [3, 4, 5]


def test_segments_that_are_gone_meanwhile_are_passed_over(clock: Clock) -> None:
    feed = follow(Server(clock, playlist(0, 2), playlist(30, 32)), clock)

    assert take(feed, 5) == [0, 1, 2, 30, 31]


def test_playlist_that_begins_anew_is_joined_again(clock: Clock) -> None:
    feed = follow(Server(clock, playlist(500, 502), playlist(0, 4)), clock)
    take(feed, 3)

    segment = feed.peek()

    assert segment is not None
    assert segment.sequence == 2
    assert feed.restarted
    feed.advance()
    assert not feed.restarted


def test_playlist_that_is_one_load_behind_is_waited_for(clock: Clock) -> None:
    server = Server(clock, playlist(0, 4), playlist(0, 3), playlist(2, 5))

    assert take(follow(server, clock), 4) == [2, 3, 4, 5]


def test_load_before_the_deadline_only(clock: Clock) -> None:
    feed = follow(Server(clock, playlist(5, 4)), clock)
    clock.deadline = 0.0

    with pytest.raises(LostError, match="no segment came in time"):
        feed.peek()


def test_stopped_feed_gives_nothing_more(clock: Clock) -> None:
    feed = follow(Server(clock, playlist(5, 4)), clock)
    clock.stop()

    assert feed.peek() is None


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("#EXTM3U\n#EXT-X-ENDLIST\n", "the playlist is empty"),
        ("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nlive.m3u8\n", "a master playlist where"),
        ("#EXTM3U\n#EXTINF:1,\nlive.m3u8\n", "the playlist refers to itself"),
        ("hello", "does not begin with #EXTM3U"),
        ("#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "refers to 'file:///etc/passwd'"),
        ('#EXTM3U\n#EXT-X-MAP:URI="concat:a|b"\n#EXTINF:1,\na.m4s\n', "refers to 'concat:a|b'"),
        (
            '#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="data:text/plain,k"\n#EXTINF:1,\na.ts\n',
            "refers to 'data:text/plain,k'",
        ),
        ('#EXTM3U\n#EXT-X-KEY:METHOD=SAMPLE-AES,URI="k"\n#EXTINF:1,\na.ts\n', "SAMPLE-AES"),
    ],
)
def test_playlist_that_can_never_be_played_is_refused(clock: Clock, text: str, wrong: str) -> None:
    with pytest.raises(SourceError) as caught:
        follow(Server(clock), clock, text)

    assert wrong in str(caught.value)
    assert caught.value.permanent


def test_local_playlist_ends_when_it_stops_growing(clock: Clock, tmp_path: Path) -> None:
    texts = [playlist(0, 1), playlist(0, 1), playlist(0, 2), playlist(0, 2)]
    server = Server(clock, *texts, folder=tmp_path.resolve())
    feed = SegmentFeed(server, tmp_path.resolve() / "live.m3u8", clock, "somewhere")

    assert not feed.live
    assert take(feed, 3) == [0, 1, 2]
    assert feed.peek() is None
