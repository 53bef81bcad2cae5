"""Transport packets are found in datagrams, with or without an RTP header."""

from __future__ import annotations

import random

import pytest

from streammonitor_worker.source.datagrams import payload_of

PACKETS = (b"\x47" + bytes(187)) * 7


def rtp(
    payload: bytes = PACKETS,
    *,
    version: int = 2,
    sources: int = 0,
    extension: int | None = None,
    padding: int = 0,
) -> bytes:
    first = version << 6 | (0x20 if padding else 0) | (0x10 if extension is not None else 0)
    head = bytes([first | sources, 33]) + bytes(10) + bytes(4 * sources)
    if extension is not None:
        head += b"\xbe\xde" + extension.to_bytes(2, "big") + bytes(4 * extension)
    end = bytes(padding - 1) + bytes([padding]) if padding else b""
    return head + payload + end


@pytest.mark.parametrize(
    "datagram",
    [
        PACKETS,
        rtp(),
        rtp(sources=2),
        rtp(extension=0),
        rtp(extension=3),
        rtp(padding=4),
        rtp(sources=1, extension=1, padding=8),
    ],
    ids=["plain", "rtp", "sources", "empty extension", "extension", "padding", "all"],
)
def test_header_is_taken_off(datagram: bytes) -> None:
    assert payload_of(datagram) == PACKETS


OTHERS = {
    "empty": b"",
    "one byte": b"\x80",
    "header only": rtp(b""),
    "other media": rtp(b"\x00" * 100),
    "version": rtp(version=1),
    "lying extension": rtp(extension=60_000)[:200],
    "lying padding": rtp(padding=200)[:20] + b"\xff",
}


@pytest.mark.parametrize("datagram", OTHERS.values(), ids=OTHERS)
def test_other_datagrams_hold_nothing(datagram: bytes) -> None:
    assert payload_of(datagram) == b""


def test_any_datagram_is_read_without_error() -> None:
    chance = random.Random(1)
    for _ in range(2000):
        datagram = bytes([chance.choice([0x80, 0xB0, 0xBF, 0x47])]) + chance.randbytes(
            chance.randrange(40)
        )
        assert payload_of(datagram)[:1] in (b"", b"\x47")
