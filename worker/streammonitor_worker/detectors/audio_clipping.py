"""audio-clipping: the sound is cut off at full scale, again and again.

Measure
    Clipped runs per second in the worst channel, over the last second; present from `repeats`.
    A run is `run` consecutive full-scale samples (at 48 kHz; a quarter of a millisecond at any
    rate) where the waveform arrives and leaves at an angle. After a lossy codec it is recognised
    by its shape only, and counts for a third; as do chunks of 5 ms that come near full scale,
    where the samples of the whole second crowd there.
Reads
    `Sound.peaks`, and `media.plateaus` and `media.crowding` where these come near full scale.
Not a defect
    Music mastered up to full scale: a limiter rounds its peaks, which touch full scale for a few
    samples each. Pure tones at full scale: crests of bass are long but not flat, those of treble
    short. A square wave or a synthesiser 1 dB or more below full scale. A lone run.
Limits
    Clipped and then turned down is not seen. A square wave at full scale counts as clipped, and so
    do speech and tones driven 10 dB into soft saturation. Tones above 2 kHz and white noise have
    no runs of that length. Found after a lossy codec, or none, are all of 98 programmes clipped
    by 12 dB, 97 by 9 dB, 69 by 6 dB and 14 by 3 dB (speech, music, both, rock, pop, plucked
    strings and pink noise, through AAC at 64 and 128 kb/s, MP2, MP3, Opus and AC-3); none of 490
    that were limited, saturated or left as they were counts as clipped. In a pause nothing is
    clipped: a defect that begins or ends in one does so with the first or the last clipped sound.
Source
    Teledyne LeCroy (Frontline) Audio Expert System, clipping event: 12 consecutive samples at
    48 kHz and 16 bits, 3 at 8 kHz, 24 at 96 kHz.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from streammonitor_worker.detectors.base import Detector, Measure, Settings, setting
from streammonitor_worker.media import Sound, crowding
from streammonitor_worker.media.plateaus import HOT, PlateauFinder, densities
from streammonitor_worker.media.sound import dbfs

if TYPE_CHECKING:
    from numpy.typing import NDArray

_REFERENCE_RATE = 48000
_MEMORY_S = 1.0
"""Runs within this are counted together; those farther apart are not the same defect."""
_SHAPE_WEIGHT = 1 / 3
"""What a run counts for that is recognised by its shape only: saturated music has up to 16 such
a second in one channel, clipped programme 20 to 4,000."""
_CROWDED_SHARE = 0.5
"""Of the crowding of a whole second, what a block of it has that was clipped."""
_GOES_ON = 1 / 3
"""Share of `repeats` at which clipping that has begun goes on: hysteresis."""
_CHAIN_S = 0.05
"""Hot chunks closer than this belong together: twice the longest half wave, 20 Hz."""
_CHAIN_LIMIT_S = 0.1
"""How far before the first run and after the last one hot chunks count: after a lossy codec it
takes up to 60 ms until a plateau is clean enough to be recognised."""
_CHAIN_DENSITY = 0.25
"""Of the density that is usual among the runs: chunks of loud music that is not clipped have
0.06 of their samples near full scale, of music clipped by 12 dB 0.55."""
_GAP_S = 0.001
"""Blocks farther apart than rounding have lost sound between them."""


@dataclass(frozen=True, kw_only=True)
class AudioClippingSettings(Settings):
    run: int = setting(
        12,
        what="consecutive full-scale samples of a clipped run, at 48 kHz",
        source="Teledyne LeCroy Audio Expert System, clipping event threshold",
        unit="samples",
        minimum=3,
        maximum=480,
    )
    repeats: float = setting(
        3.0,
        what="clipped runs within a second",
        source="limited music has less than 1 in a second, programme clipped by 6 dB 3 to 1,700",
        unit="runs/s",
        minimum=1.0,
        maximum=1000.0,
    )


@dataclass(slots=True)
class _Block:
    """What was found in a block."""

    end: float
    counts: NDArray[np.float64]
    """Runs in each channel."""
    hot: list[tuple[float, float, float]]
    """Chunks that come near full scale: start, end, and share of samples that do."""
    crowd: NDArray[np.float64]
    """See `media.crowding.count`."""
    first: float = float("inf")
    last: float = float("-inf")
    """Where the first run begins and the last one ends."""
    crowded: bool = False
    """It belongs to a second in which samples crowd."""
    longest: int = 0
    """Samples of the longest run; 0 where they are known by crowding or overshoot only."""

    def crowds(self, channels: NDArray[np.bool_], usual: NDArray[np.float64]) -> bool:
        """Whether it is one of those that make these channels as crowded as they are: loud music
        that follows what was clipped crowds a little as well."""
        below, near = self.crowd[:2, channels]
        least = np.maximum(crowding.CROWDED, _CROWDED_SHARE * usual[channels])
        return bool(self.hot) and bool((near > np.maximum(least * below, 1)).any())


class AudioClipping(Detector[Sound]):
    """The sound is cut off at full scale, again and again."""

    name = "audio-clipping"
    reads = Sound
    unit = "runs/s"
    severity = "warning"
    alarm_after = 0.5  # more than one loud moment: with `repeats`, two of them
    clear_after = 2.0
    settings_type = AudioClippingSettings

    def __init__(self, settings: Settings | None = None) -> None:
        super().__init__(settings)
        self._form: tuple[int, int] = (0, 0)
        """Rate and channels."""
        self._finders: list[PlateauFinder] = []
        self._blocks: deque[_Block] = deque()
        self._until: float | None = None
        """While the sound is clipped: the end of its last run."""
        self._end = float("-inf")

    @property
    def threshold(self) -> float:
        return float(self.settings.repeats)

    def observe(self, sound: Sound) -> Iterator[Measure]:
        """Clipped runs per second (0 or more); present from `repeats`."""
        self._follow(sound)
        block = self._look(sound)
        self._blocks.append(block)
        while self._blocks[0].end < sound.end - _MEMORY_S - _CHAIN_LIMIT_S - sound.duration:
            self._blocks.popleft()
        value = self._runs_per_second(sound)
        if self._until is None:
            if value < self.settings.repeats:
                yield Measure(sound.time, sound.end, False, value)
                return
            start = self._before(min(recent.first for recent in self._blocks))
        else:
            start = self._until
        if block.last > start and self._goes_on(value, start, sound.end):
            self._until = block.last
            yield Measure(start, block.last, True, value, evidence=self._evidence(sound, value))
        elif sound.end - start > _MEMORY_S:
            self._until = None
            yield Measure(self._after(start), sound.end, False, value)

    def _follow(self, sound: Sound) -> None:
        form = sound.rate, len(sound.channels)
        if form != self._form:
            shortest = max(3, round(self.settings.run * sound.rate / _REFERENCE_RATE))
            self._finders = [PlateauFinder(shortest) for _ in sound.channels]
            self._blocks.clear()
            self._form = form
        elif abs(sound.time - self._end) > _GAP_S:
            for finder in self._finders:
                finder.reset()
        self._end = sound.end

    def _look(self, sound: Sound) -> _Block:
        block = _Block(sound.end, np.zeros(len(self._finders)), [], crowding.count(sound))
        hot = np.flatnonzero((sound.peaks >= HOT).any(axis=0))
        if hot.size:
            edges = sound.chunk_edges
            block.hot = list(
                zip(
                    edges[hot].tolist(),
                    edges[hot + 1].tolist(),
                    densities(sound)[hot].tolist(),
                    strict=True,
                )
            )
        for channel, finder in enumerate(self._finders):
            found = finder.find(sound, channel)
            runs = found.all
            if not runs.size:
                continue
            likely = found.shaped.shape[1] + found.beyond.shape[1]
            block.counts[channel] = max(found.exact.shape[1], likely * _SHAPE_WEIGHT)
            block.first = min(block.first, sound.time + int(runs[0].min()) / sound.rate)
            block.last = max(block.last, sound.time + (int(runs[1].max()) + 1) / sound.rate)
            plain = found.exact if found.exact.size else found.shaped
            if plain.size:
                block.longest = max(block.longest, int((plain[1] - plain[0]).max()) + 1)
        return block

    def _runs_per_second(self, sound: Sound) -> float:
        begin = sound.end - _MEMORY_S + _GAP_S
        recent = [block for block in self._blocks if block.end > begin]
        runs = float(np.max(sum(block.counts for block in recent)))
        counts = np.sum([block.crowd for block in recent], axis=0)
        crowded = crowding.is_crowded(counts, sound.rate)
        if crowded.any():
            usual = crowding.crowding(counts)
            blocks = [block for block in recent if block.crowds(crowded, usual)]
            for block in blocks:
                block.first = min(block.first, block.hot[0][0])
                block.last = max(block.last, block.hot[-1][1])
                block.crowded = True
            runs = max(runs, sum(len(block.hot) for block in blocks) * _SHAPE_WEIGHT)
        return round(runs, 2)

    def _goes_on(self, value: float, since: float, now: float) -> bool:
        """Whether there are enough runs also after those until `since`: a lone one in what
        follows is not the defect."""
        least = self.settings.repeats * _GOES_ON
        after = [block for block in self._blocks if block.last > since]
        if value < least or not after:
            return False
        runs = float(np.max(sum(block.counts for block in after)))
        return runs >= least * (now - since) or any(block.crowded for block in after)

    def _before(self, first: float) -> float:
        """Where the hot chunks begin that lead up to the first run."""
        start = first
        for begin, end in reversed(self._dense(first, float("inf"))):
            if begin < start and end >= start - _CHAIN_S:
                start = max(begin, first - _CHAIN_LIMIT_S)
        return start

    def _after(self, last: float) -> float:
        """Where the hot chunks end that follow the last run."""
        until = last
        for begin, end in self._dense(float("-inf"), last):
            if end > until and begin <= until + _CHAIN_S:
                until = min(end, last + _CHAIN_LIMIT_S)
        return until

    def _dense(self, begin: float, end: float) -> list[tuple[float, float]]:
        """Hot chunks that are as dense as those of the runs, which are between these times."""
        hot = [chunk for block in self._blocks for chunk in block.hot]
        usual = [density for start, _, density in hot if begin <= start < end] or [1.0]
        least = _CHAIN_DENSITY * float(np.median(usual))
        return [(start, until) for start, until, density in hot if density >= least]

    def _evidence(self, sound: Sound, value: float) -> dict[str, object]:
        peaks = sound.peaks.max(axis=1)
        return {
            "runs_per_second": value,
            "longest_run_samples": max(block.longest for block in self._blocks),
            "peaks_dbfs": {
                name: round(dbfs(float(peak)), 2)
                for name, peak in zip(sound.channels, peaks, strict=True)
            },
        }
