"""What a detector of sound finds does not depend on how the sound was cut into blocks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streammonitor_api.incident import Moment
from streammonitor_worker.detectors.audio_channel_loss import AudioChannelLoss
from streammonitor_worker.detectors.audio_clipping import AudioClipping
from streammonitor_worker.detectors.audio_loudness import AudioLoudness
from streammonitor_worker.detectors.audio_phase import AudioPhase
from streammonitor_worker.detectors.audio_silence import AudioSilence
from streammonitor_worker.detectors.base import Detector
from streammonitor_worker.incidents import Tracker
from streammonitor_worker.media import Sound
from streammonitor_worker.media.sound import BLOCK_CHUNKS, CHUNK_S
from streammonitor_worker.synth.loudness import integrated_loudness
from tests.support.hearing import STEREO, Clip, clip, measures

RATE = 8000  # enough for all five of them, and quick
SAME_S = 1.5 / RATE
"""A sample, as the crest at the end of a block may be cut in two."""
STEP_S = 0.1
"""How often audio-phase judges; the others do so with each block."""
EXACT_S = 0.02
"""By how much an edge of a defect of sound may be off."""
F64 = NDArray[np.float64]

CUTS = st.lists(st.integers(1, 3 * BLOCK_CHUNKS), min_size=1, max_size=6)
"""Chunks of the blocks, in turn: from 5 ms to 0.6 s."""


@dataclass(frozen=True)
class Found:
    """An incident, and how far the sound had come when it was told."""

    onset: float
    recovery: float | None
    told: float


def found(detector: Detector[Sound], sound: Clip, chunks: list[int]) -> list[Found]:
    tracker = Tracker(
        alarm_after=detector.alarm_after,
        clear_after=detector.clear_after,
        bridge=detector.bridge,
        threshold=detector.threshold,
        moment=lambda time: Moment(time, ""),
    )
    told: list[float] = []
    closed = []
    for block in sound.blocks(chunks=chunks):
        for measure in detector.observe(block):
            for one in tracker.observe(measure):
                told += [block.end] if one.kind == "opened" else []
                closed += [one.defect] if one.kind == "closed" else []
    closed += [one.defect for one in tracker.finish() if one.kind == "closed"]
    return [
        Found(round(one.onset, 6), one.recovery and round(one.recovery, 6), at)
        for one, at in zip(closed, told, strict=True)
    ]


def noise(seconds: float, seed: int = 0) -> F64:
    return 0.1 * np.random.default_rng(seed).standard_normal((2, round(seconds * RATE)))


def span(start_s: float, end_s: float) -> slice:
    return slice(round(start_s * RATE), round(end_s * RATE))


def swinging(seconds: float, seed: int = 0) -> F64:
    """Louder and softer as speech is, with a pause of 0.4 s in every 3 s."""
    samples = noise(seconds, seed)
    time = np.arange(samples.shape[1]) / RATE
    syllables = np.random.default_rng(seed + 1).uniform(0.3, 1, 5 * round(seconds) + 6)
    samples *= np.interp(time, np.arange(len(syllables)) / 5, syllables)
    samples *= time % 3 < 2.6
    return samples


@cache
def silent() -> Clip:
    samples = noise(16)
    samples[:, span(3.123, 6.456)] = 0
    samples[:, span(6.5, 6.62)] = 0
    samples[:, span(9.001, 9.9)] = 0
    samples[:, span(12.0042, 14.3)] = 0
    return clip(samples, RATE)


@cache
def one_sided() -> Clip:
    samples = swinging(18)
    samples[1, span(3.123, 9.456)] = 0
    samples[0, span(12.2, 15.0)] = 0
    return clip(samples, RATE)


@cache
def inverted() -> Clip:
    centre, side = swinging(18, 1)
    samples = np.stack((centre + 0.2 * side, centre - 0.2 * side))
    samples[1, span(3.345, 7.543)] *= -1
    samples[1, span(10.0, 11.5)] *= -1
    samples[1, span(12.01, 12.3)] *= -1
    samples[1, span(12.7, 12.9)] *= -1
    return clip(samples, RATE)


@cache
def overdriven() -> Clip:
    """A low tone whose every crest is clipped, then one in each quarter of a second, then two."""
    time = np.arange(14 * RATE) / RATE
    samples = np.stack(2 * (0.5 * np.sin(2 * np.pi * 40 * time),))
    samples[0, span(2.0, 4.9951)] *= 8
    for start in np.arange(7.0, 9.5, 0.25):
        samples[1, span(start, start + 0.025)] *= 8
    samples[:, span(12.0, 12.05)] *= 8
    return clip(np.clip(np.round(samples * 32768), -32768, 32767) / 32768, RATE)


@cache
def too_quiet() -> Clip:
    samples = swinging(68)
    samples *= 10 ** ((-23 - integrated_loudness(samples.astype(np.float32), RATE, STEREO)) / 20)
    samples[:, span(20.567, 52.543)] *= 10 ** (-14 / 20)
    return clip(samples, RATE)


CASES = {
    AudioSilence: (silent, [(3.123, 6.62), (12.0042, 14.3)]),
    AudioChannelLoss: (one_sided, [(3.123, 9.456)]),
    AudioPhase: (inverted, [(3.345, 7.543)]),
    AudioClipping: (overdriven, [(2.0, 4.9951), (7.0, 9.275)]),
    AudioLoudness: (too_quiet, [(20.567, 52.543)]),
}


def longest_s(cuts: list[int]) -> float:
    return max(cuts) * CHUNK_S


@pytest.mark.parametrize("kind", CASES, ids=lambda kind: kind.name)
@settings(max_examples=5)
@given(cuts=CUTS)
@example(cuts=[1])
@example(cuts=[7])
@example(cuts=[20])
@example(cuts=[2 * BLOCK_CHUNKS])
def test_incidents_are_the_same_in_blocks_of_any_size(
    kind: type[Detector[Sound]], cuts: list[int]
) -> None:
    make, truth = CASES[kind]
    usual = found(kind(), make(), [BLOCK_CHUNKS])

    cut = found(kind(), make(), cuts)

    for one, as_usual, (onset, recovery) in zip(cut, usual, truth, strict=True):
        assert (one.onset, one.recovery) == pytest.approx(
            (as_usual.onset, as_usual.recovery), abs=SAME_S
        )
        assert one.onset == pytest.approx(onset, abs=EXACT_S)
        assert one.recovery == pytest.approx(recovery, abs=EXACT_S)
        assert abs(one.told - as_usual.told) <= max(longest_s(cuts), longest_s([BLOCK_CHUNKS]))
        if kind is not AudioLoudness:  # whose window of 30 s sees a change late
            step_s = STEP_S if kind is AudioPhase else 0.0
            late_s = one.told - one.onset - kind.alarm_after
            assert late_s <= longest_s(cuts) + step_s + SAME_S


@settings(max_examples=5)
@given(cuts=CUTS)
@example(cuts=[7])
def test_loudness_is_judged_at_the_same_moments(cuts: list[int]) -> None:
    def judged(chunks: list[int]) -> list[tuple[float, bool]]:
        told = measures(AudioLoudness(), too_quiet().blocks(chunks=chunks))
        return [(round(one.end, 3), one.present) for one in told]

    assert judged(cuts) == judged([BLOCK_CHUNKS])
