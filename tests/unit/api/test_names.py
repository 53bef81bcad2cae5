"""Names that go into Redis keys, labels and files."""

from __future__ import annotations

import pytest

from streammonitor_api.errors import InputError
from streammonitor_api.names import (
    fleet_name,
    new_incarnation,
    stream_key,
    stream_parts,
    worker_id,
)


def test_stream_key_is_taken_apart_and_joined() -> None:
    key = stream_key("prod", "sports", "ch4.hd")
    parts = stream_parts(key)

    assert key == "prod/sports/ch4.hd"
    assert (parts.namespace, parts.monitor, parts.stream) == ("prod", "sports", "ch4.hd")


@pytest.mark.parametrize("part", ["", "b/c", "A", "a ", "{c}", "-"])
@pytest.mark.parametrize("place", range(3))
def test_what_is_no_stream_key_is_refused(part: str, place: int) -> None:
    parts = ["a", "b", "c"]
    parts[place] = part
    with pytest.raises(InputError):
        stream_key(*parts)


@pytest.mark.parametrize("text", ["", "{x}", "x y", "X", "x_y", "x" * 254])
def test_what_is_no_name_is_refused(text: str) -> None:
    for check in (fleet_name, worker_id):
        with pytest.raises(InputError, match="use at most 253 small letters"):
            check(text)


def test_later_start_has_the_greater_incarnation() -> None:
    starts = [new_incarnation() for _ in range(100)]

    assert starts == sorted(set(starts))
