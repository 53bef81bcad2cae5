"""Playlists are read as RFC 8216 has them, and leniently where players are lenient."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streammonitor_worker.source.hls.playlist import (
    MAX_SEGMENTS,
    ByteRange,
    Key,
    Map,
    MasterPlaylist,
    MediaPlaylist,
    PlaylistError,
    SoundRendition,
    parse_playlist,
)


def media(*lines: str) -> MediaPlaylist:
    playlist = parse_playlist("\n".join(("#EXTM3U", *lines)))
    assert isinstance(playlist, MediaPlaylist)
    return playlist


def master(*lines: str) -> MasterPlaylist:
    playlist = parse_playlist("\n".join(("#EXTM3U", *lines)))
    assert isinstance(playlist, MasterPlaylist)
    return playlist


def test_segments_are_numbered_from_the_media_sequence() -> None:
    playlist = media(
        "#EXT-X-TARGETDURATION:6",
        "#EXT-X-MEDIA-SEQUENCE:41",
        "#EXTINF:5.96,title, with comma",
        "a.ts",
        "#EXTINF:6,",
        "b.ts",
    )

    assert [(s.uri, s.sequence, s.duration_s) for s in playlist.segments] == [
        ("a.ts", 41, 5.96),
        ("b.ts", 42, 6.0),
    ]
    assert (playlist.sequence, playlist.end, playlist.target_s) == (41, 43, 6.0)
    assert not playlist.ended


def test_only_new_segments_are_read_where_the_old_ones_are_known() -> None:
    lines = ["#EXTM3U", "#EXT-X-MEDIA-SEQUENCE:41"]
    for number in range(4):
        lines += ["#EXTINF:1,", "#EXT-X-BYTERANGE:10", "all.ts"]
        lines += ["#EXT-X-DISCONTINUITY"] if number == 2 else []
    text = "\n".join(lines)

    whole, new = parse_playlist(text), parse_playlist(text, since=43)

    assert isinstance(whole, MediaPlaylist)
    assert isinstance(new, MediaPlaylist)
    assert new.segments == whole.segments[2:]
    assert (new.sequence, new.end) == (whole.sequence, whole.end) == (41, 45)
    assert new.segment(44) == whole.segment(44) == whole.segments[3]
    assert new.segment(44).byte_range == ByteRange(30, 10)


@pytest.mark.parametrize("tag", ["#EXT-X-ENDLIST", "#EXT-X-PLAYLIST-TYPE:VOD"])
def test_complete_playlist_has_ended(tag: str) -> None:
    assert media(tag, "#EXTINF:1,", "a.ts").ended


def test_event_playlist_goes_on() -> None:
    assert not media("#EXT-X-PLAYLIST-TYPE:EVENT", "#EXTINF:1,", "a.ts").ended


def test_discontinuity_and_gap_belong_to_the_next_segment_only() -> None:
    playlist = media(
        "#EXTINF:1,", "a.ts", "#EXT-X-DISCONTINUITY", "#EXTINF:1,", "b.ts",
        "#EXT-X-GAP", "#EXTINF:1,", "c.ts", "#EXTINF:1,", "d.ts",
    )  # fmt: skip

    assert [s.discontinuity for s in playlist.segments] == [False, True, False, False]
    assert [s.missing for s in playlist.segments] == [False, False, True, False]


def test_byte_range_goes_on_from_the_one_before_in_the_same_file() -> None:
    playlist = media(
        "#EXTINF:1,", "#EXT-X-BYTERANGE:100@50", "a.ts",
        "#EXTINF:1,", "#EXT-X-BYTERANGE:30", "a.ts",
        "#EXTINF:1,", "#EXT-X-BYTERANGE:20", "b.ts",
        "#EXTINF:1,", "c.ts",
    )  # fmt: skip

    assert [s.byte_range for s in playlist.segments] == [
        ByteRange(50, 100),
        ByteRange(150, 30),
        ByteRange(0, 20),
        None,
    ]
    assert ByteRange(50, 100).last == 149


def test_key_holds_until_the_next_one() -> None:
    playlist = media(
        "#EXTINF:1,", "a.ts",
        '#EXT-X-KEY:METHOD=AES-128,URI="k,1",IV=0x0102', "#EXTINF:1,", "b.ts",
        "#EXTINF:1,", "c.ts",
        "#EXT-X-KEY:METHOD=NONE", "#EXTINF:1,", "d.ts",
    )  # fmt: skip

    key = Key("AES-128", "k,1", bytes(14) + b"\x01\x02")
    assert [s.key for s in playlist.segments] == [None, key, key, None]


def test_key_of_a_protection_system_does_not_replace_the_plain_one() -> None:
    playlist = media(
        '#EXT-X-KEY:METHOD=AES-128,URI="k"',
        '#EXT-X-KEY:METHOD=SAMPLE-AES,URI="skd://x",KEYFORMAT="com.apple.streamingkeydelivery"',
        "#EXTINF:1,",
        "a.ts",
    )

    assert playlist.segments[0].key == Key("AES-128", "k", None)


def test_header_of_fragmented_mp4_is_known_to_each_segment() -> None:
    playlist = media('#EXT-X-MAP:URI="init.mp4",BYTERANGE="720@0"', "#EXTINF:1,", "a.m4s")

    assert playlist.segments[0].map == Map("init.mp4", ByteRange(0, 720))


def test_variants_of_a_master_playlist_are_listed() -> None:
    playlist = master(
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="aud",NAME="English",DEFAULT=YES,URI="en.m3u8"',
        '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="sub",NAME="English",URI="sub.m3u8"',
        '#EXT-X-STREAM-INF:BANDWIDTH=2500000,RESOLUTION=1280x720,CODECS="avc1.4d401f,mp4a.40.2",'
        'AUDIO="aud"',
        "720.m3u8",
        '#EXT-X-STREAM-INF:BANDWIDTH=64000,CODECS="mp4a.40.2"',
        "audio.m3u8",
        '#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI="i.m3u8"',
    )

    first, second = playlist.variants
    assert (first.uri, first.bandwidth, first.width, first.height, first.audio) == (
        "720.m3u8",
        2_500_000,
        1280,
        720,
        "aud",
    )
    assert not first.sound_only
    assert second.sound_only
    assert playlist.sounds == (SoundRendition("aud", "en.m3u8", True),)


@pytest.mark.parametrize("text", ["", "hello", "#EXTINF:1,\na.ts", "<html>#EXTM3U"])
def test_other_text_is_no_playlist(text: str) -> None:
    with pytest.raises(PlaylistError, match="does not begin with #EXTM3U"):
        parse_playlist(text)


def test_too_many_segments_are_refused() -> None:
    with pytest.raises(PlaylistError, match="more than 50000 segments"):
        media(*["#EXTINF:1,", "a.ts"] * (MAX_SEGMENTS + 1))


def test_too_many_variants_are_refused() -> None:
    with pytest.raises(PlaylistError, match="more than 100 renditions"):
        master(*["#EXT-X-STREAM-INF:BANDWIDTH=1", "a.m3u8"] * 101)


@pytest.mark.parametrize(
    "line",
    [
        "#EXTINF:nan,", "#EXTINF:1e400,", "#EXTINF:-1,", "#EXTINF:x,", "#EXT-X-TARGETDURATION:inf",
        "#EXT-X-MEDIA-SEQUENCE:99999999999999999999999", "#EXT-X-BYTERANGE:x@y",
        "#EXT-X-PROGRAM-DATE-TIME:yesterday", "#EXT-X-DATERANGE:ID", "#EXT-X-MAP:URI",
        "#EXT-X-KEY:", "#EXT-X-UNHEARD-OF:1", "# a comment", "#",
    ],
)  # fmt: skip
def test_malformed_tag_does_not_lose_the_segments(line: str) -> None:
    playlist = media(line, "#EXTINF:1,", "a.ts", line, "#EXTINF:2,", "b.ts")

    assert [segment.uri for segment in playlist.segments] == ["a.ts", "b.ts"]
    assert all(0 <= segment.duration_s <= 3600 for segment in playlist.segments)
    assert 0 < playlist.target_s <= 3600


def test_impossible_initialisation_vector_is_told() -> None:
    with pytest.raises(PlaylistError, match="initialisation vector"):
        media('#EXT-X-KEY:METHOD=AES-128,URI="k",IV=0x' + "f" * 33, "#EXTINF:1,", "a.ts")


@given(st.lists(st.sampled_from([
    "#EXTINF:", "#EXTINF:1,", "a.ts", "#EXT-X-KEY:METHOD=", '#EXT-X-KEY:METHOD=AES-128,IV=0x1',
    "#EXT-X-STREAM-INF:", "#EXT-X-STREAM-INF:BANDWIDTH=x,RESOLUTION=axb", "#EXT-X-BYTERANGE:",
    "#EXT-X-MEDIA:TYPE=AUDIO", "\ufeff", "#EXT-X-MAP:URI=\"a\",BYTERANGE=\"9\"", '"', "=,=",
])))  # fmt: skip
def test_any_playlist_is_read_or_refused(lines: list[str]) -> None:
    try:
        playlist = parse_playlist("\n".join(("#EXTM3U", *lines)))
    except PlaylistError:
        return

    assert isinstance(playlist, MediaPlaylist | MasterPlaylist)
