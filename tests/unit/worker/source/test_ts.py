"""Transport streams are passed on byte by byte, with losses and changes noted."""

from __future__ import annotations

import random

import pytest

from streammonitor_worker.source.reader import Reader, Unread, peek
from streammonitor_worker.source.ts import SNIFF_SIZE, TsReader, is_transport_stream
from tests.unit.worker.source.test_continuity import packet
from tests.unit.worker.source.test_psi import AAC, BOTH, HEVC, PAT, pmt


class Bytes(Reader):
    """Gives bytes in pieces of random size."""

    def __init__(self, data: bytes, seed: int = 0, failure: str = "") -> None:
        self._data = data
        self._chance = random.Random(seed)
        self._failure = failure
        self.closed = False

    def read(self, size: int) -> bytes:
        part = self._data[: self._chance.randrange(1, min(size, 700) + 1)]
        self._data = self._data[len(part) :]
        if not part:
            self.failure = self._failure
        return part

    def close(self) -> None:
        self.closed = True


def read_all(reader: Reader) -> bytes:
    return b"".join(iter(lambda: reader.read(500), b""))


def stream(count: int = 40) -> bytes:
    return b"".join(packet(n, begins=n % 10 == 0, fill=n % 251) for n in range(count))


@pytest.mark.parametrize("lead", [0, 1, 187])
def test_transport_stream_is_recognised(lead: int) -> None:
    assert is_transport_stream((bytes(lead) + stream())[:SNIFF_SIZE])


@pytest.mark.parametrize(
    "head", [b"", b"\x47", b"#EXTM3U\n" * 200, b"\x47" + bytes(187) * 8, stream()[: 3 * 188]]
)
def test_other_bytes_are_no_transport_stream(head: bytes) -> None:
    assert not is_transport_stream(head)


@pytest.mark.parametrize("seed", range(5))
def test_all_bytes_come_through(seed: int) -> None:
    garbage = random.Random(seed).randbytes(3000)
    data = garbage[:500] + stream(30) + garbage[500:] + stream(30) + b"rest"

    assert read_all(TsReader(Bytes(data, seed))) == data


def test_loss_is_told_once_with_the_picture_it_is_in() -> None:
    packets = stream()
    lossy = TsReader(Bytes(packets[: 12 * 188] + packets[13 * 188 :]))
    lossy.pids = frozenset({0x100})
    read_all(lossy)

    assert lossy.continuity_errors(0x100, 0) == 0
    assert lossy.continuity_errors(0x100, None) == 0
    assert lossy.continuity_errors(0x100, 10 * 188) == 1
    assert lossy.continuity_errors(0x100, 10 * 188) == 0


def test_loss_of_another_track_waits_for_that_track() -> None:
    lossy = TsReader(Bytes(packet(0, begins=True) + packet(2) + stream()))
    lossy.pids = frozenset({0x100, 0x101})
    read_all(lossy)

    assert lossy.continuity_errors(0x101, 10**6) == 0
    assert lossy.continuity_errors(0x100, 10**6) > 0


def test_counters_start_anew_with_each_segment() -> None:
    class Segments(Reader):
        def __init__(self, *segments: bytes) -> None:
            self._left = list(segments)

        def read(self, size: int) -> bytes:
            self.segment += 1
            return self._left.pop(0) if self._left else b""

        def close(self) -> None:
            """Nothing is open."""

    first, second = stream(20), stream(20)[188 * 5 :]
    in_segments = TsReader(Segments(first, second))
    in_one = TsReader(Bytes(first + second))
    read_all(in_segments)
    read_all(in_one)

    assert in_segments.continuity_errors(1, 10**6) == 0
    assert in_one.continuity_errors(1, 10**6) == 1


def test_ends_where_the_tracks_change_and_goes_on_from_there() -> None:
    before = PAT + pmt(BOTH) + stream(100)
    after = pmt([(HEVC, 0x100), (AAC, 0x101)]) + stream(100)
    inner = Bytes(before + after)
    reader = TsReader(inner)

    assert read_all(reader) == before
    rest = reader.rest()
    assert rest is not None
    assert read_all(rest) == PAT + after
    assert rest.rest() is None
    rest.close()
    assert inner.closed


def test_many_changes_do_not_nest_readers() -> None:
    programmes = [pmt(BOTH), pmt([(HEVC, 0x100)])]
    data = b"".join(PAT + programmes[n % 2] + stream(100) for n in range(300))
    reader: Reader | None = TsReader(Bytes(data))
    count = 0

    while reader is not None:
        count += 1
        read_all(reader)
        reader = reader.rest()

    assert count == 300


def test_failure_of_the_bytes_is_passed_on() -> None:
    reader = TsReader(Bytes(stream(3), failure="gone"))

    assert read_all(reader) == stream(3)
    assert reader.failure == "gone"


def test_peeked_bytes_are_read_again() -> None:
    head, reader = peek(Bytes(stream(8)), 400)

    assert head == stream(8)[:400]
    assert read_all(reader) == stream(8)
    assert reader.tell() == 8 * 188


def test_unread_reader_passes_failures_on() -> None:
    reader = Unread(b"abc", Bytes(b"", failure="gone"))

    assert reader.read(2) == b"ab"
    assert reader.read(2) == b"c"
    assert reader.failure == ""
    assert reader.read(2) == b""
    assert reader.failure == "gone"
