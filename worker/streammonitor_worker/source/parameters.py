"""Reads from a key picture's packet the parameter sets that came with it. Pure.

Only to compare them: an encoder that goes on repeats them bit by bit, one that begins anew with
another size, rate or tool does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

_START = b"\x00\x00\x01"
_LOOKED_AT = 4096
"""Bytes: parameter sets come first, before any slice."""
_H264_SPS = 7
_HEVC_VPS, _HEVC_SPS = 32, 33
_MPEG2_SEQUENCE = 0xB3
_MPEG2_SIZE_AND_RATE = 4
"""Bytes of a sequence header with size, aspect and rate; those of the bit rate follow."""
_CONFIGURATION = 1
"""First byte of `avcC` and `hvcC`, which keep parameter sets apart from the packets."""
_LENGTH_SIZE = 4
"""Bytes before each unit, where there are no start codes; others are not in use."""


class Parameters(NamedTuple):
    """Those of the same origin can be compared."""

    origin: str
    """`container` or `packet`."""
    sets: bytes


def configured(extradata: bytes | None) -> Parameters | None:
    """The parameter sets that a container keeps apart; None where it keeps none."""
    if not extradata or extradata[0] != _CONFIGURATION:
        return None
    return Parameters("container", extradata)


def parameters_of(codec: str, packet: memoryview) -> Parameters | None:
    """The parameter sets at the beginning of a packet; None where there are none."""
    if codec not in ("h264", "hevc", "mpeg2video"):
        return None
    data = bytes(packet[:_LOOKED_AT])
    begins = data[:4].lstrip(b"\x00")[:1] == b"\x01" and data[:2] == b"\x00\x00"
    units = [unit for unit in data.split(_START)[1:] if unit] if begins else _by_length(data)
    if codec == "mpeg2video":
        headers = [unit[1:] for unit in units if unit[0] == _MPEG2_SEQUENCE]
        return Parameters("packet", headers[0][:_MPEG2_SIZE_AND_RATE]) if headers else None
    # The zeros after a unit belong to the next start code, or to nothing.
    sets = [unit.rstrip(b"\x00") for unit in units if _is_parameter_set(codec, unit[0])]
    return Parameters("packet", b"".join(sets)) if sets else None


def _by_length(data: bytes) -> Iterator[bytes]:
    at = 0
    while at + _LENGTH_SIZE < len(data):
        begin = at + _LENGTH_SIZE
        at = begin + int.from_bytes(data[at:begin], "big")
        if at > begin:
            yield data[begin:at]


def _is_parameter_set(codec: str, first: int) -> bool:
    if codec == "h264":
        return first & 0x1F == _H264_SPS
    return first >> 1 & 0x3F in (_HEVC_VPS, _HEVC_SPS)
