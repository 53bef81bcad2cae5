"""Wanted, watched and missed seconds: recomputed another way, they are the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streammonitor_api.fleet.records import CoverageTotal, Gap, StreamRow, StreamState
from streammonitor_api.names import Epoch, StreamKey, WorkerId
from streammonitor_operator.coverage import (
    NO_WORKER,
    OPENING,
    QUARANTINED,
    SOURCE_UNAVAILABLE,
    STARTING,
    WORKER_LOST,
    Coverage,
    reason_unwatched,
)
from streammonitor_operator.handover import Ownership, Phase

ONE = StreamKey("prod/sports/one")
OWNED = Ownership(ONE, Phase.WATCHED, WorkerId("a"), Epoch(1))


def a_row(state: StreamState) -> StreamRow:
    return StreamRow(stream=ONE, epoch=Epoch(1), state=state)


@pytest.mark.parametrize(
    ("ownership", "row", "lives", "before", "reason"),
    [
        pytest.param(OWNED, a_row("watching"), True, WORKER_LOST, None, id="watched"),
        pytest.param(Ownership(ONE), None, False, None, NO_WORKER, id="nobody"),
        pytest.param(OWNED, a_row("watching"), False, None, WORKER_LOST, id="dead owner"),
        pytest.param(OWNED, None, True, WORKER_LOST, WORKER_LOST, id="given to another"),
        pytest.param(OWNED, a_row("opening"), True, WORKER_LOST, WORKER_LOST, id="reopened"),
        pytest.param(OWNED, a_row("opening"), True, None, OPENING, id="opening"),
        pytest.param(OWNED, a_row("reconnecting"), True, None, SOURCE_UNAVAILABLE, id="source"),
        pytest.param(OWNED, a_row("quarantined"), True, None, QUARANTINED, id="quarantined"),
    ],
)
def test_why_a_stream_is_not_watched(
    ownership: Ownership, row: StreamRow | None, lives: bool, before: str | None, reason: str | None
) -> None:
    assert reason_unwatched(ownership, row, lives, before) == reason


def test_gap_lasts_from_the_last_heartbeat_to_the_first_picture() -> None:
    coverage = Coverage()
    coverage.begin(ONE, 0)
    coverage.note(ONE, None, 2_000)
    coverage.opened.clear()
    coverage.closed.clear()

    coverage.note(ONE, WORKER_LOST, 60_000)
    coverage.note(ONE, OPENING, 63_500)
    assert coverage.opened == {ONE: Gap(ONE, 60_000, None, WORKER_LOST)}
    coverage.note(ONE, None, 64_000)

    assert coverage.closed == {ONE: 64_000}
    assert coverage.missed_s == {STARTING: 2.0, WORKER_LOST: 4.0}
    assert coverage[ONE].total(100_000) == CoverageTotal(100.0, 94.0)


def test_gap_that_lasts_counts_up_to_now() -> None:
    coverage = Coverage()
    coverage.begin(ONE, 0)
    coverage.note(ONE, None, 0)
    coverage.note(ONE, NO_WORKER, 5_000)

    assert coverage[ONE].total(15_000) == CoverageTotal(15.0, 5.0)
    assert coverage.unwatched() == 1


def test_stream_that_is_watched_at_once_had_no_gap() -> None:
    coverage = Coverage()
    coverage.begin(ONE, 1_000)
    coverage.note(ONE, None, 1_000)

    assert (coverage.opened, coverage.closed) == ({}, {})


def test_sums_of_an_operator_before_go_on() -> None:
    coverage = Coverage()
    coverage.begin(ONE, 10_000, CoverageTotal(100.0, 90.0))
    coverage.note(ONE, None, 10_000)

    assert coverage[ONE].total(20_000) == CoverageTotal(110.0, 100.0)


def test_stream_that_is_not_wanted_is_not_counted() -> None:
    coverage = Coverage()
    coverage.begin(ONE, 0)
    coverage.end(ONE)
    coverage.note(ONE, None, 5_000)

    assert ONE not in coverage
    assert coverage.sums(10_000) == (0, 0)
    assert (coverage.opened, coverage.closed) == ({}, {})


@given(st.lists(st.tuples(st.integers(1, 5_000), st.booleans()), max_size=30))
def test_sums_are_those_of_the_seconds(story: list[tuple[int, bool]]) -> None:
    coverage = Coverage()
    coverage.begin(ONE, 0)
    now_ms = watched_ms = 0
    watched = False
    for wait_ms, state in story:
        watched_ms += wait_ms * watched
        now_ms += wait_ms
        watched = state
        coverage.note(ONE, None if state else WORKER_LOST, now_ms)

    total = coverage[ONE].total(now_ms)

    assert total.wanted_s == pytest.approx(now_ms / 1000)
    assert total.watched_s == pytest.approx(watched_ms / 1000)
