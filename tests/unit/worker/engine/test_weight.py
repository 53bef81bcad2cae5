"""CPU cores of a stream, from CPU seconds that a test makes up."""

from __future__ import annotations

import threading

import pytest

from streammonitor_worker.engine.weight import FIRST_S, LEAST_S, Weight, thread_cpu_s


def measured(*phases: tuple[float, float], step_s: float = 0.5) -> Weight:
    """Phases of so many seconds, at so many cores."""
    weight, now, used = Weight(), 0.0, 0.0
    weight.measure(now, used)
    for seconds, cores in phases:
        for _ in range(round(seconds / step_s)):
            now, used = now + step_s, used + cores * step_s
            weight.measure(now, used)
    return weight


def test_nothing_is_said_of_a_stream_that_has_just_begun() -> None:
    assert measured((FIRST_S + LEAST_S - 1.0, 1.0)).cores is None
    assert measured((FIRST_S + LEAST_S, 1.0)).cores == pytest.approx(1.0)


@pytest.mark.parametrize("first", [0.0, 1.0])
def test_first_word_does_not_hang_on_one_burst(first: float) -> None:
    """A segment each second, decoded at once: half of the time looked at is busy, or none."""
    bursts = [(0.5, first), (0.5, 1.0 - first)]

    told = measured((FIRST_S, 0.5), *(bursts * int(LEAST_S))).cores

    assert told == pytest.approx(0.5, abs=0.05)


def test_opening_does_not_count() -> None:
    assert measured((FIRST_S - 0.5, 1.0), (LEAST_S + 0.5, 0.2)).cores == pytest.approx(0.2)


def test_bursts_are_evened_out() -> None:
    bursts = [phase for _ in range(10) for phase in ((1.0, 1.0), (5.0, 0.0))]

    assert measured(*bursts).cores == pytest.approx(1 / 6, abs=0.08)


def test_change_is_followed() -> None:
    assert measured((30.0, 0.1), (40.0, 0.5)).cores == pytest.approx(0.5, abs=0.02)


def test_cpu_of_a_thread_is_known_while_it_runs() -> None:
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    assert thread_cpu_s(thread) is None
    thread.start()
    try:
        assert thread_cpu_s(thread) is not None
    finally:
        end.set()
        thread.join()
    assert thread_cpu_s(thread) is None
