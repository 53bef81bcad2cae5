"""audio-phase: left and right cancel each other out when they are added.

Measure
    Correlation of the front pair, -1 (one is the other upside down) to 1 (mono), 0 for unrelated:
    sum of products over the root of the product of the powers, over the last 0.4 s of sound;
    present at or below `correlation`.
Reads
    `Sound.samples` of left and right in chunks of 5 ms, without what is above 6 kHz: most codecs
    rebuild that for both channels from one (intensity stereo), so it has no phase of its own.
Not a defect
    Silence, and noise below `level`: they have no correlation, and time stands still for this
    detector while they last. Wide stereo and ambience, which are around 0. A channel more than
    20 dB below the other: adding it changes the sum by less than 1 dB.
Limits
    Surround sound folded into two channels (Lt/Rt) is out of phase on purpose while nothing but
    effects is heard. Only the front pair is judged: surround channels are often inverted for
    width. In a pause nothing can be known: a defect that begins or ends in one does so with the
    next sound, and if the alarm falls due in one it comes with that sound.
Source
    FFmpeg, libavfilter/avf_aphasemeter.c: out of phase beyond 170 degrees (a correlation of
    -0.98) for 2 s. -0.9 also catches programme with a little stereo or codec noise in it: adding
    two such channels loses 13 dB.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from streammonitor_worker.detectors.base import Detector, Measure, Settings, setting
from streammonitor_worker.media import Sound
from streammonitor_worker.media.sound import CHUNK_S, chunk_samples, dbfs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    F32 = NDArray[np.float32]
    F64 = NDArray[np.float64]

_WINDOW_S = 0.4
"""Momentary, as in EBU Tech 3341: longer than a beat of two bass tones, shorter than a word."""
_WINDOW = round(_WINDOW_S / CHUNK_S)
_STEP = _WINDOW // 4
"""Chunks after which it is judged again, however the sound is cut into blocks."""
_SPARE = 0.1
"""How far above the threshold the correlation must rise to end it: hysteresis."""
_HALF_WAY = np.float32(-0.5)
"""A chunk below is taken for inverted when the edge is sought: half way between unrelated and
opposite, beyond what single chunks of wide stereo mostly reach."""
_BALANCE = np.float32(0.01)
"""-20 dB, as powers."""
_SUMS_PER_S = 12000
_GAP_S = 0.001
"""Blocks farther apart than rounding have lost sound between them."""


@dataclass(frozen=True, kw_only=True)
class AudioPhaseSettings(Settings):
    correlation: float = setting(
        -0.9,
        what="correlation of left and right at which they are out of phase",
        source="FFmpeg aphasemeter angle, widened for stereo and codec noise",
        minimum=-1.0,
        maximum=-0.3,
    )
    level: float = setting(
        -60.0,
        what="level below which a channel has no phase",
        source="FFmpeg silencedetect noise",
        unit="dBFS",
        minimum=-110.0,
        maximum=-20.0,
    )


@dataclass(frozen=True, slots=True)
class _Chunks:
    """The chunks of a step that are loud enough."""

    starts: F64
    ends: F64
    correlations: F64
    sums: tuple[float, float, float]
    """Of all of them: product, power of left, power of right."""


class AudioPhase(Detector[Sound]):
    """Left and right cancel each other out when they are added."""

    name = "audio-phase"
    reads = Sound
    unit = "correlation"
    severity = "warning"
    alarm_after = 2.0
    clear_after = 1.0
    settings_type = AudioPhaseSettings

    def __init__(self, settings: Settings | None = None) -> None:
        super().__init__(settings)
        self._floor = np.float32(10 ** (self.settings.level / 10) / 2)
        self._recent: deque[_Chunks] = deque()
        """At least two windows, as far as there are."""
        self._rest: F64 = np.empty((5, 0))
        """Chunks that do not make a step yet: start, end, product, power of left and of right."""
        self._inverted = False
        self._end = float("-inf")

    @property
    def threshold(self) -> float:
        return float(self.settings.correlation)

    def observe(self, sound: Sound) -> Iterator[Measure]:
        """Correlation over the last 0.4 s of sound; present at or below `correlation`."""
        pair = _front_pair(sound.channels)
        if pair is None:
            return
        if abs(sound.time - self._end) > _GAP_S:
            self._recent.clear()
            self._rest = self._rest[:, :0]
        self._end = sound.end
        for step in self._steps(sound, pair):
            yield from self._judge(self._audible(step), sound, pair)

    def _steps(self, sound: Sound, pair: tuple[int, int]) -> Iterator[F64]:
        one, other = _low_frequencies(sound, pair)
        product, left, right = np.vecdot(one, other), np.vecdot(one, one), np.vecdot(other, other)
        edges = sound.chunk_edges[: len(product) + 1]
        chunks = np.stack((edges[:-1], edges[1:], product, left, right))
        chunks[2:] /= one.shape[1]
        chunks = np.concatenate((self._rest, chunks), axis=1)
        whole = chunks.shape[1] // _STEP * _STEP
        self._rest = chunks[:, whole:]
        for first in range(0, whole, _STEP):
            yield chunks[:, first : first + _STEP]

    def _audible(self, step: F64) -> _Chunks:
        starts, ends, product, left, right = step
        loud = np.minimum(left, right) >= np.maximum(
            self._floor, np.maximum(left, right) * _BALANCE
        )
        if not loud.all():
            starts, ends, product, left, right = step[:, loud]
        sums = float(product.sum()), float(left.sum()), float(right.sum())
        return _Chunks(starts, ends, product / np.sqrt(left * right), sums)

    def _judge(self, chunks: _Chunks, sound: Sound, pair: tuple[int, int]) -> Iterator[Measure]:
        if not len(chunks.starts):
            return
        self._remember(chunks)
        value = self._correlation()
        if value is None:
            return
        edge = self._edge(value)
        start = float(chunks.starts[0]) if edge is None else edge
        end = float(chunks.ends[-1])
        if self._inverted and edge is None:  # what may already be in phase again is left open
            agreeing = np.flatnonzero(chunks.correlations < _HALF_WAY)
            if not len(agreeing):
                return
            end = float(chunks.ends[agreeing[-1]])
        evidence = self._evidence(sound, pair, value) if self._inverted else None
        yield Measure(start, end, self._inverted, value, evidence=evidence)

    def _remember(self, chunks: _Chunks) -> None:
        self._recent.append(chunks)
        kept = sum(len(one.starts) for one in self._recent)
        while kept - len(self._recent[0].starts) >= 2 * _WINDOW:
            kept -= len(self._recent.popleft().starts)

    def _correlation(self) -> float | None:
        """Over the newest chunks, a window of them; None before half of it is there."""
        count = 0
        product = left = right = 0.0
        for chunks in reversed(self._recent):
            more = chunks.sums
            product, left, right = product + more[0], left + more[1], right + more[2]
            count += len(chunks.starts)
            if count >= _WINDOW:
                break
        if count < _WINDOW // 2:
            return None
        return max(-1.0, min(1.0, product / math.sqrt(left * right)))

    def _edge(self, value: float) -> float | None:
        """Turn the state where the correlation says so; return when it really turned.

        The window sees it late. The edge is where the chunks before speak most for the old
        state and those after for the new one: the extreme of the running sum of what they say.
        """
        limit = self.settings.correlation + (_SPARE if self._inverted else 0.0)
        if (value <= limit) == self._inverted:
            return None
        self._inverted = not self._inverted
        for_before = np.concatenate([chunks.correlations for chunks in self._recent]) - _HALF_WAY
        if not self._inverted:
            for_before = -for_before
        sums = np.concatenate(([0.0], np.cumsum(for_before)))
        turn = min(int(sums.argmax()), len(for_before) - 1)
        starts = np.concatenate([chunks.starts for chunks in self._recent])
        return float(starts[turn])

    def _evidence(self, sound: Sound, pair: tuple[int, int], value: float) -> dict[str, object]:
        levels = np.sqrt(2 * sound.powers[list(pair)].mean(axis=1))
        names = [sound.channels[index] for index in pair]
        return {
            "correlation": round(value, 3),
            "levels_dbfs": {
                name: round(dbfs(float(level)), 1)
                for name, level in zip(names, levels, strict=True)
            },
        }


def _front_pair(channels: tuple[str, ...]) -> tuple[int, int] | None:
    if "FL" in channels and "FR" in channels:
        return channels.index("FL"), channels.index("FR")
    return (0, 1) if len(channels) == 2 else None


def _low_frequencies(sound: Sound, pair: tuple[int, int]) -> F32:
    """Sums of neighbours, about 12,000 a second, of two channels: (2, whole chunks, sums)."""
    size = chunk_samples(sound.rate)
    together = max(1, sound.rate // _SUMS_PER_S)
    count = size // together
    samples = sound.samples[list(pair), : sound.samples.shape[1] // size * size]
    chunks = samples.reshape(2, -1, size)[:, :, : count * together]
    weights = np.full(together, 1 / together, np.float32)
    sums: F32 = chunks.reshape(2, -1, count, together) @ weights
    return sums
