"""Loudness against the standard's own figures, and against a filter of another kind."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from streammonitor_worker.media.heard import Heard, change_point, loudness_of
from streammonitor_worker.media.loudness import (
    KWeighting,
    channel_weights,
    gated,
    lufs,
    power_of,
)

F32 = NDArray[np.float32]
RATES = (8000, 16000, 22050, 32000, 44100, 48000, 96000, 192000)

SECTIONS = (
    (
        (1.53512485958697, -2.69169618940638, 1.19839281085285),
        (-1.69065929318241, 0.73248077421585),
    ),
    ((1.0, -2.0, 1.0), (-1.99004745483398, 0.99007225036621)),
)
"""ITU-R BS.1770-4, tables 1 and 2, at 48 kHz: b0 to b2, a1 and a2."""


def standard_gain_db(frequency: float) -> float:
    turn = np.exp(-2j * np.pi * frequency / 48000)
    gain = 1.0
    for b, a in SECTIONS:
        gain *= abs((b[0] + b[1] * turn + b[2] * turn**2) / (1 + a[0] * turn + a[1] * turn**2))
    return float(20 * np.log10(gain))


def tone(frequency: float, rate: int, seconds: float, level_dbfs: float = 0.0) -> F32:
    time = np.arange(round(seconds * rate)) / rate
    samples = 10 ** (level_dbfs / 20) * np.sin(2 * np.pi * frequency * time)
    return samples.astype(np.float32)


def weighted(samples: F32, rate: int, block: int | None = None) -> F32:
    block = block or rate // 10
    weighting = KWeighting(rate, len(samples))
    parts = [
        weighting.filter(samples[:, first : first + block])
        for first in range(0, samples.shape[1], block)
    ]
    return np.concatenate(parts, axis=1)


def loudness(samples: F32, rate: int, channels: tuple[str, ...]) -> float:
    """Of a steady sound: without gates."""
    settled = weighted(samples, rate)[:, rate // 2 :]
    return lufs(float(channel_weights(channels) @ np.mean(np.square(settled), axis=1)))


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("frequency", [25, 100, 500, 1000, 2000, 3500])
def test_weighting_is_that_of_48_khz(frequency: int, rate: int) -> None:
    samples = tone(frequency, rate, 2.0)[None]
    gain = np.std(weighted(samples, rate)[:, rate:]) / np.std(samples[:, rate:])

    warped = 0.25 if rate == 8000 else 0.1  # the bilinear transform, near half the rate
    assert 20 * np.log10(gain) == pytest.approx(standard_gain_db(frequency), abs=warped)


@pytest.mark.parametrize("rate", RATES)
def test_one_kilohertz_has_the_loudness_of_the_standard(rate: int) -> None:
    mono = tone(997, rate, 2.0)[None]

    assert loudness(mono, rate, ("FC",)) == pytest.approx(-3.01, abs=0.25 if rate == 8000 else 0.1)


@pytest.mark.parametrize(
    ("level_dbfs", "channels", "expected"),
    [
        (-23.0, ("FL", "FR"), -23.0),  # EBU Tech 3341, case 1
        (-33.0, ("FL", "FR"), -33.0),  # case 2
        (-24.0, ("FL", "FR", "FC", "LFE"), -22.24),  # three equal channels, and one not heard
        (-24.0, ("SL", "SR"), -22.51),  # surround counts 1.41
    ],
)
def test_stereo_and_surround_add_up(
    level_dbfs: float, channels: tuple[str, ...], expected: float
) -> None:
    samples = np.stack([tone(1000, 48000, 2.0, level_dbfs)] * len(channels))

    assert loudness(samples, 48000, channels) == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize("block", [4800, 4801, 777, 48, 1])
def test_blocks_of_any_length_give_the_same(block: int) -> None:
    noise = np.random.default_rng(1).standard_normal((2, 9600)).astype(np.float32)
    length = 1200 if block == 1 else 9600

    pieces = weighted(noise[:, :length], 48000, block)

    assert pieces == pytest.approx(weighted(noise[:, :length], 48000, 9600), abs=2e-4)


def test_filter_is_the_recursion_of_the_standard() -> None:
    samples = np.random.default_rng(2).standard_normal((1, 4800)).astype(np.float32)

    stage = samples[0].astype(float)
    for b, a in SECTIONS:
        out = np.zeros(len(stage))
        x1 = x2 = y1 = y2 = 0.0
        for n, x in enumerate(stage):
            y = b[0] * x + b[1] * x1 + b[2] * x2 - a[0] * y1 - a[1] * y2
            out[n] = y
            x1, x2, y1, y2 = x, x1, y, y1
        stage = out

    assert weighted(samples, 48000)[0] == pytest.approx(stage, abs=1e-3)


def test_reset_forgets_the_sound_before() -> None:
    noise = np.random.default_rng(3).standard_normal((1, 4800)).astype(np.float32)
    weighting = KWeighting(48000, 1)
    first = weighting.filter(noise)

    weighting.reset()

    assert weighting.filter(noise) == pytest.approx(first)


def test_no_channel_that_counts_is_no_loudness() -> None:
    assert KWeighting(48000, 0).filter(np.empty((0, 4800), np.float32)).shape == (0, 4800)
    assert lufs(0.0) == -np.inf


def test_gates_leave_out_silence_and_what_is_10_lu_quieter() -> None:
    loud, quiet, silent = power_of(-20.0), power_of(-35.0), power_of(-75.0)
    power, count = gated(np.array([loud] * 10 + [quiet] * 10 + [silent] * 80))

    assert lufs(power) == pytest.approx(-20.0)
    assert count == 10
    assert gated(np.array([silent] * 80)) == (0.0, 0)


def heard(levels: list[float], start: float = 0.0) -> list[Heard]:
    """Blocks of 100 ms, one for each loudness."""
    edges = np.arange(20, dtype=np.float64) * 0.005
    return [
        Heard(
            start + n / 10,
            start + (n + 1) / 10,
            power_of(level),
            np.full(20, power_of(level), np.float32),
            edges + (start + n / 10),
        )
        for n, level in enumerate(levels)
    ]


def test_loudness_of_too_little_is_unknown() -> None:
    assert loudness_of(heard([-23.0] * 3), 0.1) is None
    assert loudness_of(heard([-23.0] * 20), 3.0) is None
    assert loudness_of(heard([-80.0] * 100), 0.1) is None
    assert loudness_of(heard([-23.0] * 40), 3.0) == pytest.approx(-23.0)


@pytest.mark.parametrize("step", [-12.0, -6.0, 3.0, 10.0])
def test_change_is_found_to_the_block(step: float) -> None:
    jitter = np.random.default_rng(4).normal(0, 0.5, 300)
    levels = -23.0 + jitter + np.where(np.arange(300) >= 117, step, 0.0)

    assert change_point(heard(levels.tolist(), start=50.0)) == pytest.approx(61.7)


def test_change_is_found_between_silences() -> None:
    levels = [-23.0] * 50 + [-90.0] * 20 + [-23.0] * 50 + [-35.0] * 60 + [-90.0] * 20

    assert change_point(heard(levels)) == pytest.approx(12.0)


@pytest.mark.parametrize(
    "levels",
    [[-23.0] * 300, [-90.0] * 300, [-23.0] * 12, [-23.0, -24.0] * 100],
    ids=["steady", "silence", "too short", "small steps"],
)
def test_no_change_is_none(levels: list[float]) -> None:
    assert change_point(heard(levels)) is None
