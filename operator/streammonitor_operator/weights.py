"""What a stream is taken to cost, in CPU cores at the fidelity that was asked for it.

Measured where it was; before that estimated from picture size and rate, and before these are known
what such streams are usually found to cost. Estimates, too, are corrected by what was measured:
processors differ, and streams of a fleet are alike. A stream that is watched less closely than
asked, for want of capacity, is counted at what it would cost: that is what demand is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

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


class Weight(NamedTuple):
    """What a stream is planned with."""

    cores: float
    is_measured: bool = False


FEW = 3
"""Streams that have to be measured before others are judged by them: one may be anything."""
MANY = 100
"""Streams whose measurements count; what was measured before them is forgotten by and by."""


@dataclass(slots=True)
class Usual:
    """What streams of one fidelity and choice of renditions are found to cost."""

    count: float = 0.0
    measured_cores: float = 0.0
    estimated_cores: float = 0.0
    """What the same streams were estimated to cost."""

    def learn(self, cores: float, pixel_rate: float) -> None:
        """A stream was measured for the first time."""
        kept = 1.0 if self.count < MANY else 1 - 1 / MANY
        self.count = kept * self.count + 1
        self.measured_cores = kept * self.measured_cores + cores
        self.estimated_cores = kept * self.estimated_cores + estimate_cores(pixel_rate)

    @property
    def mean_cores(self) -> float | None:
        """What one costs; None while too few were measured."""
        return self.measured_cores / self.count if self.count >= FEW else None

    @property
    def cost_of_estimated(self) -> float | None:
        """What a core that was estimated is; None while too few were measured."""
        return self.measured_cores / self.estimated_cores if self.count >= FEW else None


class Usuals:
    """What streams of each kind are found to cost."""

    def __init__(self) -> None:
        self._kinds: dict[tuple[Fidelity, str], Usual] = {}

    def of(self, spec: StreamSpec) -> Usual:
        """What streams like this one cost."""
        return self._kinds.setdefault((spec.mode, spec.renditions), Usual())

    def learn(self, spec: StreamSpec, cores: float, row: StreamRow | None) -> None:
        """A stream was measured for the first time."""
        if row is not None and row.pixel_rate is not None:
            self.of(spec).learn(cores, row.pixel_rate)


def _expected(spec: StreamSpec, usual: Usual) -> float:
    """What a stream that was never opened is taken to cost."""
    mean = usual.mean_cores
    return DEFAULT_CORES * SHARE[spec.mode] * RENDITIONS[spec.renditions] if mean is None else mean


def _estimated(spec: StreamSpec, pixel_rate: float, usual: Usual) -> float:
    """What a stream is taken to cost by what its worker has opened."""
    correction = usual.cost_of_estimated
    return estimate_cores(pixel_rate) * (SHARE[spec.mode] if correction is None else correction)


def weight_of(
    spec: StreamSpec, row: StreamRow | None, known: Weight | None, usual: Usual
) -> Weight:
    """What a stream costs by its worker's latest word.

    `known` is the weight that is planned with now, None before there is one. It is returned as it
    is when the new one does not differ noticeably, and where it was measured and the new one is
    only estimated: by a worker that has just opened the stream.
    """
    before = known or Weight(_expected(spec, usual))
    if row is None:
        return before
    told = row.weight_cores
    if told is not None and 0 <= told < math.inf:
        return _replace(before, _at_full(spec, row, told, before))
    if before.is_measured or row.pixel_rate is None:
        return before
    estimate = _estimated(spec, row.pixel_rate, usual)
    return _replace(before, Weight(_at_full(spec, row, estimate, before).cores))


def _at_full(spec: StreamSpec, row: StreamRow, told: float, before: Weight) -> Weight:
    """What is told, at the fidelity that is wanted."""
    if SHARE[row.fidelity] < SHARE[spec.mode]:
        # Lowered: its worker may not know yet what it takes at the fidelity that is wanted.
        return Weight(max(told, before.cores), before.is_measured)
    return Weight(told, is_measured=True)


def _replace(before: Weight, told: Weight) -> Weight:
    """What is told, or what was known where that is nearly the same."""
    if abs(told.cores - before.cores) <= NOTICED * before.cores:
        return Weight(before.cores, told.is_measured)
    return told
