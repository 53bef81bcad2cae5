"""Engines that cannot even begin, on real processes; what hangs is in the contract's tests."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import pytest

from streammonitor_worker.engine.messages import EndOrder
from streammonitor_worker.supervisor.engines import Died, Message
from streammonitor_worker.supervisor.workshop import UNABLE_AFTER, Workshop
from tests.support.waiting import wait_until

ONE = "prod/sports/one"


@pytest.fixture
def died() -> list[tuple[int, int, Message]]:
    return []


@pytest.fixture
def workshop(
    monkeypatch: pytest.MonkeyPatch, died: list[tuple[int, int, Message]]
) -> Iterator[Workshop]:
    """Its engines end at once: the interpreter is none."""
    monkeypatch.setattr(sys, "executable", "/bin/false")
    workshop = Workshop(1, lambda *said: died.append(said))
    yield workshop
    workshop.stop()


def wait_for(died: list[tuple[int, int, Message]], count: int) -> Message:
    wait_until(lambda: len(died) >= count, "the engine has died")
    return died[-1][2]


def test_engines_that_cannot_begin_blame_no_stream_and_make_the_worker_unable(
    workshop: Workshop, died: list[tuple[int, int, Message]]
) -> None:
    now = time.monotonic()
    workshop.crew.place(now, ONE)
    for count in range(1, UNABLE_AFTER + 1):
        now += 60.0
        workshop.send(EndOrder(ONE))
        workshop.pass_time(now)
        message = wait_for(died, count)
        assert isinstance(message, Died)
        assert not message.was_ready
        burial = workshop.died(time.monotonic() - 60.0, 0, message)
        assert burial.again == (ONE,)
        assert burial.quarantined == ()

    assert workshop.crew.deaths(ONE) == 0
    assert "exit code 1" in workshop.trouble
    workshop.ready()
    assert workshop.trouble == ""
