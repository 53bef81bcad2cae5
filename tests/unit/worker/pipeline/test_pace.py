from __future__ import annotations

import pytest

from streammonitor_worker.pipeline.pace import Pace

FRAME = 0.04


def a_pace(*, frames: int = 25, per_frame_s: float = FRAME) -> Pace:
    """A stream of which `frames` have arrived, one each `per_frame_s`."""
    pace = Pace(wall_start=1000.0)
    for number in range(frames):
        at = number * per_frame_s
        pace.arrived("video:0", number * FRAME, (number + 1) * FRAME, 0.0, at)
        pace.measure_lag(0.0, at)
    return pace


def test_stream_that_is_read_as_fast_as_it_plays_has_no_lag() -> None:
    assert a_pace().lag_s == pytest.approx(0.0, abs=1e-9)


def test_stream_that_takes_twice_its_time_lags_by_what_it_fell_behind() -> None:
    pace = a_pace(frames=100, per_frame_s=2 * FRAME)

    assert pace.lag_s == pytest.approx(99 * FRAME)


def test_waiting_for_media_means_having_caught_up() -> None:
    pace = a_pace(frames=100, per_frame_s=2 * FRAME)

    assert pace.measure_lag(waited_s=0.02, now=9.0) == 0.0


def test_burst_of_a_segment_is_no_lag_and_no_credit_after_the_wait() -> None:
    pace = a_pace(frames=100, per_frame_s=0.001)
    pace.measure_lag(waited_s=3.9, now=4.0)

    assert pace.measure_lag(waited_s=3.9, now=6.5) == pytest.approx(2.5)


def test_wall_time_of_an_earlier_moment_is_earlier() -> None:
    pace = a_pace(frames=26)

    assert pace.wall_of_media(pace.media_s, live=True) == pytest.approx(1001.0)
    assert pace.wall_of_media(pace.media_s - 0.5, live=True) == pytest.approx(1000.5)


def test_file_has_the_wall_times_of_being_played() -> None:
    pace = a_pace(frames=100, per_frame_s=0.001)

    assert pace.wall_of_media(3.0, live=False) == pytest.approx(1003.0)


def test_idle_counts_beyond_the_interval_of_delivery() -> None:
    pace = a_pace(frames=26)

    assert pace.idle(now=4.0, cadence_s=2.0) == pytest.approx(1.0)
    assert pace.idle(now=2.5, cadence_s=2.0) == 0.0


def test_track_that_stopped_is_behind_the_others() -> None:
    pace = a_pace()
    pace.arrived("audio:0", 6.0, 6.02, 0.0, 6.0)

    assert dict(pace.behind(6.0)) == {"video:0": pytest.approx(5.0), "audio:0": 0.0}


def test_gap_that_all_tracks_have_leaves_no_track_behind() -> None:
    pace = a_pace()
    pace.arrived("audio:0", 0.98, 1.0, 0.0, 1.0)

    pace.arrived("audio:0", 7.0, 7.02, 6.0, 1.1)

    assert dict(pace.behind(7.0))["video:0"] == pytest.approx(0.0)
