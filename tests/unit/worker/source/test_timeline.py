"""Timestamps of any kind become media time that starts at 0 and moves on."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streammonitor_worker.source.timeline import (
    JITTER_S,
    REANCHOR_S,
    Place,
    Timeline,
    unwrapped,
)

WRAP_S = 2**33 / 90_000
VIDEO_S, AUDIO_S = 1 / 25, 1024 / 48_000


class Stream:
    """Feeds a timeline with video and audio packets that follow each other."""

    def __init__(self, timeline: Timeline, at_s: float = 0.0, *, wrap_s: float | None = None):
        self.timeline = timeline
        self.wrap_s = wrap_s
        self.video_s = self.audio_s = at_s
        self.whole = False

    def video(self, *, delay_s: float = 0.0, key: bool = True) -> Place:
        dts = self._stamp(self.video_s)
        place = self.timeline.place(
            "video:0",
            self._stamp(self.video_s + delay_s),
            dts,
            VIDEO_S,
            key=key,
            whole=self.whole,
        )
        self.video_s += VIDEO_S
        return place

    def audio(self) -> Place:
        stamp = self._stamp(self.audio_s)
        place = self.timeline.place("audio:0", stamp, stamp, AUDIO_S, key=True, whole=self.whole)
        self.audio_s += AUDIO_S
        return place

    def play(self, seconds: float) -> list[Place]:
        """Both tracks, interleaved."""
        until, places = self.video_s + seconds, []
        while self.video_s < until - 1e-9:
            places.append(self.video())
            while self.audio_s < self.video_s:
                places.append(self.audio())
        return places

    def jump(self, seconds: float) -> None:
        self.video_s += seconds
        self.audio_s += seconds

    def _stamp(self, seconds: float) -> float:
        return seconds if self.wrap_s is None else seconds % self.wrap_s


def started(at_s: float = 0.0, *, wrap_s: float | None = None, sparse: bool = False) -> Stream:
    timeline = Timeline()
    timeline.begin(
        at_s if wrap_s is None else at_s % wrap_s, at_s=0.0, wrap_s=wrap_s, sparse=sparse
    )
    return Stream(timeline, at_s, wrap_s=wrap_s)


def jumps(places: list[Place]) -> list[float]:
    return [place.jump_s for place in places if place.jump_s]


def test_first_sample_is_at_media_time_0() -> None:
    stream = started(1.4)

    assert stream.video().time == pytest.approx(0.0)
    assert stream.audio().time == pytest.approx(0.0)


def test_regular_packets_have_no_jump() -> None:
    assert jumps(started(1.4).play(10)) == []


def test_wraps_are_undone_each_time() -> None:
    stream = started(WRAP_S - 1.0, wrap_s=WRAP_S)
    places = stream.play(3.0)
    for _ in range(3):  # four more wraps, in strides that are shorter than what is plausible
        stream.timeline.begin(stream.video_s % WRAP_S, at_s=stream.timeline.end, wrap_s=WRAP_S)
        places += stream.play(2.0)

    assert jumps(places) == []
    assert stream.timeline.end == pytest.approx(9.0, abs=0.05)


def test_stream_joined_at_the_wrap_with_tracks_on_both_sides_of_it() -> None:
    timeline = Timeline()
    timeline.begin(WRAP_S - 0.02, at_s=0.0, wrap_s=WRAP_S)

    late = timeline.place("video:0", 0.02, WRAP_S - 0.04, VIDEO_S, key=True)
    early = timeline.place("audio:0", WRAP_S - 0.02, WRAP_S - 0.02, AUDIO_S, key=True)

    assert early.time == pytest.approx(0.0)
    assert late.time == pytest.approx(0.04)


@pytest.mark.parametrize("seconds", [-3600.0, -5.0, -0.5, 11.0, 3600.0, 50_000.0])
def test_media_time_goes_on_over_a_jump(seconds: float) -> None:
    stream = started(60_000.0)
    stream.play(2.0)
    end = stream.timeline.end

    stream.jump(seconds)
    after = stream.play(2.0)

    assert jumps(after) == pytest.approx([seconds])
    assert after[0].time == pytest.approx(end, abs=AUDIO_S)
    assert stream.timeline.end == pytest.approx(4.0, abs=AUDIO_S)


@pytest.mark.parametrize("seconds", [0.8, 2.0, 10.0])
def test_media_time_goes_on_over_a_short_jump_if_nothing_was_lost(seconds: float) -> None:
    stream = started()
    stream.play(2.0)
    end = stream.timeline.end

    stream.jump(seconds)
    stream.whole = True
    after = stream.play(2.0)

    assert jumps(after) == pytest.approx([seconds])
    assert after[0].time == pytest.approx(end, abs=AUDIO_S)
    assert stream.timeline.end == pytest.approx(4.0, abs=AUDIO_S)


def test_jump_after_reordered_pictures_loses_none_of_them() -> None:
    stream = started()
    for delay in (0, 3, 0, 0, 0):  # shown as decoded but for the second, which comes last
        stream.video(delay_s=delay * VIDEO_S - (delay == 0) * VIDEO_S)

    stream.jump(-3.0)
    after = stream.video()

    assert after.time == pytest.approx(stream.timeline.end - VIDEO_S)
    assert after.time == pytest.approx(5 * VIDEO_S)


def test_short_pause_of_a_whole_stream_is_kept() -> None:
    stream = started()
    stream.play(2.0)

    stream.jump(0.5)
    stream.whole = True
    stream.play(2.0)

    assert stream.timeline.end == pytest.approx(4.5, abs=AUDIO_S)


@pytest.mark.parametrize("seconds", [0.5, 2.0, 9.5])
def test_short_gap_is_told_and_kept(seconds: float) -> None:
    stream = started()
    stream.play(2.0)

    stream.jump(seconds)
    after = stream.play(2.0)

    assert jumps(after) == pytest.approx([seconds])
    assert stream.timeline.end == pytest.approx(4.0 + seconds, abs=AUDIO_S)


def test_track_that_begins_absurdly_early_begins_with_the_others() -> None:
    stream = started(10_000.0)
    stream.video()

    first = stream.timeline.place("audio:0", 3.0, 3.0, AUDIO_S, key=True)
    second = stream.timeline.place("audio:0", 3.0 + AUDIO_S, 3.0 + AUDIO_S, AUDIO_S, key=True)

    assert first.time == pytest.approx(0.0)
    assert second.time == pytest.approx(AUDIO_S)


def test_gap_is_told_once_though_packets_from_before_it_come_late() -> None:
    stream = started()
    stream.play(2.0)

    stream.audio_s += 1.0
    first = stream.audio()
    late = stream.video()
    stream.video_s += 1.0
    second = stream.video()

    assert first.jump_s == pytest.approx(1.0)
    assert late.jump_s == second.jump_s == 0.0


def test_tracks_stay_in_step_over_a_jump() -> None:
    stream = started()
    stream.play(2.0)

    stream.jump(-1.5)
    video, audio = stream.video(), stream.audio()

    difference = (stream.video_s - VIDEO_S) - (stream.audio_s - AUDIO_S)
    assert video.time - audio.time == pytest.approx(difference)


def test_packets_from_before_a_jump_that_come_late_stay_where_they_belong() -> None:
    stream = started()
    stream.play(2.0)
    late_s = stream.audio_s

    stream.video_s += 1000.0
    jumped = stream.video()
    late = stream.audio()
    stream.audio_s += 1000.0
    following = stream.audio()

    assert jumped.jump_s == pytest.approx(1000.0)
    assert late.time == pytest.approx(late_s)
    assert late.jump_s == following.jump_s == 0.0
    assert following.time == pytest.approx(late_s + AUDIO_S, abs=VIDEO_S)


def test_reordered_pictures_are_no_jump() -> None:
    stream = started()
    delays = [0.04, 0.16, 0.08, 0.04, 0.04]  # I P B B B in order of decoding

    places = [stream.video(delay_s=delays[n % 5], key=n % 5 == 0) for n in range(50)]

    assert jumps(places) == []


def test_pause_of_one_track_is_no_jump() -> None:
    stream = started()
    stream.play(2.0)

    stream.video_s += 5.0  # a picture that stays; the sound goes on
    while stream.audio_s < stream.video_s:
        assert stream.audio().jump_s == 0.0

    assert stream.video().jump_s == 0.0


def test_lone_track_of_a_file_may_pause() -> None:
    timeline = Timeline()
    timeline.begin(0.0, at_s=0.0, sparse=True)

    places = [timeline.place("video:0", at, at, 0.0, key=True) for at in (0.0, 0.04, 8.0, 60.0)]

    assert jumps(places) == []
    assert places[-1].time == pytest.approx(60.0)


def test_long_pictures_whose_duration_is_known_are_no_jump() -> None:
    timeline = Timeline()
    timeline.begin(0.0, at_s=0.0)

    places = [timeline.place("video:0", at, at, 5.0, key=True) for at in (0.0, 5.0, 10.0)]

    assert jumps(places) == []


def test_absent_timestamps_are_made_from_durations() -> None:
    timeline = Timeline()
    timeline.begin(0.0, at_s=0.0)

    places = [timeline.place("video:0", None, None, VIDEO_S, key=True) for _ in range(4)]

    assert [place.time for place in places] == pytest.approx([0, VIDEO_S, 2 * VIDEO_S, 3 * VIDEO_S])


def test_missing_timestamps_of_decoding_are_no_jump() -> None:
    timeline = Timeline()
    timeline.begin(0.0, at_s=0.0)
    stamps = [(0.0, None), (0.16, None), (0.08, 0.0), (0.04, 0.04), (0.12, 0.08), (0.32, 0.12)]

    places = [timeline.place("video:0", pts, dts, VIDEO_S, key=False) for pts, dts in stamps]

    assert jumps(places) == []
    assert [place.time for place in places] == pytest.approx([pts for pts, _ in stamps])


def test_duration_of_a_damaged_packet_is_not_believed() -> None:
    timeline = Timeline()
    timeline.begin(0.0, at_s=0.0)
    timeline.place("video:0", 0.0, 0.0, VIDEO_S, key=True)
    timeline.place("video:0", 0.04, 0.04, 1e9, key=True)

    following = timeline.place("video:0", 0.08, 0.08, VIDEO_S, key=True)

    assert (following.time, following.jump_s) == pytest.approx((0.08, 0.0))
    assert timeline.end < 1.0


@pytest.mark.parametrize(("pts", "dts"), [(0.16, 23_860.0), (7000.0, 0.12)])
def test_damaged_timestamp_is_ignored_where_the_other_is_right(pts: float, dts: float) -> None:
    timeline = Timeline()
    timeline.begin(0.0, at_s=0.0, wrap_s=WRAP_S)
    for number in range(3):
        timeline.place("video:0", number * 0.04, number * 0.04, VIDEO_S, key=True)

    place = timeline.place("video:0", pts, dts, VIDEO_S, key=False)

    assert place.jump_s == 0.0
    assert place.time == pytest.approx(0.14, abs=0.021)


def test_part_that_resumes_by_its_timestamps_keeps_them() -> None:
    stream = started(100.0)
    stream.play(4.0)

    stream.timeline.resume(107.0, outage_s=1.0)  # 3 s were lost meanwhile
    place = stream.timeline.place("video:0", 107.0, 107.0, VIDEO_S, key=True)

    assert (place.time, place.jump_s) == pytest.approx((7.0, 0.0))


@pytest.mark.parametrize("first_s", [0.0, 5000.0])
def test_part_with_other_timestamps_resumes_by_the_clock(first_s: float) -> None:
    stream = started(100.0)
    stream.play(4.0)
    end = stream.timeline.end

    stream.timeline.resume(first_s, outage_s=6.0)
    place = stream.timeline.place("video:0", first_s, first_s, VIDEO_S, key=True)

    assert (place.time, place.jump_s) == pytest.approx((end + 6.0, 0.0))


def test_part_resumes_over_a_wrap() -> None:
    stream = started(WRAP_S - 5.0, wrap_s=WRAP_S)
    stream.play(4.0)

    stream.timeline.resume(1.0, outage_s=1.0, wrap_s=WRAP_S)
    place = stream.timeline.place("video:0", 1.0, 1.0, VIDEO_S, key=True)

    assert place.time == pytest.approx(6.0)


def test_jump_between_parts_of_one_stream_of_bytes_is_told() -> None:
    stream = started(100.0)
    stream.play(4.0)

    stream.timeline.resume(50.0, outage_s=0.0)
    first = stream.timeline.place("video:0", 50.0, 50.0, VIDEO_S, key=True)
    second = stream.timeline.place("video:0", 50.04, 50.04, VIDEO_S, key=True)

    assert first.jump_s == pytest.approx(-54.0, abs=AUDIO_S)
    assert second.jump_s == 0.0
    assert first.time == pytest.approx(4.0, abs=AUDIO_S)


@settings(max_examples=60, deadline=None)
@given(
    st.floats(0.0, WRAP_S),
    st.lists(st.sampled_from([0.0, -7000.0, -3.0, 0.9, 4.0, 30.0, 7000.0]), max_size=6),
    st.integers(0, 2**32),
)
def test_media_time_never_goes_back(start_s: float, leaps: list[float], seed: int) -> None:
    chance = random.Random(seed)
    stream = started(start_s + 10_000.0, wrap_s=WRAP_S)
    stream.timeline.begin(stream.video_s % WRAP_S, at_s=0.0, wrap_s=WRAP_S)
    stream.play(1.0)
    ends = {"video": 1.0, "audio": 1.0}

    for leap in [*leaps, 0.0]:
        stream.jump(leap)
        for _ in range(40):
            kind = "video" if stream.video_s <= stream.audio_s + chance.uniform(0, 0.1) else "audio"
            place = stream.video() if kind == "video" else stream.audio()
            step = VIDEO_S if kind == "video" else AUDIO_S
            assert place.time > ends[kind] - step - JITTER_S
            assert place.time < ends[kind] + REANCHOR_S + 1.0
            ends[kind] = place.time + step


@given(st.floats(0, 1e6), st.integers(-3, 3), st.floats(-1000, 1000))
def test_unwrapped_time_is_the_closest_one(raw: float, turns: int, off: float) -> None:
    found = unwrapped(raw % WRAP_S, raw + turns * WRAP_S + off, WRAP_S)

    assert abs(found - (raw + turns * WRAP_S)) < 1e-3
