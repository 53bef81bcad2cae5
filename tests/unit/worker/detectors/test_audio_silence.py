"""audio-silence on made-up samples."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from streammonitor_worker.detectors.audio_silence import AudioSilence, AudioSilenceSettings
from tests.support.hearing import STEREO, clip, incidents, measures

RATE = 48000
F64 = NDArray[np.float64]


def programme(seconds: float, rate: int = RATE, seed: int = 0) -> F64:
    """Stereo noise at -20 dBFS."""
    return 0.07 * np.random.default_rng(seed).standard_normal((2, round(seconds * rate)))


def with_pause(
    at_s: float, pause_s: float, total_s: float, *, rate: int = RATE, residue_dbfs: float = -200.0
) -> F64:
    samples = programme(total_s, rate)
    pause = slice(round(at_s * rate), round((at_s + pause_s) * rate))
    noise = np.random.default_rng(9).standard_normal(samples[:, pause].shape)
    samples[:, pause] = 10 ** (residue_dbfs / 20) * noise
    return samples


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000, 96000])
def test_onset_and_recovery_are_within_a_chunk(rate: int) -> None:
    (incident,) = incidents(
        AudioSilence(), clip(with_pause(3.21, 2.5, 8, rate=rate), rate).blocks()
    )

    assert incident.onset == pytest.approx(3.21, abs=0.0055)
    assert incident.recovery == pytest.approx(5.71, abs=0.0055)
    assert incident.value == -120.0
    assert incident.evidence == {"levels_dbfs": {"FL": -120.0, "FR": -120.0}}


def test_noise_at_minus_70_is_silence() -> None:
    samples = with_pause(3, 3, 8, residue_dbfs=-70)

    (incident,) = incidents(AudioSilence(), clip(samples).blocks())

    assert incident.onset == pytest.approx(3, abs=0.0055)
    assert -70 < incident.value < -60


@pytest.mark.parametrize(
    "samples",
    [
        with_pause(3, 1.9, 8),
        with_pause(3, 3.0, 8, residue_dbfs=-55),
        0.02 * programme(8),
        np.concatenate((np.zeros((2, RATE)), programme(8)), axis=1),
        np.concatenate((programme(8), np.zeros((2, RATE + 4321))), axis=1),
    ],
    ids=["speech pause", "soft noise", "quiet programme", "late start", "end of file"],
)
def test_what_is_no_silence_opens_nothing(samples: F64) -> None:
    assert incidents(AudioSilence(), clip(samples).blocks()) == []


def test_one_channel_that_sounds_is_enough() -> None:
    samples = programme(6)
    samples[0] = 0

    assert not any(m.present for m in measures(AudioSilence(), clip(samples).blocks()))


def test_constant_offset_is_silence() -> None:
    samples = programme(8)
    samples[:, 3 * RATE : 6 * RATE] = 0.2

    (incident,) = incidents(AudioSilence(), clip(samples).blocks())

    assert incident.onset == pytest.approx(3)
    assert incident.recovery == pytest.approx(6)


def test_silence_from_the_start_to_the_end_is_one_incident() -> None:
    (incident,) = incidents(AudioSilence(), clip(np.zeros((2, 5 * RATE))).blocks())

    assert incident.onset == 0.0
    assert incident.recovery is None


def test_click_in_silence_ends_it_only_for_its_chunk() -> None:
    samples = with_pause(2, 5, 9)
    samples[:, 5 * RATE] = 0.5

    (incident,) = incidents(AudioSilence(), clip(samples).blocks())

    assert incident.onset == pytest.approx(2, abs=0.0055)
    assert incident.recovery == pytest.approx(7, abs=0.0055)


def test_level_is_a_setting() -> None:
    samples = with_pause(3, 3, 8, residue_dbfs=-50)
    strict = AudioSilence(AudioSilenceSettings(level=-40.0))

    assert strict.threshold == -40.0
    assert len(incidents(strict, clip(samples).blocks())) == 1


def test_measures_are_finite_and_in_order() -> None:
    told = measures(AudioSilence(), clip(with_pause(3, 2.5, 8)).blocks())

    assert {m.present for m in told} == {True, False}
    assert all(np.isfinite(m.value) and m.start < m.end for m in told)
    assert [m.start for m in told] == sorted(m.start for m in told)
    assert told[-1].end == pytest.approx(8.0)


def test_channels_may_change() -> None:
    detector = AudioSilence()
    first = list(clip(programme(1)).blocks())
    then = list(
        clip(np.zeros((6, 3 * RATE)), channels=(*STEREO, "FC", "LFE", "BL", "BR")).blocks(start=1.0)
    )

    (incident,) = incidents(detector, first + then)

    assert incident.onset == pytest.approx(1.0)
