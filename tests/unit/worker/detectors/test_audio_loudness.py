"""audio-loudness on made-up samples, whose level comes from the maker of test streams."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from streammonitor_worker.detectors.audio_loudness import AudioLoudness, AudioLoudnessSettings
from streammonitor_worker.incidents import Defect
from streammonitor_worker.synth.loudness import integrated_loudness
from tests.support.hearing import STEREO, clip, incidents, measures

RATE = 8000  # the weighting is exact enough there, and a minute is quick
F64 = NDArray[np.float64]


def programme(seconds: float, lufs: float = -23.0) -> F64:
    """Stereo noise that comes and goes as speech does, with a pause of 0.4 s in every 3 s."""
    samples = np.random.default_rng(0).standard_normal((2, round(seconds * RATE)))
    time = np.arange(samples.shape[1]) / RATE
    syllables = np.random.default_rng(1).uniform(0.3, 1, 5 * round(seconds) + 6)
    samples *= np.interp(time, np.arange(len(syllables)) / 5, syllables)
    samples *= time % 3 < 2.6
    loudness = integrated_loudness(samples.astype(np.float32), RATE, STEREO)
    return samples * 10 ** ((lufs - loudness) / 20)


def changed(samples: F64, start_s: float, end_s: float, change_lu: float) -> F64:
    samples = samples.copy()
    samples[:, round(start_s * RATE) : round(end_s * RATE)] *= 10 ** (change_lu / 20)
    return samples


def found(samples: F64, settings: AudioLoudnessSettings | None = None) -> list[Defect]:
    return incidents(AudioLoudness(settings), clip(samples, RATE).blocks())


def spans(samples: F64) -> list[tuple[float, float | None]]:
    return [
        (round(one.onset, 1), one.recovery and round(one.recovery, 1)) for one in found(samples)
    ]


@pytest.mark.parametrize("lufs", [-23.0, -24.0, -27.0, -19.0])
def test_value_is_the_distance_from_the_target(lufs: float) -> None:
    told = measures(AudioLoudness(), clip(programme(60, lufs), RATE).blocks())

    assert len(told) == pytest.approx(30, abs=1), "once a second, from the first full window on"
    assert told[0].start == 0.0
    assert [m.value for m in told] == pytest.approx([abs(lufs + 23)] * len(told), abs=0.4)
    assert not any(m.present for m in told)


@pytest.mark.parametrize(
    ("change_lu", "precision_s"),
    [(-20.0, 0.02), (-12.0, 0.02), (12.0, 0.02), (-7.0, 0.5), (7.0, 0.5)],
)
def test_change_is_found_where_it_was_made(change_lu: float, precision_s: float) -> None:
    """To a chunk where it exceeds the programme's own swings (10 dB here), else to a syllable."""
    samples = changed(programme(120), 34.567, 76.543, change_lu)

    (incident,) = found(samples)

    assert incident.onset == pytest.approx(34.567, abs=precision_s)
    assert incident.recovery == pytest.approx(76.543, abs=precision_s)
    assert incident.value == pytest.approx(abs(change_lu), abs=0.7)
    assert incident.evidence["loudness_lufs"] == pytest.approx(-23 + change_lu, abs=0.7)
    assert incident.evidence["target_lufs"] == -23.0


@pytest.mark.parametrize("lufs", [-40.0, -10.0])
def test_what_was_never_right_began_at_the_start(lufs: float) -> None:
    (incident,) = found(programme(45, lufs))

    assert incident.onset == 0.0
    assert incident.recovery is None


def test_wrong_first_minute_ends_where_it_became_right() -> None:
    assert spans(changed(programme(100), 0, 58.2, -12)) == [(0.0, 58.2)]


def test_recovery_shortly_before_the_end_is_told() -> None:
    assert spans(changed(programme(54), 5, 48.2, 12)) == [(5.0, 48.2)]


def test_two_defects_are_two_incidents() -> None:
    samples = changed(changed(programme(200), 32.2, 70.1, 12), 120.2, 165.1, -12)

    assert spans(samples) == [(32.2, 70.1), (120.2, 165.1)]


@pytest.mark.parametrize(
    "samples",
    [
        programme(29.9, -40.0),
        changed(programme(100), 40, 48, 10),
        changed(programme(100), 40, 55, -20),
        changed(programme(100), 0, 8, 12),
        changed(programme(100), 33, 75, -200),
        np.zeros((2, 60 * RATE)),
        changed(programme(60, -10), 2, 60, -200),
    ],
    ids=[
        "shorter than the window",
        "loud moment",
        "quiet passage",
        "loud start",
        "silence",
        "nothing",
        "too little",
    ],
)
def test_what_is_no_defect_opens_nothing(samples: F64) -> None:
    assert found(samples) == []


@pytest.mark.parametrize("start_s", [2.0, 10.0, 16.0, 25.5, 30.0, 44.0])
@pytest.mark.parametrize("change_lu", [15, 22])
def test_short_burst_opens_nothing_wherever_it_is(start_s: float, change_lu: float) -> None:
    """The gates leave only the burst of the whole window: that is judged by how long it is."""
    assert found(changed(programme(60), start_s, start_s + 3, change_lu)) == []


def test_bursts_far_apart_are_not_one_defect() -> None:
    samples = changed(changed(programme(80), 10, 13, 22), 28, 31, 22)

    assert found(samples) == []


def test_onset_after_a_burst_is_that_of_the_change() -> None:
    samples = changed(changed(programme(100), 8, 11, 22), 33.3, 70.2, 12)

    assert spans(samples) == [(33.3, 70.2)]


def test_target_and_tolerance_are_settings() -> None:
    samples = programme(45, -31.0)

    assert found(samples, AudioLoudnessSettings(target=-31.0)) == []
    assert found(samples, AudioLoudnessSettings(tolerance=10.0)) == []
    assert AudioLoudness(AudioLoudnessSettings(tolerance=10.0)).threshold == 10.0
    assert len(found(samples)) == 1


def test_long_gap_begins_a_new_window() -> None:
    detector = AudioLoudness()
    wrong, right = clip(programme(40, -40.0), RATE), clip(programme(45), RATE)
    told = measures(detector, wrong.blocks())
    told += measures(detector, right.blocks(start=60.0))

    later = [m for m in told if m.start >= 40]
    assert told[-1].present is False
    assert later[0].start == pytest.approx(60.0), "what was wrong is right since the gap"
    assert not any(m.present for m in later)


def test_short_gap_keeps_the_window() -> None:
    blocks = list(clip(programme(60), RATE).blocks())

    told = measures(AudioLoudness(), blocks[:75] + blocks[78:])

    assert told[0].end == pytest.approx(30.2, abs=1.01)
    assert not any(m.present for m in told)


def test_surround_counts_and_the_low_frequency_channel_does_not() -> None:
    names = ("FL", "FR", "FC", "LFE", "SL", "SR")
    one = programme(40)[:1]
    loud_bass = np.concatenate((programme(40), 0 * one, 30 * one, 0 * one, 0 * one))
    surround = np.concatenate((0 * programme(40), 0 * one, 0 * one, 3 * one, 3 * one))

    quiet = measures(AudioLoudness(), clip(loud_bass, RATE, names).blocks())
    loud = measures(AudioLoudness(), clip(surround, RATE, names).blocks())

    assert quiet[-1].value == pytest.approx(0.0, abs=0.4)
    assert loud[-1].value == pytest.approx(10 * np.log10(9 * 1.41), abs=0.4)


def test_low_frequency_channel_alone_has_no_loudness() -> None:
    only_bass = clip(programme(40)[:1], RATE, ("LFE",))

    assert measures(AudioLoudness(), only_bass.blocks()) == []
