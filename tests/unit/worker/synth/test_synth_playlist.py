"""Playlists of a live origin: which segments are seen."""

from __future__ import annotations

from streammonitor_worker.synth.playlist import View, master_playlist, show
from streammonitor_worker.synth.recipe import Recipe

WRITTEN = """#EXTM3U
#EXT-X-VERSION:6
#EXT-X-TARGETDURATION:2
#EXT-X-MEDIA-SEQUENCE:7
#EXTINF:2.000000,
#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:14.000+0000
7.ts
#EXTINF:2.000000,
8.ts
#EXTINF:2.000000,
9.ts
#EXTINF:1.500000,
10.ts
"""
ENDED = WRITTEN + "#EXT-X-ENDLIST\n"


def segments(text: str | None) -> list[str]:
    assert text is not None
    return [line for line in text.splitlines() if not line.startswith("#")]


def test_window_shows_the_newest_segments_and_counts_the_others() -> None:
    shown = show(WRITTEN, View(window=2))

    assert segments(shown) == ["9.ts", "10.ts"]
    assert "#EXT-X-MEDIA-SEQUENCE:9" in str(shown)


def test_wide_window_shows_all_as_it_was_written() -> None:
    assert show(ENDED, View(window=10)) == ENDED


def test_stalled_playlist_shows_what_was_the_newest() -> None:
    shown = show(ENDED, View(window=2, newest=8))

    assert segments(shown) == ["7.ts", "8.ts"]
    assert "ENDLIST" not in str(shown), "the end is not yet to be seen"


def test_nothing_to_see_is_no_playlist() -> None:
    assert show(WRITTEN, View(window=2, newest=6)) is None


def test_discontinuity_precedes_its_segment() -> None:
    shown = show(WRITTEN, View(window=3, discontinuities=frozenset({9})))

    lines = str(shown).splitlines()
    assert lines.index("#EXT-X-DISCONTINUITY") + 2 == lines.index("9.ts")
    assert "DISCONTINUITY-SEQUENCE" not in str(shown)


def test_discontinuity_that_has_left_is_counted() -> None:
    shown = show(WRITTEN, View(window=3, discontinuities=frozenset({2, 7})))

    assert "#EXT-X-DISCONTINUITY-SEQUENCE:2" in str(shown)
    assert "#EXT-X-DISCONTINUITY\n" not in str(shown)


def test_master_playlist_lists_variants_and_their_sound() -> None:
    recipe = Recipe(duration_s=1)

    text = master_playlist([("a/index.m3u8", recipe, 4_000_000)], "sound/index.m3u8")

    assert 'TYPE=AUDIO,GROUP-ID="sound"' in text
    assert 'URI="sound/index.m3u8"' in text
    assert (
        "#EXT-X-STREAM-INF:BANDWIDTH=4000000,RESOLUTION=1280x720,FRAME-RATE=30.000,"
        'AUDIO="sound"\na/index.m3u8\n'
    ) in text
