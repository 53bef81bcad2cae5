"""What a stream is taken to cost, in CPU cores at the fidelity that was asked for it.

Measured where it was, estimated from picture size and rate where only those are known, and a
default before that. A stream that is watched less closely than asked, for want of capacity, is
counted at what it would cost: that is what demand is.
"""

from __future__ import annotations

import math

from streammonitor_api.fidelity import Fidelity
from streammonitor_api.fleet.records import StreamRow, StreamSpec

DEFAULT_CORES = 0.2
"""1080p30 H.264 at 5 Mb/s: 5.1 streams a core were measured when decoding in full, with one
thread, where detectors add a tenth; on faster processors it takes 0.14 (docs/operations.md)."""
CORES_A_PIXEL_RATE = DEFAULT_CORES / (1920 * 1080 * 30)
SOUND_CORES = 0.01
"""Decoding and measuring sound alone: 0.2-0.5 CPU s for 30 s were measured."""

SHARE = {Fidelity.FULL: 1.0, Fidelity.ADAPTIVE: 0.15, Fidelity.KEYFRAMES: 0.1}
"""Of the cost at full fidelity: key pictures alone took 0.59 of 5.9 CPU s; Adaptive decodes more
of them now and then."""

RENDITIONS = {"highest": 1.0, "lowest": 0.15, "all": 2.0}
"""Of the cost of the highest, in a usual ladder (1080p, 720p, 540p, 360p, 234p)."""

NOTICED = 0.1
"""A weight has to differ by a tenth from the one that is planned with to replace it: what breathes
less than that would only make the planner restless."""


def estimate_cores(pixel_rate: float) -> float:
    """What decoding and watching in full takes, by width × height × pictures a second.

    `SOUND_CORES` where there are no pictures; `DEFAULT_CORES` for what is no such number.
    """
    if not 0 <= pixel_rate < math.inf:
        return DEFAULT_CORES
    return SOUND_CORES + pixel_rate * CORES_A_PIXEL_RATE


def expected_cores(spec: StreamSpec) -> float:
    """What a stream that was never opened is taken to cost."""
    return DEFAULT_CORES * SHARE[spec.mode] * RENDITIONS[spec.renditions]


def _told(spec: StreamSpec, row: StreamRow) -> float | None:
    """What the worker's word comes to: a measurement, else an estimate by what it has opened."""
    if row.weight_cores is not None and 0 <= row.weight_cores < math.inf:
        return row.weight_cores
    if row.pixel_rate is not None:
        return estimate_cores(row.pixel_rate) * SHARE[spec.mode]
    return None


def cores_of(spec: StreamSpec, row: StreamRow | None, known: float | None) -> float:
    """What a stream costs by its worker's latest word.

    `known` is the weight that is planned with now, None before there is one. It is returned as it
    is when the new one does not differ noticeably.
    """
    told = None if row is None else _told(spec, row)
    if row is None or told is None:
        return expected_cores(spec) if known is None else known
    if SHARE[row.fidelity] < SHARE[spec.mode]:
        # Lowered: its worker may not know yet what it takes at the fidelity that is wanted.
        told = max(told, expected_cores(spec) if known is None else known)
    if known is not None and abs(told - known) <= NOTICED * known:
        return known
    return told
