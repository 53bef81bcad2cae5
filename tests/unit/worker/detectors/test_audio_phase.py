"""audio-phase on made-up samples."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from streammonitor_worker.detectors.audio_phase import AudioPhase, AudioPhaseSettings
from tests.support.hearing import clip, incidents, measures

RATE = 48000
F64 = NDArray[np.float64]


def noise(seconds: float, seed: int = 0, rate: int = RATE) -> F64:
    """Noise as dull as music: neighbours are alike."""
    white = np.random.default_rng(seed).standard_normal(round(seconds * rate) + 15)
    return 0.1 * np.convolve(white, np.ones(16) / 4, "valid")


def stereo(seconds: float, width: float, rate: int = RATE) -> F64:
    """A centre and sides: correlation is (1 - width²) / (1 + width²)."""
    centre, side = noise(seconds, 1, rate), width * noise(seconds, 2, rate)
    return np.stack((centre + side, centre - side))


def inverted(samples: F64, start_s: float, end_s: float, rate: int = RATE) -> F64:
    samples = samples.copy()
    samples[1, round(start_s * rate) : round(end_s * rate)] *= -1
    return samples


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000, 96000])
@pytest.mark.parametrize("width", [0.0, 0.2])
def test_inverted_channel_is_found_to_the_chunk(rate: int, width: float) -> None:
    samples = inverted(stereo(9, width, rate), 2.345, 6.543, rate)

    (incident,) = incidents(AudioPhase(), clip(samples, rate).blocks())

    assert incident.onset == pytest.approx(2.345, abs=0.0101)
    assert incident.recovery == pytest.approx(6.543, abs=0.0101)
    assert incident.value == pytest.approx(-(1 - width**2) / (1 + width**2), abs=0.05)
    assert incident.evidence["correlation"] == pytest.approx(incident.value, abs=1e-3)


@pytest.mark.parametrize("width", [0.0, 0.3, 1.0, 2.0, 4.0])
def test_correlation_is_that_of_the_mix(width: float) -> None:
    told = measures(AudioPhase(), clip(stereo(4, width)).blocks())

    mean = np.mean([m.value for m in told])
    assert mean == pytest.approx((1 - width**2) / (1 + width**2), abs=0.08)


@pytest.mark.parametrize(
    "samples",
    [
        stereo(6, 0.0),
        stereo(6, 1.0),
        stereo(6, 2.5),
        np.stack((noise(6, 1), 0.5 * noise(6, 1))),
        np.stack((noise(6, 1), np.roll(noise(6, 1), 40))),
        np.stack((noise(6, 1), -0.05 * noise(6, 1))),
        inverted(1e-4 * stereo(6, 0.0), 1, 5),
        np.zeros((2, 6 * RATE)),
    ],
    ids=[
        "mono on two",
        "unrelated",
        "wide",
        "pan",
        "delay",
        "26 dB apart",
        "faint noise",
        "silence",
    ],
)
def test_what_does_not_cancel_opens_nothing(samples: F64) -> None:
    told = measures(AudioPhase(), clip(samples).blocks())

    assert not any(m.present for m in told)


def test_silence_is_no_measure_and_holds_the_state() -> None:
    samples = inverted(stereo(12, 0.1), 2, 10)
    samples[:, 4 * RATE : 7 * RATE] = 0
    detector = AudioPhase()
    blocks = list(clip(samples).blocks())

    silent = measures(detector, blocks[:21]), measures(detector, blocks[21:34])
    (incident,) = incidents(AudioPhase(), blocks)

    assert silent[1] == []
    assert incident.onset == pytest.approx(2.0, abs=0.0101)
    assert incident.recovery == pytest.approx(10.0, abs=0.0101)


def test_short_inversion_opens_nothing() -> None:
    assert incidents(AudioPhase(), clip(inverted(stereo(8, 0.1), 3, 4.9)).blocks()) == []


def test_moment_in_phase_does_not_split_an_incident() -> None:
    samples = inverted(inverted(stereo(12, 0.1), 2, 5), 5.3, 10)

    found = incidents(AudioPhase(), clip(samples).blocks())

    assert [(round(one.onset, 1), one.recovery and round(one.recovery, 1)) for one in found] == [
        (2.0, 10.0)
    ]


def test_treble_does_not_count() -> None:
    """Codecs rebuild it for both channels from one."""
    time = np.arange(6 * RATE) / RATE
    treble = 0.2 * np.sin(2 * np.pi * 12000 * time)
    samples = np.stack((noise(6) + treble, -noise(6) + treble))

    (incident,) = incidents(AudioPhase(), clip(samples).blocks())

    assert incident.value < -0.99


def test_only_the_front_pair_of_surround_is_judged() -> None:
    front = stereo(6, 0.3)
    side = noise(6, 5)
    surround = np.concatenate((front, np.zeros((2, 6 * RATE)), [side], [-side]))
    names = ("FL", "FR", "FC", "LFE", "SL", "SR")

    assert incidents(AudioPhase(), clip(surround, channels=names).blocks()) == []
    front_inverted = np.concatenate((inverted(front, 0, 6), surround[2:]))
    assert len(incidents(AudioPhase(), clip(front_inverted, channels=names).blocks())) == 0, (
        "0.3 wide is -0.83"
    )
    surround[1] = -surround[0]
    assert len(incidents(AudioPhase(), clip(surround, channels=names).blocks())) == 1


def test_mono_has_no_phase() -> None:
    assert measures(AudioPhase(), clip(noise(2)).blocks()) == []


def test_blocks_shorter_than_a_chunk_are_left_out() -> None:
    samples = stereo(2, 0.1)[:, : 48000 + 100]

    assert measures(AudioPhase(), clip(samples).blocks())[-1].end == pytest.approx(1.0)


def test_correlation_is_a_setting() -> None:
    lenient = AudioPhase(AudioPhaseSettings(correlation=-0.5))
    samples = inverted(stereo(8, 0.45), 2, 6)

    assert lenient.threshold == -0.5
    assert incidents(AudioPhase(), clip(samples).blocks()) == []
    assert len(incidents(lenient, clip(samples).blocks())) == 1
