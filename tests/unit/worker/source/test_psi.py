"""A change of the tracks that a transport stream announces is noticed; nothing else is."""

from __future__ import annotations

import numpy as np
import pytest

from streammonitor_worker.source.psi import Programmes

H264, HEVC, AAC = 0x1B, 0x24, 0x0F
PMT_PID = 0x1000


def crc(data: bytes) -> bytes:
    """CRC-32/MPEG-2, bit by bit as the standard's figure has it."""
    register = [1] * 32
    taps = {26, 23, 22, 16, 12, 11, 10, 8, 7, 5, 4, 2, 1}
    for byte in data:
        for bit in range(7, -1, -1):
            carry = register[31] ^ (byte >> bit & 1)
            register = [
                carry if n == 0 else register[n - 1] ^ (carry if n in taps else 0)
                for n in range(32)
            ]
    value = sum(bit << n for n, bit in enumerate(register))
    return value.to_bytes(4, "big")


def table(table_id: int, number: int, body: bytes, *, version: int = 0, current: int = 1) -> bytes:
    length = 5 + len(body) + 4
    head = bytes([table_id, 0xB0 | length >> 8, length & 0xFF, number >> 8, number & 0xFF])
    section = head + bytes([0xC0 | version << 1 | current, 0, 0]) + body
    return section + crc(section)


def pat(programmes: dict[int, int]) -> bytes:
    body = b"".join(
        bytes([number >> 8, number & 0xFF, 0xE0 | pid >> 8, pid & 0xFF])
        for number, pid in programmes.items()
    )
    return in_packet(0, table(0, 1, body))


def pmt(tracks: list[tuple[int, int]], **options: int) -> bytes:
    body = bytes([0xE1, 0x00, 0xF0, 0x00])
    for stream_type, pid in tracks:
        body += bytes([stream_type, 0xE0 | pid >> 8, pid & 0xFF, 0xF0, 0x00])
    return in_packet(PMT_PID, table(2, 1, body, **options))


def in_packet(pid: int, section: bytes) -> bytes:
    head = bytes([0x47, 0x40 | pid >> 8, pid & 0xFF, 0x10, 0])
    return (head + section).ljust(188, b"\xff")


def first_change(programmes: Programmes, *packets: bytes) -> int | None:
    rows = np.frombuffer(b"".join(packets), np.uint8).reshape(-1, 188)
    return programmes.first_change(rows)


PAT = pat({1: PMT_PID})
BOTH = [(H264, 0x100), (AAC, 0x101)]


def test_first_tables_are_no_change() -> None:
    assert first_change(Programmes(), PAT, pmt(BOTH)) is None


def test_tables_sent_again_are_no_change() -> None:
    programmes = Programmes()

    assert first_change(programmes, PAT, pmt(BOTH), PAT, pmt(BOTH)) is None
    assert first_change(programmes, PAT, pmt(BOTH)) is None


def test_new_version_with_the_same_tracks_is_no_change() -> None:
    assert first_change(Programmes(), PAT, pmt(BOTH), pmt(BOTH, version=1)) is None


@pytest.mark.parametrize(
    "tracks",
    [[(HEVC, 0x100), (AAC, 0x101)], [(H264, 0x100)], [*BOTH, (AAC, 0x102)], [(H264, 0x200)]],
    ids=["codec", "fewer", "more", "pid"],
)
def test_other_tracks_are_a_change_at_their_table(tracks: list[tuple[int, int]]) -> None:
    assert first_change(Programmes(), PAT, pmt(BOTH), PAT, pmt(tracks)) == 3


def test_change_is_found_in_a_later_block() -> None:
    programmes = Programmes()
    first_change(programmes, PAT, pmt(BOTH))

    assert first_change(programmes, PAT, pmt([(H264, 0x100)])) == 1
    assert programmes.pat == PAT


def test_table_with_bit_errors_is_ignored() -> None:
    damaged = bytearray(pmt([(HEVC, 0x100)]))
    damaged[20] ^= 0x01

    assert first_change(Programmes(), PAT, pmt(BOTH), bytes(damaged)) is None


def test_table_that_is_not_valid_yet_is_ignored() -> None:
    assert first_change(Programmes(), PAT, pmt(BOTH), pmt([(HEVC, 0x100)], current=0)) is None


@pytest.mark.parametrize("length", [4, 5, 8, 12, 20])
def test_truncated_table_is_ignored(length: int) -> None:
    cut = pmt([(HEVC, 0x100)])[:length].ljust(188, b"\x00")

    assert first_change(Programmes(), PAT, pmt(BOTH), cut) is None
