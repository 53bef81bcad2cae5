"""Notices that the picture rate of a track changes. Pure.

A rate that an encoder declares is no proof, and the media library keeps the one it read first. A
measured rate alone is none either: pictures are dropped, a phone films slower in the dark, film
and video alternate in material of variable rate. So both are asked: the encoder must have begun
anew (other parameter sets, or another container), and the distances of the pictures must be even
before and even after, and not the same.

Fed with packets rather than pictures, so that it knows when only key pictures are decoded.
"""

from __future__ import annotations

from collections import deque
from itertools import accumulate, pairwise
from statistics import linear_regression, median
from typing import NamedTuple

from streammonitor_worker.source.parameters import Parameters

_MEMORY_S = 3.0
"""How far back the rate before is looked for: a second of it and an outage of segments."""
_PROOF_S = 0.6
"""Measured before a new rate is believed. With milliseconds for timestamps (RTMP) this tells
24 from 25. Well below the second after which a change of size at the same picture is closed."""
_FEWEST = 8
"""Distances that make a rate: slow cameras need more time than `_PROOF_S`."""
_PATIENCE_S = 3.0
"""Without an even cadence until then the track has none: variable frame rate."""
_EVEN = 0.25
"""A distance differs from the usual one by up to this share: rounding to milliseconds at 60/s,
jitter of a live encoder."""
_EVEN_SHARE = 0.8
"""Of the distances are like that: some pictures are lost where encoders change."""
_SAME = 0.02
"""Rates closer than this are the same: 24 and 25 differ by 0.04, 29.97 and 30 by 0.001."""
_USUAL = (
    *(24000 / 1001, 24.0, 25.0, 30000 / 1001, 30.0, 48000 / 1001, 48.0),
    *(50.0, 60000 / 1001, 60.0, 100.0, 120000 / 1001, 120.0),
)
_ROUNDED = 0.004
"""How far a rate measured by milliseconds may be off, relative."""


class RateChange(NamedTuple):
    """Pictures come at another rate."""

    time: float
    """Of the first picture at the new rate."""
    before: float
    """Pictures per second."""
    after: float


class _Candidate(NamedTuple):
    time: float
    before: float


class Cadence:
    """Of one track, over all containers that it comes in."""

    def __init__(self) -> None:
        self._times: deque[float] = deque()
        self._parameters: dict[str, bytes] = {}
        """The latest, by origin."""
        self._renewed = False
        self.began_anew = False
        """Whether the encoder began anew, in the same container, with the last packet."""
        self._candidate: _Candidate | None = None

    def renew(self, parameters: Parameters | None) -> None:
        """Another container begins; its parameter sets, where it keeps them apart."""
        self._parameters = {}
        if parameters is not None:
            self._note(parameters)
        self._renewed = bool(self._times)

    def show(
        self, time: float, complete: float, parameters: Parameters | None
    ) -> RateChange | None:
        """Take the next packet; tell of a change as soon as it is sure.

        time: when its picture is presented. complete: up to when all pictures have come, as far
        as the order of packets says. parameters: the parameter sets in it; None for none.
        """
        renewed, self._renewed = self._renewed, False
        self.began_anew = parameters is not None and self._note(parameters)
        if (renewed or self.began_anew) and self._candidate is None:
            before = _rate([shown for shown in self._times if shown < time])
            self._candidate = None if before is None else _Candidate(time, before)
        self._times.append(time)
        while self._times[0] < time - _MEMORY_S:
            self._times.popleft()
        return None if self._candidate is None else self._judge(self._candidate, complete)

    def _note(self, parameters: Parameters) -> bool:
        """Whether they differ from those before."""
        origin, sets = parameters
        before = self._parameters.get(origin, sets)
        self._parameters[origin] = sets
        return before != sets

    def _judge(self, candidate: _Candidate, complete: float) -> RateChange | None:
        begin, before = candidate
        if complete < begin + _PROOF_S:
            return None
        after = _rate([shown for shown in self._times if begin <= shown < complete])
        if after is None:
            if complete >= begin + _PATIENCE_S:
                self._candidate = None
            return None
        self._candidate = None
        if abs(after - before) <= _SAME * max(after, before):
            return None
        return RateChange(begin, _usual(before), _usual(after))


def _rate(times: list[float]) -> float | None:
    """Pictures per second; None where they are too few or their distances uneven."""
    times.sort()
    steps = [later - earlier for earlier, later in pairwise(times)]
    if len(steps) < _FEWEST:
        return None
    step = median(steps)
    even = sum(abs(each - step) <= _EVEN * step for each in steps)
    if step <= 0 or even < _EVEN_SHARE * len(steps):
        return None
    # The slope of a line through all of them: jitter of the first and the last counts little.
    numbers = list(accumulate((round(each / step) for each in steps), initial=0))
    return linear_regression(times, numbers).slope


def _usual(rate: float) -> float:
    """The rate that is in use and closest, where it is as close as can be measured."""
    nearest = min(_USUAL, key=lambda known: abs(known - rate))
    return nearest if abs(nearest - rate) <= _ROUNDED * nearest else round(rate, 2)
