"""The tag at the beginning of packed sound says when it is presented."""

from __future__ import annotations

import pytest

from streammonitor_worker.source.hls.packed import tag_length, timestamp_of


def tag(ticks: int, padding: int = 0) -> bytes:
    owner = b"com.apple.streaming.transportStreamTimestamp\x00"
    body = owner + ticks.to_bytes(8, "big")
    frame = b"PRIV" + len(body).to_bytes(4, "big") + b"\x00\x00" + body
    size = len(frame) + padding
    synchsafe = bytes([size >> 21 & 127, size >> 14 & 127, size >> 7 & 127, size & 127])
    return b"ID3\x04\x00\x00" + synchsafe + frame + bytes(padding)


@pytest.mark.parametrize("padding", [0, 1, 300])
def test_tag_is_measured(padding: int) -> None:
    whole = tag(90_000, padding)

    assert tag_length(whole + b"\xff\xf1") == len(whole)


def test_timestamp_is_read_on_the_33_bit_clock() -> None:
    assert timestamp_of(tag(126_000)) == pytest.approx(1.4)
    assert timestamp_of(tag(2**33 + 126_000)) == pytest.approx(1.4)


@pytest.mark.parametrize(
    "head", [b"", b"ID3", b"\xff\xf1" + bytes(20), b"ID3\x04\x00\x00\xff\xff\xff\xff"]
)
def test_other_bytes_are_no_tag(head: bytes) -> None:
    assert tag_length(head) == 0


def test_tag_without_timestamp_says_nothing() -> None:
    assert timestamp_of(b"ID3\x04\x00\x00\x00\x00\x00\x10TIT2" + bytes(20)) is None
    assert timestamp_of(tag(1)[:-4]) is None


def test_absurdly_long_tag_is_not_skipped() -> None:
    assert tag_length(b"ID3\x04\x00\x00\x7f\x7f\x7f\x7f") == 0
