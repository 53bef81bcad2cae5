"""A stream goes from worker to worker, planned or not, and its incident with it: real processes."""

from __future__ import annotations

import signal
import urllib.request
from collections.abc import Iterator

import pytest

from streammonitor_api.fleet.records import Gap
from streammonitor_worker.synth.live import LiveStream
from tests.support.fleet_workers import (
    Broadcast,
    HastenedStream,
    PlayedOperator,
    Start,
    a_spec,
)
from tests.support.inbox import small_recipe
from tests.support.waiting import wait_until


@pytest.fixture
def long_black() -> Iterator[HastenedStream]:
    """A stream that is black from 4 s on for as long as a test wants, and then again is not."""
    recipe = small_recipe("video-black@4+40", duration_s=50.0)
    with HastenedStream(recipe, segment_s=1.0, window=50) as stream:
        stream.wait_until_playable(20)
        yield stream


def playlist_of(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310  # our own server
        return str(answer.read(), "utf-8")


def test_killed_worker_is_replaced_and_its_incident_goes_on(
    start: Start, operator: PlayedOperator, broadcast: Broadcast
) -> None:
    first, second = start("first"), start("second")
    assert operator.port(first.name) != operator.port(second.name)
    spec = a_spec("one", broadcast())
    operator.give(first.name, spec)
    opened = operator.await_event("opened")

    first.send(signal.SIGKILL)
    operator.assign(second.name, spec)
    closed = operator.await_event("closed")

    assert operator.told() == [("opened", 1), ("closed", closed.told.revision)]
    assert closed.told.event.incident.id == opened.told.event.incident.id
    assert closed.told.event.incident.duration_s == pytest.approx(9.0, abs=0.3)
    assert closed.worker == second.name


def test_defect_that_nobody_watched_is_told_by_the_next_owner(
    start: Start, operator: PlayedOperator
) -> None:
    first, second = start("first"), start("second")
    assert operator.port(first.name) != operator.port(second.name)
    recipe = small_recipe("video-black@12+3", duration_s=120.0)
    with LiveStream(recipe, segment_s=1.0, window=60) as stream:
        stream.wait_until_playable(20)
        spec = a_spec("one", stream.url)
        operator.want(spec)
        operator.assign(first.name, spec)
        operator.await_row(first.name, spec, "watching")

        killed_ms = operator.store.hold_term(operator.term)
        first.send(signal.SIGKILL)
        gap = Gap(spec.stream, killed_ms, None, "worker-dead")
        operator.store.open_gaps(operator.term, [gap])
        # As many segments after the defect as a playlist is joined before its end, and one more.
        wait_until(lambda: "\n19.ts" in playlist_of(stream.url), "the defect is over", within_s=60)
        assert operator.told() == []
        operator.assign(second.name, spec)
        closed = operator.await_event("closed")

    assert operator.told() == [("opened", 1), ("closed", 2)]
    assert closed.worker == second.name
    assert closed.told.event.incident.duration_s == pytest.approx(3.0, abs=0.3)


def test_planned_move_leaves_no_gap_and_doubles_nothing(
    start: Start, operator: PlayedOperator, long_black: HastenedStream
) -> None:
    old, new = start("old"), start("new")
    assert operator.port(old.name) != operator.port(new.name)
    spec = a_spec("one", long_black.url)
    operator.give(old.name, spec)
    opened = operator.await_event("opened").told.event.incident

    operator.assign(new.name, spec, overlap_s=2.0)
    operator.await_row(new.name, spec, "warming", claimed=False)
    assert operator.rows(old.name)[spec.stream].state == "watching"
    row = operator.await_row(new.name, spec, "watching")
    operator.withdraw(old.name, spec)
    wait_until(lambda: not operator.rows(old.name), "the old one lets go")
    long_black.hasten()
    closed = operator.await_event("closed")

    assert row.epoch == 2
    assert operator.told() == [("opened", 1), ("closed", closed.told.revision)]
    assert closed.told.event.incident.id == opened.id
    assert closed.told.event.incident.onset == opened.onset
    assert closed.told.event.incident.recovery is not None
    assert closed.worker == new.name


def test_worker_that_slept_through_its_failover_tells_nothing_twice(
    start: Start, operator: PlayedOperator, broadcast: Broadcast
) -> None:
    first, second = start("first"), start("second")
    assert operator.port(first.name) != operator.port(second.name)
    spec = a_spec("one", broadcast())
    operator.give(first.name, spec)
    operator.await_event("opened")

    first.send(signal.SIGSTOP)  # its engine goes on, and finds the end of the defect
    operator.assign(second.name, spec)
    operator.withdraw(first.name, spec)
    operator.await_event("closed")
    first.send(signal.SIGCONT)

    wait_until(lambda: not operator.rows(first.name), "the one that slept lets go")
    assert [kind for kind, _ in operator.told()] == ["opened", "closed"]
    assert operator.store.read_claims()[spec.stream].worker == second.name
