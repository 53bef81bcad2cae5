"""Live HLS on loopback: what a player gets of it, in time, and the faults of its server.

Segments of 0.4 s make these tests short; they run as long as their streams.
"""

from __future__ import annotations

import threading
import time
from fractions import Fraction
from pathlib import Path

import av
import pytest
import urllib3

from streammonitor_api.errors import InputError
from streammonitor_worker.synth import Recipe, Truth, parse_injection
from streammonitor_worker.synth.live import LiveStream

SEGMENT_S = 0.4
DEADLINE_S = 30.0
PATIENCE_S = 0.1
"""An answer that takes longer does not count: it is not known when it was true."""


def recipe(*injections: str, duration_s: float = 2.4, **changed: object) -> Recipe:
    plain: dict[str, object] = {
        "duration_s": duration_s,
        "width": 320,
        "height": 180,
        "fps": Fraction(25),
        "sound": "tone",
        "injections": [parse_injection(text) for text in injections],
    }
    return Recipe(**(plain | changed))  # type: ignore[arg-type]


def ask(url: str) -> tuple[int, bytes]:
    """Request once: status and body. Raises urllib3's HTTPError where nobody answers."""
    with urllib3.PoolManager(retries=False, timeout=5) as pool:
        response = pool.request("GET", url)
        return response.status, response.data


def fetch(url: str) -> str:
    """Get a text; empty where the server has none or is away."""
    try:
        status, body = ask(url)
    except urllib3.exceptions.HTTPError:
        return ""
    return body.decode() if status == 200 else ""


def newest(playlist: str) -> int:
    """Number of the last segment; -1 without any."""
    names = [line for line in playlist.splitlines() if line and not line.startswith("#")]
    return int(names[-1].partition(".")[0]) if names else -1


def follow(live: LiveStream) -> list[tuple[float, int]]:
    """Poll the playlist until the stream ends: time on its clock, newest segment (-1: none)."""
    seen = []
    while not live.wait(0.02):
        asked = time.time() - live.started_at
        found = newest(fetch(live.url))
        if time.time() - live.started_at - asked < PATIENCE_S:
            seen.append((asked, found))
    return seen


def play(url: str) -> tuple[list[float], list[float]]:
    """Play until the end from the first segment: media times of all pictures, of black ones."""
    with av.open(url, options={"live_start_index": "0"}, timeout=DEADLINE_S) as container:
        everything, black, sounds = [], [], []
        for frame in container.decode(container.streams.video[0], container.streams.audio[0]):
            assert isinstance(frame, av.VideoFrame | av.AudioFrame)
            assert frame.time is not None
            if isinstance(frame, av.AudioFrame):
                sounds.append(frame.time)
                continue
            everything.append(frame.time)
            if frame.to_ndarray(format="gray").mean() < 5:
                black.append(frame.time)
    start = min(everything[0], sounds[0])
    return [time - start for time in everything], [time - start for time in black]


@pytest.mark.parametrize("fragmented", [False, True], ids=["mpegts", "fmp4"])
def test_player_sees_the_defect_where_the_truth_says(fragmented: bool) -> None:
    with LiveStream(
        recipe("video-black@0.8+0.6"), segment_s=SEGMENT_S, window=20, fragmented=fragmented
    ) as live:
        truth = live.wait_until_playable(DEADLINE_S)
        pictures, black = play(live.url)

    (defect,) = truth.defects
    assert len(pictures) == 60
    assert len(black) == 15
    assert black[0] == pytest.approx(defect.onset_s, abs=0.002)
    assert black[-1] + 0.04 == pytest.approx(defect.recovery_s, abs=0.002)


def test_segments_appear_as_the_clock_goes() -> None:
    with LiveStream(recipe(), segment_s=SEGMENT_S) as live:
        seen = follow(live)

    complete = [(at, number) for at, number in seen if number >= 0 and at < 2.4]
    assert max(number for _, number in complete) >= 4
    for at, number in complete:
        assert (number + 1) * SEGMENT_S <= at + PATIENCE_S + 0.01, "a segment before its end"


def test_playlist_slides_and_old_segments_are_deleted() -> None:
    with LiveStream(recipe(duration_s=3), segment_s=0.2, window=3) as live:
        assert live.wait(DEADLINE_S)
        text = fetch(live.url)
        segment = live.url.replace("index.m3u8", "{}.ts")
        assert [line for line in text.splitlines() if line.endswith(".ts")] == [
            "12.ts",
            "13.ts",
            "14.ts",
        ]
        assert "#EXT-X-ENDLIST" in text
        assert ask(segment.format(0))[0] == 404


def test_stalled_playlist_stays_and_then_catches_up() -> None:
    with LiveStream(recipe("stream-stall@0.9+1.1"), segment_s=SEGMENT_S, window=4) as live:
        truth = live.wait_until_playable(DEADLINE_S)
        seen = follow(live)

    stalled = {number for at, number in seen if 0.92 < at < 2.0 - PATIENCE_S}
    assert stalled == {1}, "segments 0 and 1 end at 0.8 s"
    assert max(number for _, number in seen) >= 4
    (defect,) = truth.defects
    assert defect.onset_s == pytest.approx(0.8, abs=0.03)
    assert defect.recovery_s == pytest.approx(2.0, abs=0.03)


def test_server_refuses_connections_while_it_is_away() -> None:
    with LiveStream(recipe("stream-unavailable@0.7+1"), segment_s=SEGMENT_S) as live:
        live.wait_until_playable(DEADLINE_S)
        url, seen = live.url, follow(live)
        assert live.url == url

    assert {number for at, number in seen if 1.0 < at < 1.7 - PATIENCE_S} == {-1}
    assert all(number >= 0 for at, number in seen if at > 2.0)
    assert max(number for _, number in seen) >= 4


def test_lost_segments_are_not_found_and_the_others_are() -> None:
    with LiveStream(recipe("segment-error@1+0.4"), segment_s=SEGMENT_S, window=20) as live:
        assert live.wait(DEADLINE_S)
        names = [line for line in fetch(live.url).splitlines() if line.endswith(".ts")]
        base = live.url.removesuffix("index.m3u8")
        statuses = {int(name.partition(".")[0]): ask(base + name)[0] for name in names}

    assert statuses == {number: 404 if number in (2, 3) else 200 for number in range(6)}


def test_packets_are_lost_on_the_way(tmp_path: Path) -> None:
    with LiveStream(recipe("continuity-error@0.8+0.8"), segment_s=SEGMENT_S, window=20) as live:
        truth = live.wait_until_playable(DEADLINE_S)
        assert live.wait(DEADLINE_S)
        base = live.url.removesuffix("index.m3u8")
        sizes = []
        for number in range(6):
            _, served = ask(f"{base}{number}.ts")
            sizes.append((stored_size(live, number) - len(served)) // 188)

    assert [number for number, lost in enumerate(sizes) if lost] == [2, 3]
    assert [defect.detector for defect in truth.defects] == ["continuity-error"]


def stored_size(live: LiveStream, number: int) -> int:
    return (live.directory / "320x180" / f"{number}.ts").stat().st_size


def test_format_changes_behind_a_discontinuity() -> None:
    with LiveStream(recipe("format-change@1.2"), segment_s=SEGMENT_S, window=20) as live:
        assert live.wait(DEADLINE_S)
        lines = fetch(live.url).splitlines()
        base = live.url.removesuffix("index.m3u8")
        sizes = [size_of(f"{base}{number}.ts") for number in (2, 3)]

    place = lines.index("#EXT-X-DISCONTINUITY")
    assert next(line for line in lines[place:] if line.endswith(".ts")) == "3.ts"
    assert sizes == [(320, 180), (240, 134)]


def size_of(url: str) -> tuple[int, int]:
    with av.open(url, timeout=DEADLINE_S) as container:
        frame = next(container.decode(video=0))
        return frame.width, frame.height


def test_master_playlist_offers_renditions_and_their_sound() -> None:
    live = LiveStream(
        recipe(duration_s=1.6), segment_s=SEGMENT_S, window=20, sizes=[(160, 90)],
        separate_sound=True,
    )  # fmt: skip
    with live:
        live.wait_until_playable(DEADLINE_S)
        text = fetch(live.url)
        assert live.wait(DEADLINE_S)
        base = live.url.removesuffix("master.m3u8")
        sizes = [size_of(f"{base}{name}/index.m3u8") for name in ("320x180", "160x90")]
        with av.open(f"{base}sound/index.m3u8", timeout=DEADLINE_S) as container:
            kinds = [stream.type for stream in container.streams]

    assert live.url.endswith("master.m3u8")
    assert "RESOLUTION=320x180" in text
    assert "RESOLUTION=160x90" in text
    assert sizes == [(320, 180), (160, 90)]
    assert kinds == ["audio"]


def test_stop_ends_a_long_stream_at_once_and_cleans_up() -> None:
    before = threading.active_count()
    live = LiveStream(recipe(duration_s=3600), segment_s=SEGMENT_S)
    live.start()
    live.wait_until_playable(DEADLINE_S)

    asked = time.monotonic()
    live.stop()

    assert time.monotonic() - asked < 2
    assert threading.active_count() == before
    assert not live.directory.exists()


def test_sound_alone_is_broadcast() -> None:
    with LiveStream(recipe("audio-silence@0.8+0.4", picture=None), segment_s=SEGMENT_S) as live:
        truth = live.wait_until_playable(DEADLINE_S)

    assert [defect.track for defect in truth.defects] == ["audio:0"]


def test_late_watcher_knows_when_the_stream_began() -> None:
    with LiveStream(recipe("video-black@1+1"), segment_s=SEGMENT_S) as live:
        truth: Truth = live.wait_until_playable(DEADLINE_S)

        assert truth.started_at == pytest.approx(live.started_at, abs=0.03)
        assert truth.to_dict()["started_at"] == truth.started_at


@pytest.mark.parametrize(
    ("injection", "options", "message"),
    [
        ("timestamp-jump@1", {}, "cannot be served live"),
        ("format-change@1.5", {}, "use a multiple of 0.4 s"),
        ("continuity-error@1+1", {"fragmented": True}, "needs MPEG-TS"),
        ("video-freze@1+1", {}, 'did you mean "video-freeze"'),
    ],
)
def test_what_cannot_be_live_is_refused(
    injection: str, options: dict[str, bool], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        LiveStream(
            recipe(injection),
            segment_s=SEGMENT_S,
            fragmented=options.get("fragmented", False),
        )


def test_bad_codec_is_told_at_the_start() -> None:
    live = LiveStream(recipe(audio_rate=50001), segment_s=SEGMENT_S)
    with pytest.raises(InputError, match="cannot"), live:
        live.wait_until_playable(DEADLINE_S)
