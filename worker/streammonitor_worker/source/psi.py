"""Reads from an MPEG transport stream which programmes and tracks it says it has. Pure.

Only to notice that they change: a demuxer keeps what it knew when it was opened, so a change of
codec or tracks needs a new one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Rows = NDArray[np.uint8]

_PAT_PID, _PAT_TABLE, _PMT_TABLE = 0, 0, 2
_POLYNOMIAL = 0x04C11DB7  # CRC-32/MPEG-2, ISO/IEC 13818-1, annex A


class Programmes:
    """What the tables say so far. A table that does not fit into one packet is not looked at."""

    def __init__(self) -> None:
        self.pat = b""
        """The latest packet with the list of programmes, which a demuxer needs first."""
        self._seen: dict[int, bytes] = {}
        self._programmes: dict[int, int] | None = None
        self._pmt_pids: frozenset[int] = frozenset()
        self._tracks: dict[int, frozenset[tuple[int, int]]] = {}

    def first_change(self, rows: Rows) -> int | None:
        """Index of the first packet whose table differs from what was known; None for none.

        rows: (packets, 188). What comes from that packet on is not taken note of: it is for a
        new object to read.
        """
        pids = (rows[:, 1].astype(np.uint16) & 0x1F) << 8 | rows[:, 2]
        for index in np.flatnonzero(rows[:, 1] & 0x40).tolist():  # where tables and pictures begin
            pid = int(pids[index])
            if pid != _PAT_PID and pid not in self._pmt_pids:
                continue
            packet = rows[index].tobytes()
            if pid == _PAT_PID:
                self.pat = packet
            if self._differs(pid, packet):
                return index
        return None

    def _differs(self, pid: int, packet: bytes) -> bool:
        if self._seen.get(pid) == packet[4:]:
            return False
        section = _section(packet)
        if section is None:
            return False
        self._seen[pid] = packet[4:]
        if pid == _PAT_PID:
            return self._differs_pat(section)
        return self._differs_pmt(section)

    def _differs_pat(self, section: bytes) -> bool:
        if section[0] != _PAT_TABLE:
            return False
        entries = section[8:-4]
        found = {
            _number(entries, at): _number(entries, at + 2) & 0x1FFF
            for at in range(0, len(entries) - 3, 4)
            if _number(entries, at) != 0  # the network information table
        }
        known, self._programmes = self._programmes, found
        self._pmt_pids = frozenset(found.values())
        return known is not None and known != found

    def _differs_pmt(self, section: bytes) -> bool:
        if section[0] != _PMT_TABLE or len(section) < 16:
            return False
        programme = _number(section, 3)
        at = 12 + (_number(section, 10) & 0x0FFF)
        tracks = set()
        while at + 5 <= len(section) - 4:
            tracks.add((section[at], _number(section, at + 1) & 0x1FFF))
            at += 5 + (_number(section, at + 3) & 0x0FFF)
        known = self._tracks.get(programme)
        self._tracks[programme] = frozenset(tracks)
        return known is not None and known != self._tracks[programme]


def _section(packet: bytes) -> bytes | None:
    """The table section that begins in a packet; None where it is damaged or does not fit."""
    at = 4
    control = packet[3] >> 4 & 3
    if control & 1 == 0 or packet[1] & 0x80:
        return None
    if control & 2:
        at += 1 + packet[4]
    if at >= len(packet):
        return None
    at += 1 + packet[at]
    if at + 3 > len(packet):
        return None
    length = 3 + (_number(packet, at + 1) & 0x0FFF)
    section = packet[at : at + length]
    if len(section) < length or length < 12 or not section[5] & 1:  # bit: currently applicable
        return None
    return section if _crc(section) == 0 else None


def _number(data: bytes, at: int) -> int:
    return data[at] << 8 | data[at + 1]


def _crc(data: bytes) -> int:
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1 ^ (_POLYNOMIAL if value & 0x80000000 else 0)) & 0xFFFFFFFF
    return value
