"""Waits end when the stream is stopped, and only long ones count."""

from __future__ import annotations

import random
import threading
import time

import pytest

from streammonitor_api.fidelity import Fidelity
from streammonitor_worker.source.attention import Attention
from streammonitor_worker.source.backoff import LONGEST_S, Backoff
from streammonitor_worker.source.waiting import NOTABLE_S, Waiting


def test_stop_ends_a_wait_at_once() -> None:
    waiting = Waiting()
    threading.Timer(0.05, waiting.stop).start()
    began = time.monotonic()

    waiting.sleep(30)

    assert time.monotonic() - began < 5
    assert waiting.stopped
    assert waiting.waited_s >= 0.04


def test_stop_calls_those_who_asked_for_it_and_not_those_who_left() -> None:
    waiting, calls = Waiting(), []

    def stays() -> None:
        calls.append("stays")

    def leaves() -> None:
        calls.append("leaves")

    waiting.on_stop(stays)
    waiting.on_stop(leaves)
    waiting.forget(leaves)
    waiting.stop()

    assert calls == ["stays"]


def test_who_comes_after_the_stop_is_called_at_once() -> None:
    waiting, calls = Waiting(), []
    waiting.stop()

    waiting.on_stop(lambda: calls.append("late"))

    assert calls == ["late"]


def test_short_waits_are_not_counted() -> None:
    waiting = Waiting()

    waiting.count(NOTABLE_S / 2)
    waiting.count(1.0)

    assert waiting.waited_s == 1.0


def test_deadline_passes() -> None:
    waiting = Waiting()
    assert not waiting.overdue

    waiting.deadline = time.monotonic() + 60
    assert not waiting.overdue
    waiting.deadline = time.monotonic()
    assert waiting.overdue


def test_backoff_grows_up_to_its_limit_with_full_jitter() -> None:
    backoff = Backoff(random.Random(1))
    waits = [backoff.next_s() for _ in range(2000)]

    assert all(wait <= 0.5 * 2**attempt for attempt, wait in enumerate(waits[:6]))
    assert max(waits) <= LONGEST_S
    assert max(waits[6:]) > 0.99 * LONGEST_S
    assert min(waits[6:]) < 0.01 * LONGEST_S


def test_backoff_begins_anew_when_the_source_was_reached() -> None:
    backoff = Backoff(random.Random(1))
    for _ in range(20):
        backoff.next_s()

    backoff.reset()

    assert backoff.next_s() <= 0.5


@pytest.mark.parametrize(
    ("fidelity", "quiet", "alert"),
    [
        (Fidelity.FULL, True, True),
        (Fidelity.ADAPTIVE, False, True),
        (Fidelity.KEYFRAMES, False, False),
    ],
)
def test_attention_follows_fidelity_and_alert(fidelity: Fidelity, quiet: bool, alert: bool) -> None:
    attention = Attention(fidelity)
    assert attention.wants_all(5.0) is quiet

    attention.alert(10.0)
    attention.alert(8.0)

    assert attention.wants_all(9.0) is alert
    assert attention.wants_all(10.0) is quiet
