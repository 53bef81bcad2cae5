"""Reads and changes finished MPEG transport streams, packet by packet, all packets at once.

The muxer writes sound streams only. Packets are lost here, numbers and clocks made wrong, so that
a demuxer meets what a bad line or a restarted encoder would send. Source: ISO/IEC 13818-1, 2.4.3
(packets, PES headers) and 2.4.4 (tables).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from streammonitor_api.errors import InputError
from streammonitor_worker.synth.canvas import U8

PACKET = 188
CLOCK = 90_000
WRAP = 1 << 33
EVER = -WRAP
"""Before any time that a clock can show."""

_VIDEO_TYPES = {0x01, 0x02, 0x10, 0x1B, 0x24}
"""MPEG-1, MPEG-2, MPEG-4 part 2, H.264, HEVC."""

_NO_TABLE = "no table of its streams"


@dataclass(frozen=True)
class Unit:
    """A PES packet: where it begins, its presentation time on the 90 kHz clock, unwrapped."""

    row: int
    pts: int
    key: bool


class TransportStream:
    """The packets of a transport stream as rows of bytes, to be changed in place."""

    def __init__(self, data: bytes) -> None:
        if len(data) % PACKET or not data or data[0] != 0x47:
            raise InputError(
                f"transport stream: {len(data)} bytes are no whole packets of {PACKET}"
            )
        self.rows: U8 = np.frombuffer(data, np.uint8).reshape(-1, PACKET).copy()

    def to_bytes(self) -> bytes:
        return self.rows.tobytes()

    @property
    def pids(self) -> NDArray[np.int_]:
        high: NDArray[np.int_] = self.rows[:, 1].astype(np.int_) & 0x1F
        numbers: NDArray[np.int_] = high << 8 | self.rows[:, 2]
        return numbers

    @property
    def _begins_unit(self) -> NDArray[np.bool_]:
        return self.rows[:, 1] & 0x40 > 0

    @property
    def _has_payload(self) -> NDArray[np.bool_]:
        return self.rows[:, 3] & 0x10 > 0

    @cached_property
    def tracks(self) -> dict[str, int]:
        """PIDs by track: `video:0`, `audio:0`, … in the order of the program map."""
        program_map = self._section(0)
        table = self._section((program_map[10] & 0x1F) << 8 | program_map[11])
        place = 12 + ((table[10] & 0x0F) << 8 | table[11])
        end = 3 + ((table[1] & 0x0F) << 8 | table[2]) - 4
        found: dict[str, int] = {}
        while place < end:
            kind = "video" if table[place] in _VIDEO_TYPES else "audio"
            number = sum(name.startswith(kind) for name in found)
            found[f"{kind}:{number}"] = (table[place + 1] & 0x1F) << 8 | table[place + 2]
            place += 5 + ((table[place + 3] & 0x0F) << 8 | table[place + 4])
        return found

    def _section(self, pid: int) -> list[int]:
        """Give the first section on a PID, which has to fit into one packet."""
        rows = np.flatnonzero((self.pids == pid) & self._begins_unit)
        if not rows.size:
            raise InputError(f"transport stream: {_NO_TABLE}; write it with a program map")
        payload = self.rows[rows[0], self.payload_start(int(rows[0])) :].tolist()
        return [int(byte) for byte in payload[1 + payload[0] :]]

    def payload_start(self, row: int) -> int:
        has_adaptation = self.rows[row, 3] & 0x20
        return 5 + int(self.rows[row, 4]) if has_adaptation else 4

    def units(self, pid: int) -> list[Unit]:
        """List the PES packets of a PID that have a presentation time, in the order sent."""
        found: list[Unit] = []
        for row in np.flatnonzero((self.pids == pid) & self._begins_unit):
            place = self.payload_start(int(row)) + 7
            if self.rows[row, place] & 0x80:
                pts = _read_timestamp(self.rows[row, place + 2 : place + 7])
                if found:
                    before = found[-1].pts
                    pts = before + (pts - before + WRAP // 2) % WRAP - WRAP // 2
                adapted = self.rows[row, 3] & 0x20 and self.rows[row, 4] > 0
                found.append(Unit(int(row), pts, bool(adapted and self.rows[row, 5] & 0x40)))
        return found

    def continuation_rows(self, pid: int, unit: Unit) -> NDArray[np.intp]:
        """Give the rows of a PES packet after its first, in which only payload is lost."""
        starts = np.flatnonzero((self.pids == pid) & self._begins_unit)
        later = starts[starts > unit.row]
        end = int(later[0]) if later.size else len(self.rows)
        inside = np.arange(unit.row + 1, end)
        wanted = (self.pids[inside] == pid) & self._has_payload[inside]
        rows: NDArray[np.intp] = inside[wanted]
        return rows

    def remove(self, rows: NDArray[np.intp]) -> None:
        """Lose packets; the numbers of the others stay."""
        self.rows = np.delete(self.rows, rows, axis=0)

    def skip_number(self, pid: int, row: int) -> None:
        """Count one packet too many from `row` on, although none is lost."""
        later = np.flatnonzero(self.pids == pid)
        later = later[later >= row]
        numbers = self.rows[later, 3]
        self.rows[later, 3] = numbers & 0xF0 | (numbers + 1) & 0x0F

    def shift_clock(self, steps: Sequence[tuple[int, int]]) -> None:
        """Move all timestamps, modulo 2^33.

        steps: pairs of a presentation time, from which on units are moved, and by how much, both
        in ticks of 90 kHz. Steps add up. The program clock goes along from the first unit of the
        PID that carries it.
        """
        for pid in self.tracks.values():
            units = self.units(pid)
            for unit in units:
                self._shift_unit(unit.row, sum(by for since, by in steps if unit.pts >= since))
            for since, by in steps:
                rows = [unit.row for unit in units if unit.pts >= since]
                if rows:
                    # What comes before the very first unit, the first clock too, is of it.
                    first = 0 if len(rows) == len(units) else min(rows)
                    self._shift_program_clock(pid, first, by)

    def _shift_unit(self, row: int, by: int) -> None:
        flags = self.payload_start(row) + 7
        for place, present in ((flags + 2, 0x80), (flags + 7, 0x40)):
            if self.rows[row, flags] & 0xC0 & present:
                _add_to_timestamp(self.rows[row, place : place + 5], by)

    def _shift_program_clock(self, pid: int, first: int, by: int) -> None:
        rows = self.rows
        clocked = (self.pids == pid) & (rows[:, 3] & 0x20 > 0) & (rows[:, 4] > 0)
        clocked &= rows[:, 5] & 0x10 > 0
        for row in np.flatnonzero(clocked):
            if row >= first:
                base = int.from_bytes(rows[row, 6:11].tobytes(), "big")
                # 33 bits of base, 6 reserved and the first of the extension.
                moved = ((base >> 7) + by) % WRAP << 7 | base & 0x7F
                rows[row, 6:11] = np.frombuffer(moved.to_bytes(5, "big"), np.uint8)


def _read_timestamp(field: U8) -> int:
    first, second, third, fourth, fifth = (int(byte) for byte in field)
    high, middle = first >> 1 & 7, second << 7 | third >> 1
    return high << 30 | middle << 15 | fourth << 7 | fifth >> 1


def _add_to_timestamp(field: U8, by: int) -> None:
    value = (_read_timestamp(field) + by) % WRAP
    field[:] = list(_timestamp_bytes(value, int(field[0]) & 0xF0))


def _timestamp_bytes(value: int, prefix: int) -> Iterator[int]:
    yield prefix | value >> 29 & 0x0E | 1
    yield value >> 22 & 0xFF
    yield value >> 14 & 0xFE | 1
    yield value >> 7 & 0xFF
    yield value << 1 & 0xFE | 1
