"""audio-channel-loss on made-up samples."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from streammonitor_worker.detectors.audio_channel_loss import (
    AudioChannelLoss,
    AudioChannelLossSettings,
)
from tests.support.hearing import clip, incidents, measures

RATE = 16000  # enough for levels, and quick
SURROUND = ("FL", "FR", "FC", "LFE", "SL", "SR")
F64 = NDArray[np.float64]


def sound(seconds: float, channels: int = 2, level_dbfs: float = -20.0) -> F64:
    """Independent noise in each channel."""
    noise = np.random.default_rng(channels).standard_normal((channels, round(seconds * RATE)))
    return 10 ** (level_dbfs / 20) * noise


def span(start_s: float, end_s: float) -> slice:
    return slice(round(start_s * RATE), round(end_s * RATE))


def speech(seconds: float) -> F64:
    """Stereo with a pause of 0.6 s in every 2 s, in which there is a faint room."""
    samples = sound(seconds)
    samples[:, (np.arange(samples.shape[1]) / RATE) % 2 > 1.4] *= 10 ** (-52 / 20)
    return samples


def lost(samples: F64, names: tuple[str, ...] | None = None) -> list[tuple[float, float | None]]:
    found = incidents(AudioChannelLoss(), clip(samples, RATE, names).blocks())
    return [(round(one.onset, 2), one.recovery and round(one.recovery, 2)) for one in found]


@pytest.mark.parametrize("channel", [0, 1])
def test_lost_channel_of_stereo_is_named(channel: int) -> None:
    samples = sound(14)
    samples[channel, span(3.123, 10.456)] = 0

    (incident,) = incidents(AudioChannelLoss(), clip(samples, RATE).blocks())

    assert incident.onset == pytest.approx(3.123, abs=0.0055)
    assert incident.recovery == pytest.approx(10.456, abs=0.0055)
    assert incident.evidence["channel"] == ("FL", "FR")[channel]
    assert incident.value == -120.0


def test_pauses_of_speech_neither_end_nor_hide_a_loss() -> None:
    samples = speech(16)
    samples[1, span(3.0, 11.0)] = 0

    assert lost(samples) == [(3.0, 11.0)]


def test_loss_that_begins_in_a_pause_is_told_by_its_noise() -> None:
    samples = speech(16)
    samples[1, span(3.7, 11.7)] = 0  # 3.4 to 4.0 is a pause, and so is 11.4 to 12

    assert lost(samples) == [(3.7, 11.7)]


def test_alarm_that_falls_due_in_a_pause_comes_with_the_next_sound() -> None:
    samples = sound(14)
    samples[1, span(3.0, 14.0)] = 0
    samples[:, span(6.0, 9.0)] = 0  # 5 s of loss are over at 8 s, when nobody can hear it

    present = [one for one in measures(AudioChannelLoss(), clip(samples, RATE).blocks())
               if one.present]  # fmt: skip
    heard_lost = [one.end for one in present]

    assert not any(6.01 < end <= 9.0 for end in heard_lost)
    assert lost(samples) == [(3.0, None)]


def test_channel_that_comes_back_in_a_pause_was_not_lost_for_long() -> None:
    samples = sound(14)
    samples[1, span(3.0, 6.0)] = 0
    samples[:, span(6.0, 9.0)] = 0  # with the pause it would be 6 s

    assert lost(samples) == []


def test_channel_that_dies_away_first_at_the_end_is_not_lost_again() -> None:
    samples = sound(14)
    samples[1, span(3.0, 12.5)] = 0
    samples[1, span(13.99, 14.0)] = 0

    assert lost(samples) == [(3.0, 12.5)]


@pytest.mark.parametrize("silent", [(), (3,), (4, 5), (2, 3), (2, 3, 4, 5)])
def test_channels_that_never_carried_are_not_lost(silent: tuple[int, ...]) -> None:
    samples = sound(15, 6)
    samples[list(silent)] = 0

    assert lost(samples, SURROUND) == []


@pytest.mark.parametrize("channel", [0, 1, 2, 4, 5])
def test_channel_of_surround_that_carried_is_lost(channel: int) -> None:
    samples = sound(16, 6)
    samples[channel, span(4.0, 12.0)] = 0

    (incident,) = incidents(AudioChannelLoss(), clip(samples, RATE, SURROUND).blocks())

    assert incident.onset == pytest.approx(4.0, abs=0.0055)
    assert incident.recovery == pytest.approx(12.0, abs=0.0055)
    assert incident.evidence["channel"] == SURROUND[channel]


def test_both_surrounds_may_fall_silent() -> None:
    samples = sound(20, 6)
    samples[4:, span(4, 16)] = 0

    assert lost(samples, SURROUND) == []


def test_centre_may_pause_as_long_as_before() -> None:
    samples = sound(60, 6)
    samples[2, span(5, 9)] = 0
    samples[2, span(20, 27)] = 0
    pausing = lost(samples, SURROUND)
    samples[2, span(40, 57)] = 0

    assert pausing == [], "4 s, then 7 s: less than twice as long"
    assert lost(samples, SURROUND) == [(40.0, 57.0)]


def test_loss_of_one_pair_does_not_wait_for_another() -> None:
    samples = sound(20, 6)
    samples[4:] = 0
    samples[0, span(4, 12)] = 0

    assert lost(samples, SURROUND) == [(4.0, 12.0)]


@pytest.mark.parametrize(
    "samples",
    [
        np.tile(sound(12, 1), (2, 1)),
        sound(12) * np.array([[1.0], [0.03]]),
        np.stack((sound(12, level_dbfs=-45)[0], np.zeros(12 * RATE))),
        np.zeros((2, 12 * RATE)),
    ],
    ids=["mono on two", "30 dB apart", "partner too quiet", "both silent"],
)
def test_what_is_no_loss_opens_nothing(samples: F64) -> None:
    assert lost(samples) == []


@pytest.mark.parametrize("pause_s", [0.0, 0.2])
def test_sound_from_side_to_side_loses_nothing(pause_s: float) -> None:
    samples = sound(24)
    time = np.arange(samples.shape[1]) / RATE % 4
    samples[0, time < 2 + pause_s] = 0
    samples[1, time >= 2] = 0

    assert lost(samples) == []


def test_loss_that_changes_sides_is_one_incident() -> None:
    samples = sound(24)
    samples[0, span(4, 11)] = 0
    samples[1, span(11, 20)] = 0

    assert lost(samples) == [(4.0, 20.0)]


def test_short_loss_opens_nothing() -> None:
    samples = sound(14)
    samples[0, span(3, 7.9)] = 0

    assert lost(samples) == []


def test_mono_cannot_lose_a_channel() -> None:
    assert measures(AudioChannelLoss(), clip(np.zeros(4 * RATE), RATE).blocks()) == []


def test_two_channels_of_any_name_are_compared() -> None:
    samples = sound(12)
    samples[1, span(2, 10)] = 0

    assert lost(samples, ("DL", "DR")) == [(2.0, 10.0)]


def test_carrying_is_a_setting() -> None:
    samples = np.stack((sound(12, level_dbfs=-45)[0], np.zeros(12 * RATE)))
    eager = AudioChannelLoss(AudioChannelLossSettings(carrying=-50.0))

    assert len(incidents(eager, clip(samples, RATE).blocks())) == 1


def test_gap_in_the_sound_does_not_end_a_loss() -> None:
    samples = sound(20)
    samples[1, span(3, 15)] = 0
    detector, blocks = AudioChannelLoss(), list(clip(samples, RATE).blocks())

    (incident,) = incidents(detector, blocks[:80] + blocks[90:])

    assert incident.onset == pytest.approx(3.0)
    assert incident.recovery == pytest.approx(15.0)


def heard_from(
    samples: F64, begin_s: float, names: tuple[str, ...] | None = None, *, lost: str
) -> list[bool]:
    """What another worker's detector says that takes over in the middle of a loss."""
    detector = AudioChannelLoss()
    detector.adopt({"channel": lost})
    heard = samples[:, span(begin_s, samples.shape[1] / RATE)]
    return [measure.present for measure in measures(detector, clip(heard, RATE, names).blocks())]


def test_adopted_loss_goes_on_through_a_pause_of_speech() -> None:
    samples = sound(9)
    samples[1] *= 10 ** (-55 / 20)
    samples[0, span(0.0, 3.0)] *= 10 ** (-55 / 20)  # a pause: the same faint noise in both

    said = heard_from(samples, 0.0, lost="FR")

    assert said
    assert all(said)


def test_adopted_loss_of_a_surround_channel_that_was_never_heard_goes_on() -> None:
    samples = sound(6, len(SURROUND))
    samples[SURROUND.index("SL")] = 0

    said = heard_from(samples, 0.0, SURROUND, lost="SL")

    assert said
    assert all(said)


def test_adopted_loss_ends_when_the_channel_carries_sound() -> None:
    samples = sound(6)
    samples[0, span(0.0, 2.0)] = 0

    said = heard_from(samples, 0.0, lost="FL")

    assert said[0]
    assert not said[-1]


def test_adopted_loss_of_a_channel_that_is_gone_changes_nothing() -> None:
    assert not any(heard_from(sound(3), 0.0, lost="SL"))
