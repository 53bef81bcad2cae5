"""How the tests on kind measure gaps."""

from __future__ import annotations

import pytest

from tests.support.kind.figures import percentile
from tests.support.kind.gaps import (
    Sighting,
    first_picture_of_others,
    is_at_rest,
    longest_gap_s,
    unwatched_s,
    was_reopened,
)


def seen(worker: str, epoch: int, *pictures: float, rate: float = 1.0) -> list[Sighting]:
    """Words of a worker that watches from the first of them on, all of it or a share."""
    return [
        Sighting(worker, epoch, "watching", at, rate * (at - pictures[0]), at + 0.1)
        for at in pictures
    ]


def test_overlapping_workers_leave_no_gap() -> None:
    rows = seen("a", 1, 10.0, 10.5, 11.0, 11.5) + seen("b", 2, 11.2, 11.7, 12.2, 12.7)

    assert longest_gap_s(rows, 10.0, 12.5) == 0
    assert unwatched_s(rows, 10.0, 12.5) == 0


def test_missing_segment_is_a_gap() -> None:
    rows = seen("a", 1, 10.0, 10.5) + seen("b", 2, 14.1, 14.6)

    assert unwatched_s(rows, 10.2, 14.2) == pytest.approx(3.6)
    assert longest_gap_s(rows, 10.2, 14.2) == pytest.approx(3.6)


def test_worker_that_watched_and_said_nothing_leaves_no_gap() -> None:
    assert unwatched_s(seen("a", 1, 10.0, 14.0, 14.5), 10.0, 14.4) == 0


def test_worker_that_watched_half_of_it_leaves_a_gap() -> None:
    assert unwatched_s(seen("a", 1, 10.0, 14.0, 14.5, rate=0.5), 10.0, 14.4) == 4.0


def test_worker_that_was_behind_and_caught_up_leaves_no_gap() -> None:
    behind = Sighting("a", 1, "watching", 14.0, 1.0, 14.1)
    watched = seen("a", 1, 10.0, 10.5, 15.0, 15.5)

    assert unwatched_s([*watched[:2], behind, *watched[2:]], 10.0, 15.4) == 0
    assert unwatched_s([*watched[:2], behind], 10.0, 13.9) == pytest.approx(3.5)


def test_worker_that_began_anew_leaves_a_gap() -> None:
    rows = seen("a", 1, 10.0, 15.0) + seen("a", 2, 19.0, 19.5)

    assert unwatched_s(rows, 10.0, 19.4) == 4.0


def test_gap_that_began_before_or_ends_after_counts_whole() -> None:
    rows = seen("a", 1, 10.0) + seen("b", 2, 15.0)

    assert longest_gap_s(rows, 12.0, 13.0) == 5.0


def test_stream_that_nobody_decoded_is_a_gap() -> None:
    assert longest_gap_s([], 10.0, 70.0) == 60.0


def test_worker_that_comes_back_is_another_claim() -> None:
    rows = seen("a", 1, 10.0, 10.5) + seen("a", 2, 13.0) + seen("b", 3, 14.0)

    assert first_picture_of_others(rows, ("a", 1), 10.2) == seen("a", 2, 13.0)[0]
    assert first_picture_of_others(rows[:2], ("a", 1), 10.2) is None


def test_stream_that_moves_is_not_at_rest() -> None:
    stays = seen("a", 1, *(float(n) for n in range(20)))

    assert is_at_rest(stays, 10.0)
    assert not is_at_rest(stays, 30.0)
    assert not is_at_rest(stays + seen("b", 2, 15.5, 16.5), 10.0)


def test_stream_that_is_watched_on_was_not_reopened() -> None:
    rows = seen("a", 1, 1, 2, 3, 4)
    again = seen("a", 1, 5, 6)

    assert not was_reopened(rows, 2)
    assert was_reopened([*rows, *again], 2)
    assert not was_reopened([*rows, *again], 5.5)
    assert was_reopened([*rows, *seen("b", 2, 6)], 2)


def test_percentile_is_a_value_that_was_measured() -> None:
    assert percentile([float(n) for n in range(1, 101)], 0.99) == 99.0
    assert percentile([3.0], 0.5) == 3.0
