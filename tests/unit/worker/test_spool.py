"""The queue on disk: nothing that it took is lost, whatever happens to its process or its disk."""

from __future__ import annotations

import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from streammonitor_worker.segments import SpoolBusyError
from streammonitor_worker.spool import MEMORY_RECORDS, RETRY_DISK_S, SYNC_S, Spool


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def take_all(spool: Spool) -> list[bytes]:
    taken = []
    while (record := spool.peek()) is not None:
        taken.append(record)
        spool.advance()
    return taken


def test_records_come_out_in_order(tmp_path: Path) -> None:
    spool = Spool(tmp_path, segment_bytes=64)
    records = [f"record {number}".encode() for number in range(20)]
    for record in records:
        spool.append(record)

    assert spool.status.waiting == 20
    assert list(spool.pending()) == records
    assert take_all(spool) == records
    assert spool.status.waiting == 0
    spool.append(b"one more")
    assert take_all(spool) == [b"one more"]


def test_next_process_goes_on_where_the_last_one_was(tmp_path: Path) -> None:
    spool = Spool(tmp_path, segment_bytes=64)
    for number in range(10):
        spool.append(b"record %d" % number)
    for _ in range(4):
        spool.advance()
    spool.close()

    after = Spool(tmp_path)
    after.append(b"new")

    assert take_all(after) == [b"record %d" % number for number in range(4, 10)] + [b"new"]


def test_records_survive_sigkill(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from streammonitor_worker.spool import Spool\n"
        "spool = Spool(Path(sys.argv[1])); number = 0\n"
        "while True:\n"
        "    spool.append(b'%d' % number); print(number, flush=True); number += 1\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line == "500\n":
            break
    process.send_signal(signal.SIGKILL)
    told = [500, *(int(line) for line in process.stdout.read().split())]
    process.wait()
    process.stdout.close()

    records = take_all(Spool(tmp_path))

    assert records[: told[-1] + 1] == [b"%d" % number for number in range(told[-1] + 1)]


@pytest.mark.parametrize("cut", [1, 5, 8, 11])
def test_torn_end_is_left_out(tmp_path: Path, cut: int) -> None:
    spool = Spool(tmp_path)
    spool.append(b"whole")
    spool.append(b"torn")
    spool.close()
    (segment,) = tmp_path.glob("*.segment")
    segment.write_bytes(segment.read_bytes()[:-cut])

    after = Spool(tmp_path)
    after.append(b"new")

    assert take_all(after) == [b"whole", b"new"]
    assert after.status.damaged == 12 - cut


def test_altered_record_does_not_stop_those_of_later_segments(tmp_path: Path) -> None:
    spool = Spool(tmp_path, segment_bytes=64)
    for number in range(12):
        spool.append(b"record number %02d" % number)
    first = min(tmp_path.glob("*.segment"))
    data = bytearray(first.read_bytes())
    data[-1] ^= 1
    first.write_bytes(data)

    records = take_all(spool)

    assert records == [b"record number %02d" % number for number in range(12) if number != 1]
    assert spool.status.waiting == 0


def test_full_spool_drops_its_oldest_and_counts_them(tmp_path: Path) -> None:
    spool = Spool(tmp_path, limit_bytes=1000, segment_bytes=100)
    for number in range(100):
        spool.append(b"record number %03d" % number)

    kept = take_all(spool)

    assert kept == [b"record number %03d" % number for number in range(100 - len(kept), 100)]
    assert spool.status.dropped == 100 - len(kept)
    assert spool.status.bytes <= 1000
    assert spool.status.waiting == 0


def test_passed_records_are_kept_for_a_while_and_sent_again(tmp_path: Path) -> None:
    clock = Clock()
    spool = Spool(tmp_path, segment_bytes=40, keep_s=60, clock=clock)
    for number in range(6):
        spool.append(b"record %d" % number)
    take_all(spool)
    clock.now += 30
    spool.sync()

    assert spool.rewind() == 6
    assert len(take_all(spool)) == 6

    clock.now += 100
    spool.sync()
    assert spool.rewind() == 2  # those of the segment that is being written to
    assert len(list(tmp_path.glob("*.segment"))) == 1


def test_folder_is_used_by_one_process_at_a_time(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    with pytest.raises(SpoolBusyError, match="give each worker its own folder"):
        Spool(tmp_path)

    spool.close()

    Spool(tmp_path).close()


@contextmanager
def full_disk() -> Iterator[None]:
    """No file of this process may grow beyond 100 bytes: writing fails as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_memory_takes_over_while_the_disk_is_full(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    spool = Spool(tmp_path, clock=clock)
    with full_disk():
        for number in range(20):
            spool.append(b"record number %02d" % number)
        assert spool.status.in_memory > 10
    assert "make room" in caplog.text
    assert len(caplog.records) == 1
    clock.now += RETRY_DISK_S

    spool.append(b"record number 20")

    assert spool.status.in_memory == 0
    assert take_all(spool) == [b"record number %02d" % number for number in range(21)]


def test_disk_that_keeps_nothing_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    spool = Spool(tmp_path / "spool", clock=clock)
    spool.append(b"record")
    shutil.rmtree(tmp_path / "spool")

    for _ in range(3):
        clock.now += SYNC_S
        spool.sync()

    assert [one.getMessage().count("does not keep") for one in caplog.records] == [1]


def test_memory_is_bounded(tmp_path: Path) -> None:
    spool = Spool(None)
    for number in range(MEMORY_RECORDS + 5):
        spool.append(b"%d" % number)

    assert spool.status.dropped == 5
    assert spool.status.waiting == MEMORY_RECORDS
    assert spool.peek() == b"5"
    assert len(take_all(spool)) == MEMORY_RECORDS


def test_what_went_through_memory_is_taken_once(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    with full_disk():
        for number in range(10):
            spool.append(b"record number %02d" % number)
        first = take_all(spool)
        spool.append(b"record number 10")
    spool.close()

    rest = take_all(Spool(tmp_path))

    assert [*first, *rest] == [b"record number %02d" % number for number in range(11)]
