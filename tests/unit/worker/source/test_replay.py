"""A file that a server sends again and again is known from a live stream."""

from __future__ import annotations

import pytest

from streammonitor_worker.source.replay import RepeatedError, Replay


def test_first_connection_repeats_nothing() -> None:
    Replay().check(first_s=1.4, media_s=0.0, away_s=0.0, now=100.0)


def test_same_beginning_of_what_came_faster_than_it_plays_is_a_repetition() -> None:
    replay = Replay()
    replay.check(first_s=1.4, media_s=0.0, away_s=0.0, now=100.0)

    with pytest.raises(RepeatedError):
        replay.check(first_s=1.4, media_s=60.0, away_s=0.5, now=103.0)


def test_encoder_that_starts_anew_is_no_repetition() -> None:
    replay = Replay()
    replay.check(first_s=1.4, media_s=0.0, away_s=0.0, now=100.0)

    replay.check(first_s=1.4, media_s=60.0, away_s=5.0, now=165.0)


def test_burst_of_a_live_stream_is_no_repetition() -> None:
    replay = Replay()
    replay.check(first_s=1.4, media_s=0.0, away_s=0.0, now=100.0)

    replay.check(first_s=12.4, media_s=11.0, away_s=0.5, now=101.5)
