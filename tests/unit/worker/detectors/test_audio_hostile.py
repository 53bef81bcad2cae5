"""Sound that no microphone makes: no detector fails on it, and every number stays finite."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest

from streammonitor_worker.detectors.audio_channel_loss import AudioChannelLoss
from streammonitor_worker.detectors.audio_clipping import AudioClipping
from streammonitor_worker.detectors.audio_loudness import AudioLoudness
from streammonitor_worker.detectors.audio_phase import AudioPhase
from streammonitor_worker.detectors.audio_silence import AudioSilence
from streammonitor_worker.detectors.base import Detector, Measure
from streammonitor_worker.media import Sound
from tests.support.hearing import Clip, clip, incidents, measures

KINDS = (AudioSilence, AudioChannelLoss, AudioPhase, AudioClipping, AudioLoudness)
RNG = np.random.default_rng(0)


def with_values(value: float) -> Clip:
    samples = 0.2 * RNG.standard_normal((2, 96000))
    samples[:, ::977] = value
    return clip(samples)


def bursts(rate: int, channels: int, seconds: float = 3.0) -> Clip:
    """Noise, silence, overload and offset, one after the other."""
    samples = RNG.standard_normal((channels, max(1, round(rate * seconds))))
    quarter = max(1, samples.shape[1] // 4)
    samples[:, quarter : 2 * quarter] = 0
    samples[:, 2 * quarter : 3 * quarter] *= 50
    samples[:, 3 * quarter :] = 1.0
    return clip(samples, rate, tuple(f"{n}" for n in range(channels)))


SOUNDS = {
    "not a number": with_values(np.nan),
    "infinite": with_values(np.inf),
    "enormous": with_values(1e38),
    "denormal": clip(np.full((2, 96000), 1e-42)),
    "one sample": clip([[0.5], [-0.5]]),
    "1 Hz": bursts(1, 2, 300),
    "50 Hz": bursts(50, 2, 60),
    "11,025 Hz": bursts(11025, 1),
    "37,801 Hz": bursts(37801, 2),
    "768 kHz": bursts(768000, 2, 0.5),
    "24 channels": bursts(8000, 24),
}


def numbers(measure: Measure) -> list[float]:
    told: list[object] = [measure.start, measure.end, measure.value]
    for one in (measure.evidence or {}).values():
        told += one.values() if isinstance(one, Mapping) else [one]
    return [float(one) for one in told if isinstance(one, (int, float))]


@pytest.mark.parametrize("name", SOUNDS)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.name))
def test_every_number_is_finite(kind: type[Detector[Sound]], name: str) -> None:
    for measure in measures(kind(), SOUNDS[name].blocks()):
        assert all(math.isfinite(number) for number in numbers(measure))
        assert measure.start <= measure.end


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.name))
def test_format_may_change_at_any_block(kind: type[Detector[Sound]]) -> None:
    detector, time, blocks = kind(), 0.0, []
    for name in ("11,025 Hz", "24 channels", "37,801 Hz", "one sample", "not a number"):
        for block in SOUNDS[name].blocks(start=time):
            blocks.append(block)
        time = blocks[-1].end

    told = measures(detector, blocks)

    assert all(math.isfinite(number) for measure in told for number in numbers(measure))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.name))
def test_gaps_and_overlaps_open_nothing(kind: type[Detector[Sound]]) -> None:
    samples = 0.1 * RNG.standard_normal((1, 4410))
    stereo = np.concatenate((samples, 0.9 * samples))
    blocks = [
        block
        for number in range(200)
        for block in clip(stereo, 44100).blocks(start=number * 0.1 + 0.03 * (number % 7))
    ]

    assert incidents(kind(), blocks) == []
