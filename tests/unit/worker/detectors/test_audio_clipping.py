"""audio-clipping on made-up samples."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from streammonitor_worker.detectors.audio_clipping import AudioClipping, AudioClippingSettings
from tests.support.hearing import clip, incidents, measures

RATE = 48000
F64 = NDArray[np.float64]


def music(seconds: float, rate: int = RATE, seed: int = 0) -> F64:
    """Stereo chords with decaying notes; peaks at full scale, RMS some 15 dB below."""
    rng = np.random.default_rng(seed)
    samples = np.zeros((2, round(seconds * rate)))
    time = np.arange(rate) / rate
    for beat in range(int(seconds * 4)):
        for _ in range(3):
            frequency = 55 * 2 ** (rng.integers(0, 36) / 12)
            note = np.exp(-4 * time) * sum(
                np.sin(2 * np.pi * frequency * n * time + rng.uniform(0, 6)) / n
                for n in range(1, 6)
            )
            start = beat * rate // 4
            part = samples[:, start : start + rate]
            part += rng.uniform(0.3, 0.7, (2, 1)) * note[: part.shape[1]]
    samples /= np.abs(samples).max()
    return samples


def limited(samples: F64, drive: float) -> F64:
    """Driven into a limiter of 10 ms that scales every loud moment to full scale: no clipping."""
    driven = drive * samples
    size = 480
    pieces = np.abs(driven).max(axis=0).reshape(-1, size).max(axis=1)
    around = np.maximum(np.maximum(pieces, np.roll(pieces, 1)), np.roll(pieces, -1))
    gains = np.interp(
        np.arange(driven.shape[1]),
        np.arange(len(pieces)) * size + size / 2,
        1 / np.maximum(around, 1),
    )
    driven *= gains
    driven /= np.abs(driven).max()
    return driven


def pcm(samples: F64) -> F64:
    """Cut at full scale and round to 16 bits."""
    return np.clip(np.round(samples * 32768), -32768, 32767) / 32768


def clipped(samples: F64, start_s: float, end_s: float, gain: float, rate: int = RATE) -> F64:
    samples = samples.copy()
    samples[..., round(start_s * rate) : round(end_s * rate)] *= gain
    return pcm(samples)


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000, 96000])
def test_clipped_music_is_found_where_it_was_clipped(rate: int) -> None:
    samples = clipped(0.3 * music(8, rate), 2.0, 5.0, 30.0, rate)

    (incident,) = incidents(AudioClipping(), clip(samples, rate).blocks())

    assert incident.onset == pytest.approx(2.0, abs=0.02)
    assert incident.recovery == pytest.approx(5.0, abs=0.02)
    assert incident.value > 100
    longest = incident.evidence["longest_run_samples"]
    assert isinstance(longest, int)
    assert longest >= round(12 * rate / 48000)
    assert set(incident.evidence) == {"runs_per_second", "longest_run_samples", "peaks_dbfs"}


@pytest.mark.parametrize(
    "samples",
    [
        music(5),
        limited(music(5), 4.0),
        limited(music(5), 10.0),
        np.tanh(1.5 * music(5)) / np.tanh(1.5),
        np.sin(2 * np.pi * 25 / RATE * np.arange(5 * RATE)),
        np.sin(2 * np.pi * 3000 / RATE * np.arange(5 * RATE)),
        0.89 * np.sign(np.sin(2 * np.pi * 220.3 / RATE * np.arange(5 * RATE))),
        np.zeros(5 * RATE),
    ],
    ids=[
        "normalised",
        "limited",
        "limited hard",
        "saturated",
        "bass",
        "treble",
        "square",
        "silence",
    ],
)
def test_what_is_not_clipped_opens_nothing(samples: F64) -> None:
    assert incidents(AudioClipping(), clip(pcm(samples)).blocks()) == []


def runs_at(times: list[float], seconds: float, run: int = 12) -> F64:
    samples = 0.2 * np.sin(2 * np.pi * 441 / RATE * np.arange(round(seconds * RATE)))
    for time in times:
        samples[round(time * RATE) : round(time * RATE) + run] = 1.0
    return pcm(samples)


def test_lone_runs_open_nothing() -> None:
    samples = runs_at([1.0, 2.0, 2.6, 4.0, 5.5], 8)

    assert not any(m.present for m in measures(AudioClipping(), clip(samples).blocks()))


def test_run_of_eleven_samples_is_none() -> None:
    samples = runs_at([n / 10 for n in range(10, 60)], 8, run=11)

    assert not any(m.present for m in measures(AudioClipping(), clip(samples).blocks()))


def test_onset_is_the_first_of_the_repeated_runs() -> None:
    samples = runs_at([2.0 + n * 0.3 for n in range(8)], 8)

    (incident,) = incidents(AudioClipping(), clip(samples).blocks())

    assert incident.onset == pytest.approx(2.0, abs=0.0055)
    assert incident.recovery == pytest.approx(2.0 + 7 * 0.3 + 12 / RATE, abs=0.0055)
    assert incident.value == 4.0
    assert incident.evidence["longest_run_samples"] == 12


def test_one_loud_moment_opens_nothing() -> None:
    samples = runs_at([2.0 + n * 0.05 for n in range(8)], 8)

    assert incidents(AudioClipping(), clip(samples).blocks()) == []
    assert any(m.present for m in measures(AudioClipping(), clip(samples).blocks()))


def test_clipping_with_pauses_is_one_incident() -> None:
    samples = 0.1 * music(14)
    for start in (2.0, 4.5, 7.0):
        samples = clipped(samples, start, start + 1.7, 100.0)

    (incident,) = incidents(AudioClipping(), clip(samples).blocks())

    assert incident.onset == pytest.approx(2.0, abs=0.02)
    assert incident.recovery == pytest.approx(8.7, abs=0.02)


def test_worst_channel_counts() -> None:
    samples = 0.1 * music(6)
    samples[0] = clipped(samples[0], 2.0, 4.0, 100.0)

    (incident,) = incidents(AudioClipping(), clip(pcm(samples)).blocks())

    assert incident.recovery == pytest.approx(4.0, abs=0.02)
    peaks = incident.evidence["peaks_dbfs"]
    assert isinstance(peaks, dict)
    assert peaks["FL"] == 0.0
    assert peaks["FR"] < -10


def test_full_scale_music_before_and_after_is_no_part_of_it() -> None:
    samples = clipped(limited(music(9), 4.0), 3.0, 6.0, 5.0)

    (incident,) = incidents(AudioClipping(), clip(samples).blocks())

    assert incident.onset == pytest.approx(3.0, abs=0.05), "where it is as dense as what is clipped"
    assert incident.recovery == pytest.approx(6.0, abs=0.05)


def test_settings_change_what_a_run_is() -> None:
    samples = runs_at([2.0 + n * 0.1 for n in range(30)], 8, run=8)
    short = AudioClipping(AudioClippingSettings(run=6, repeats=9.0))
    many = AudioClipping(AudioClippingSettings(run=6, repeats=11.0))

    assert incidents(AudioClipping(), clip(samples).blocks()) == []
    assert len(incidents(short, clip(samples).blocks())) == 1
    assert incidents(many, clip(samples).blocks()) == []


def test_every_block_is_told_and_finite_while_nothing_clips() -> None:
    told = measures(AudioClipping(), clip(pcm(0.5 * music(3))).blocks())

    assert [m.value for m in told] == [0.0] * 15
    assert told[-1].end == pytest.approx(3.0)


def test_other_channels_begin_anew() -> None:
    detector = AudioClipping()
    stereo = list(clip(clipped(0.1 * music(3), 1, 3, 100.0)).blocks())
    mono = list(clip(0.1 * music(4)[0]).blocks(start=3.0))

    (incident,) = incidents(detector, stereo + mono)

    assert incident.recovery == pytest.approx(3.0, abs=0.02)
