"""Durations mean what they say, and a wrong one says what to write instead."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streammonitor_api.durations import format_duration, parse_duration
from streammonitor_api.errors import InputError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2s", 2.0),
        ("0s", 0.0),
        ("500ms", 0.5),
        ("1.5s", 1.5),
        ("1m30s", 90.0),
        ("1h", 3600.0),
        ("1h2m3s4ms", 3723.004),
        ("90m", 5400.0),
        (" 5s ", 5.0),
    ],
)
def test_duration_is_read_in_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


def test_missing_unit_is_told_with_the_spelling_that_works() -> None:
    with pytest.raises(InputError) as raised:
        parse_duration("2")

    assert str(raised.value) == '"2" has no unit; write a duration such as "2s"'


@pytest.mark.parametrize("text", ["", "s", "-2s", "2 s", "2S", "2d", "1s1m", "2ss", "1e3s", "٢s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="is not a duration; write one such as"):
        parse_duration(text)


def test_absurdly_long_duration_is_refused() -> None:
    with pytest.raises(InputError, match="is more than a year"):
        parse_duration("9" * 400 + "h")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (2.0, "2s"), (0.5, "500ms"), (90, "1m30s"), (3600, "1h"), (1.25, "1s250ms")],
)
def test_duration_is_written_as_people_do(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@given(milliseconds=st.integers(0, 300 * 86_400_000))
def test_written_duration_is_read_back(milliseconds: int) -> None:
    assert parse_duration(format_duration(milliseconds / 1000)) == milliseconds / 1000


def test_negative_duration_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="at least 0"):
        format_duration(-1)
