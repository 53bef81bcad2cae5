"""Packed sound: segments of AAC, MP3 or AC-3 without a container (RFC 8216, 3.4).

Each begins with an ID3 tag that says when it is presented, on the clock of the transport streams
that go with it.
"""

from __future__ import annotations

_OWNER = b"com.apple.streaming.transportStreamTimestamp\x00"
_HEADER = 10
CLOCK = 90_000
LONGEST_TAG = 256 << 10
"""A longer tag is not skipped; cover art is not part of packed sound."""


def tag_length(head: bytes) -> int:
    """Bytes of the ID3 tag at the beginning, 0 for none. Needs the first 10 bytes."""
    if (
        len(head) < _HEADER
        or not head.startswith(b"ID3")
        or any(byte & 0x80 for byte in head[6:10])
    ):
        return 0
    size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
    return _HEADER + size if size <= LONGEST_TAG else 0


def timestamp_of(tag: bytes) -> float | None:
    """Seconds that the tag says, on the 33-bit clock of transport streams; None for none."""
    at = tag.find(_OWNER)
    value = tag[at + len(_OWNER) : at + len(_OWNER) + 8]
    if at < 0 or len(value) < 8:
        return None
    return (int.from_bytes(value, "big") & 0x1FFFFFFFF) / CLOCK
