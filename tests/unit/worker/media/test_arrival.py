"""When a movement arrived, on pictures of which each is a level of grey apart from another."""

from __future__ import annotations

import numpy as np
import pytest

from streammonitor_worker.media.arrival import Arrival
from tests.support.seeing import FPS, coloured, film

Levels = list[float]
PAN: Levels = [10.0 + 3 * n for n in range(30)]


def arrived(levels: Levels, believed: int) -> int:
    """The picture at which these stopped, if `believed` was thought to be that one."""
    arrival = Arrival()
    planes = (coloured(np.full((32, 32), round(level), np.uint8)) for level in levels)
    for picture in film(planes):
        arrival.note(picture)
    return round(arrival.at(believed / FPS) * FPS)


def test_still_picture_stopped_where_it_was_believed() -> None:
    assert arrived([*PAN, *[97.0] * 4], 29) == 29


def test_picture_that_is_drawn_better_stopped_before_that() -> None:
    drawing = [98.0, 98.0, 99.0, 99.0, 99.0, 99.0, 100.0, 100.0, 100.0, 100.0, 100.0]

    assert arrived([*PAN, *drawing], 36) == pytest.approx(29, abs=1)


def test_slow_movement_is_no_drawing() -> None:
    slow = [97.0 + 0.5 * n for n in range(12)]

    assert arrived([*slow, *[103.0] * 4], 11) == 11


def test_movement_that_comes_to_rest_is_followed() -> None:
    slower = [97 + 3 * n - 0.15 * n * n for n in range(11)]

    assert arrived([*PAN, *slower, *[slower[-1]] * 4], 40) >= 36


def test_change_of_size_is_not_passed() -> None:
    arrival = Arrival()
    for size in (64, 32):
        for picture in film([coloured(np.full((size, size), 90, np.uint8))] * 12):
            arrival.note(picture)

    assert arrival.at(0.2) == 0.2


def test_what_was_forgotten_counts_no_more() -> None:
    arrival = Arrival()
    for picture in film([coloured(np.full((32, 32), 90, np.uint8))] * 12):
        arrival.note(picture)
    arrival.forget()
    arrival.note(picture)

    assert arrival.at(0.4) == 0.4
