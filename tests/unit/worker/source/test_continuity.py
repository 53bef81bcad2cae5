"""Lost transport packets are found by their counters, and nothing else is taken for a loss."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streammonitor_worker.source.continuity import (
    NULL_PID,
    PACKET_SIZE,
    ContinuityChecker,
    Loss,
)

VIDEO, AUDIO = 0x100, 0x101


def packet(
    counter: int,
    pid: int = VIDEO,
    *,
    begins: bool = False,
    payload: bool = True,
    announced: bool = False,
    damaged: bool = False,
    fill: int = 0,
) -> bytes:
    """One transport packet."""
    adaptation = announced or not payload
    head = bytes(
        [
            0x47,
            (0x80 if damaged else 0) | (0x40 if begins else 0) | pid >> 8,
            pid & 0xFF,
            (0x20 if adaptation else 0) | (0x10 if payload else 0) | counter & 0x0F,
        ]
    )
    if adaptation:
        head += bytes([7 if payload else 183, 0x80 if announced else 0])
    return head.ljust(PACKET_SIZE, bytes([fill]))


def check(*packets: bytes, checker: ContinuityChecker | None = None, at: int = 0) -> list[Loss]:
    rows = np.frombuffer(b"".join(packets), np.uint8).reshape(-1, PACKET_SIZE)
    return (checker or ContinuityChecker()).check(rows, at)


def counted(numbers: Sequence[int], pid: int = VIDEO) -> list[bytes]:
    return [packet(number, pid, fill=position % 251) for position, number in enumerate(numbers)]


def test_counters_that_count_on_are_no_loss() -> None:
    assert check(*counted(range(40))) == []


def test_each_gap_is_one_loss() -> None:
    assert len(check(*counted([0, 1, 3, 4, 9, 10]))) == 2


def test_pids_are_followed_apart() -> None:
    packets = [
        p
        for pair in zip(counted(range(20)), counted(range(7, 27), AUDIO), strict=True)
        for p in pair
    ]

    assert check(*packets) == []
    assert [loss.pid for loss in check(*packets[:11], *packets[12:])] == [AUDIO]


def test_counters_are_followed_from_block_to_block() -> None:
    checker = ContinuityChecker()

    assert check(*counted([0, 1, 2]), checker=checker) == []
    assert check(*counted([3, 4]), checker=checker) == []
    assert len(check(*counted([6, 7]), checker=checker)) == 1


def test_packet_sent_twice_is_no_loss() -> None:
    one = packet(5, fill=1)

    assert check(packet(4), one, one, packet(6)) == []


def test_packet_sent_twice_over_a_block_is_no_loss() -> None:
    checker, one = ContinuityChecker(), packet(5, fill=1)

    assert check(packet(4), one, checker=checker) == []
    assert check(one, packet(6), checker=checker) == []


def test_packet_sent_three_times_is_out_of_order() -> None:
    one = packet(5, fill=1)

    assert len(check(packet(4), one, one, one, packet(6))) == 1


def test_same_counter_with_other_bytes_means_sixteen_lost() -> None:
    assert len(check(packet(5, fill=1), packet(5, fill=2))) == 1


def test_announced_discontinuity_is_no_loss() -> None:
    assert check(packet(1), packet(9, announced=True), packet(10)) == []


def test_packet_without_payload_does_not_count() -> None:
    assert check(packet(1), packet(1, payload=False), packet(2)) == []
    assert len(check(packet(1), packet(2, payload=False), packet(3))) == 1


def test_stuffing_and_damaged_packets_are_not_counted() -> None:
    filling = [packet(n * 5, NULL_PID) for n in range(4)]

    assert check(packet(1), *filling, packet(9, damaged=True), packet(2)) == []


def test_nothing_is_expected_after_a_reset() -> None:
    checker = ContinuityChecker()
    check(packet(1), checker=checker)

    checker.reset()

    assert check(packet(9), checker=checker) == []


def test_loss_is_placed_at_the_picture_that_it_is_in() -> None:
    packets = [
        packet(0, begins=True),
        packet(1),
        packet(2, begins=True),
        packet(4),  # 3 was of the second picture
        packet(5, begins=True),
        packet(7, begins=True),  # 6 was the third picture's end
    ]

    found = check(*packets, at=10 * PACKET_SIZE)

    assert [loss.position // PACKET_SIZE for loss in found] == [12, 14]


@given(st.integers(0, 2**32), st.integers(1, 60))
def test_blocks_of_any_size_find_the_same(seed: int, size: int) -> None:
    chance = random.Random(seed)
    packets = []
    counters = {VIDEO: 0, AUDIO: 0}
    for position in range(120):
        pid = chance.choice([VIDEO, VIDEO, VIDEO, AUDIO])
        counters[pid] += 1
        if chance.random() > 0.05:
            begins = chance.random() < 0.1
            packets.append(packet(counters[pid], pid, begins=begins, fill=position % 251))
    checker, found = ContinuityChecker(), []

    for first in range(0, len(packets), size):
        block = packets[first : first + size]
        found += check(*block, checker=checker, at=first * PACKET_SIZE)

    assert sorted(found, key=lambda loss: (loss.position, loss.pid)) == sorted(
        check(*packets), key=lambda loss: (loss.position, loss.pid)
    )


@pytest.mark.parametrize("seed", range(5))
def test_losses_agree_with_counting_one_by_one(seed: int) -> None:
    chance = random.Random(seed)
    kept = [n for n in range(400) if chance.random() > 0.03]
    expected = sum((b - a) % 16 != 1 for a, b in pairwise(kept))

    assert len(check(*counted(kept))) == expected
