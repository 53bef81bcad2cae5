"""Sounds: at the loudness they claim, without the defects that they only resemble."""

from __future__ import annotations

from itertools import groupby

import numpy as np
import pytest

from streammonitor_api.errors import InputError
from streammonitor_worker.synth.loudness import F32, integrated_loudness
from streammonitor_worker.synth.recipe import LAYOUTS
from streammonitor_worker.synth.sounds import SOUNDS, make_sound

RATE = 24000
STEREO = LAYOUTS["stereo"]


def samples(name: str, channels: tuple[str, ...] = STEREO) -> F32:
    return make_sound(name, RATE, channels, seed=1, duration_s=20).samples


def longest(flags: np.ndarray) -> int:
    return max((len(list(run)) for flag, run in groupby(flags.tolist()) if flag), default=0)


def longest_quiet_s(sound: F32, level_dbfs: float = -60) -> float:
    """The longest stretch in which no chunk of 10 ms of any channel is above the level."""
    powers = np.square(sound.astype(float)).reshape(len(sound), -1, RATE // 100).mean(-1)
    return longest(10 * np.log10(powers.max(0) + 1e-20) < level_dbfs) / 100


def test_sine_has_the_loudness_that_the_standard_gives() -> None:
    # EBU Tech 3341, case 1: a stereo sine of 1 kHz at -23 dBFS is at -23 LUFS.
    sine = 10 ** (-23 / 20) * np.sin(2 * np.pi * 1000 / 48000 * np.arange(48000 * 5))

    loudness = integrated_loudness(np.stack([sine, sine]).astype(np.float32), 48000, STEREO)

    assert loudness == pytest.approx(-23, abs=0.1)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", ["programme", "speech", "music", "mono", "noise"])
def test_sound_is_at_broadcast_loudness(name: str, layout: str) -> None:
    channels = LAYOUTS[layout]

    assert integrated_loudness(samples(name, channels), RATE, channels) == pytest.approx(
        -23, abs=0.1
    )


@pytest.mark.parametrize("name", SOUNDS)
def test_sound_is_within_full_scale_and_repeats_without_a_seam(name: str) -> None:
    loop = make_sound(name, RATE, STEREO, seed=3, duration_s=60)
    size = loop.samples.shape[1]

    assert np.abs(loop.samples).max() <= 1
    assert np.array_equal(loop.read(size - 100, 200)[:, 100:], loop.read(0, 100))
    steps = np.abs(np.diff(loop.samples, axis=1))
    seam = np.abs(loop.samples[:, 0] - loop.samples[:, -1]).max()
    assert seam <= steps.max()


def test_speech_pauses_for_up_to_a_second_and_a_half() -> None:
    assert 1.0 < longest_quiet_s(samples("speech")) < 1.7


def test_music_rests_for_less_than_a_second() -> None:
    assert 0.7 < longest_quiet_s(samples("music")) < 1.0


def test_programme_is_never_quiet() -> None:
    assert longest_quiet_s(samples("programme")) < 0.2


def test_loud_music_touches_full_scale_without_staying_there() -> None:
    loud = samples("loud-music")

    assert np.abs(loud).max() == 1
    assert longest(np.abs(loud).max(0) > 0.999) < 12
    assert integrated_loudness(loud, RATE, STEREO) > -12


def test_mono_is_the_same_on_both_channels() -> None:
    left, right = samples("mono")

    assert np.array_equal(left, right)


def test_reading_a_copy_leaves_the_loop_as_it_is() -> None:
    loop = make_sound("tone", RATE, STEREO, seed=0, duration_s=1)

    loop.read(0, 100)[:] = 0

    assert loop.read(0, 100).any()


def test_unknown_sound_suggests_the_nearest() -> None:
    with pytest.raises(InputError, match='sound "speach": unknown; did you mean "speech"'):
        make_sound("speach", RATE, STEREO, 0, 1)
