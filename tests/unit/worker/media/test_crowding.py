"""Whether samples that crowd at full scale are told from those that only reach it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from streammonitor_worker.detectors.audio_clipping import AudioClipping
from streammonitor_worker.media.crowding import COUNTS, count, is_crowded
from tests.support.hearing import clip, incidents

RATE = 48000
F64 = NDArray[np.float64]


def noise(seconds: float, seed: int = 0) -> F64:
    """Pink, its highest peak at full scale."""
    rng = np.random.default_rng(seed)
    spectrum = np.fft.rfft(rng.standard_normal(round(seconds * RATE)))
    spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), 20))
    samples = np.fft.irfft(spectrum)
    return np.asarray(samples / np.abs(samples).max())


def blurred(samples: F64, spread: float = 0.07) -> F64:
    """As a lossy codec leaves it: no two neighbours are equal, and half of the peaks overshoot."""
    rng = np.random.default_rng(1)
    return samples + spread * np.convolve(rng.standard_normal(len(samples)), [0.6, 0.8], "same")


def crowded(samples: F64) -> bool:
    blocks = list(clip(samples).blocks())
    counts = np.sum([count(block) for block in blocks], axis=0) / clip(samples).samples.shape[1]
    return bool(is_crowded(counts * RATE, RATE)[0])


@pytest.mark.parametrize("gain", [2.4, 2.8])
def test_what_was_clipped_is_crowded(gain: float) -> None:
    assert crowded(blurred(np.clip(gain * noise(3), -1, 1)))


@pytest.mark.parametrize(
    "samples",
    [
        noise(3),
        np.tanh(2 * noise(3)) / np.tanh(2),
        np.sin(2 * np.pi * 440 / RATE * np.arange(3 * RATE)),
        np.sin(2 * np.pi * 55 / RATE * np.arange(3 * RATE)) * (np.arange(3 * RATE) % 12000 < 4000),
        0.99 * np.sign(noise(3)) * np.minimum(np.abs(2.8 * noise(3)), 0.99) * 0.85,
    ],
    ids=["full scale", "saturated", "tone", "beats of bass", "clipped, then turned down"],
)
def test_what_was_not_is_not(samples: F64) -> None:
    assert not crowded(blurred(samples, 0.02))


def test_quiet_sound_costs_nothing_and_counts_nothing() -> None:
    block = next(clip(0.5 * noise(1)).blocks())

    assert count(block).tolist() == [[0.0]] * COUNTS


def test_clipping_without_plateaus_has_its_onset_and_recovery() -> None:
    samples = 0.5 * noise(9)
    samples[3 * RATE : 6 * RATE] = blurred(np.clip(2.8 * noise(3, seed=2), -1, 1))

    (found,) = incidents(AudioClipping(), clip(samples).blocks())

    assert found.onset == pytest.approx(3.0, abs=0.02)
    assert found.recovery == pytest.approx(6.0, abs=0.02)
