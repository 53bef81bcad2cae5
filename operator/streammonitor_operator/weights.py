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
thread, and detectors add less than a tenth."""
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


def estimate_cores(width: int, height: int, pictures_a_s: float) -> float:
    """What decoding and watching such pictures in full takes; `SOUND_CORES` where there are none.

    Never less than that, and `DEFAULT_CORES` for a size or rate that is not known or no number.
    """
    rate = width * height * pictures_a_s
    if not math.isfinite(rate) or rate < 0:
        return DEFAULT_CORES
    return SOUND_CORES + rate * CORES_A_PIXEL_RATE


def expected_cores(spec: StreamSpec) -> float:
    """What a stream that was never opened is taken to cost."""
    return DEFAULT_CORES * SHARE[spec.mode] * RENDITIONS[spec.renditions]


def cores_of(spec: StreamSpec, row: StreamRow | None, known: float | None) -> float:
    """What a stream costs by its worker's latest word.

    `known` is the weight that is planned with now, None before there is one. It is returned as it
    is when the new one does not differ noticeably.
    """
    told = None if row is None else row.weight_cores
    if row is None or told is None or not math.isfinite(told) or told < 0:
        return expected_cores(spec) if known is None else known
    if SHARE[row.fidelity] < SHARE[spec.mode]:
        # Lowered: at least what it would be in proportion, and not less than was measured before.
        told = max(told * SHARE[spec.mode] / SHARE[row.fidelity], known or 0.0)
    if known is not None and abs(told - known) <= NOTICED * known:
        return known
    return told
