"""Says which pictures of a damaged stream look wrong, by comparing them with the clean one's.

What becomes of damage on the screen is up to the decoder: it conceals, or it does not notice. So
this is the truth to which a detector of corrupted pictures is held. It needs the original, which
no watcher has.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np

from streammonitor_worker.synth.canvas import U8
from streammonitor_worker.synth.origin import first_presented

_MACROBLOCK = 16

_VISIBLE = 12.0
"""Mean difference of a macroblock's luma from which it looks wrong: 5 % of the range; a re-encode
of the test card at constant quality 23 changes none by more than 8."""

_SAME_MOMENT_S = 0.001
"""Containers round times to a millisecond at most."""


def visible_damage(clean: Path, damaged: Path) -> list[tuple[float, float]]:
    """Compare picture by picture: media time, share of macroblocks that look wrong (0 to 1).

    Pictures are matched by their media time. One that the damaged stream lacks is compared with
    the one that is shown in its stead, the last before it; a change of size makes it all wrong.
    """
    found: list[tuple[float, float]] = []
    replies = _pictures(damaged)
    shown: U8 | None = None
    following = next(replies, None)
    for time, wanted in _pictures(clean):
        while following is not None and following[0] <= time + _SAME_MOMENT_S:
            shown, following = following[1], next(replies, None)
        found.append((time, 1.0 if shown is None else _wrong_share(wanted, shown)))
    return found


def _wrong_share(wanted: U8, shown: U8) -> float:
    if wanted.shape != shown.shape:
        return 1.0
    rows, columns = (side // _MACROBLOCK for side in wanted.shape)
    inside = (slice(rows * _MACROBLOCK), slice(columns * _MACROBLOCK))
    change = np.abs(wanted[inside].astype(np.int16) - shown[inside])
    blocks = change.reshape(rows, _MACROBLOCK, columns, _MACROBLOCK).mean((1, 3))
    return float(np.count_nonzero(blocks > _VISIBLE) / blocks.size)


def _pictures(path: Path) -> Iterator[tuple[float, U8]]:
    """Decode luma, of 8 bits, in order of media time."""
    origin = first_presented(path)
    with av.open(str(path)) as container:
        for packet in container.demux(container.streams.video[0]):
            for frame in decode_what_can_be(packet):
                if frame.time is not None:
                    plane = frame.planes[0]
                    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, -1)
                    yield frame.time - origin, rows[:, : plane.width].copy()


def decode_what_can_be(packet: av.Packet[Any]) -> list[Any]:
    """Decode a packet; nothing comes of one that the decoder refuses."""
    try:
        return packet.decode()
    except av.error.FFmpegError:
        return []
