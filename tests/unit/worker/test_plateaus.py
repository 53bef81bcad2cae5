"""Clipped runs in waveforms of which it is known whether they were clipped."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from streammonitor_worker.media.plateaus import PlateauFinder, densities
from tests.support.hearing import clip

F64 = NDArray[np.float64]


def tone(frequency: float, *, gain_db: float = 0.0, rate: int = 48000, seconds: float = 1.0) -> F64:
    time = np.arange(round(seconds * rate)) / rate
    return 10 ** (gain_db / 20) * np.sin(2 * np.pi * frequency * time)


def pcm(samples: F64, bits: int = 16) -> F64:
    """Cut at full scale and round to integers, as a converter does."""
    scale = 2.0 ** (bits - 1)
    return np.clip(np.round(samples * scale), -scale, scale - 1) / scale


def found(samples: F64, shortest: int = 12, rate: int = 48000) -> tuple[int, int]:
    """How many runs: exact, likely."""
    finder = PlateauFinder(shortest)
    plateaus = [finder.find(block, 0) for block in clip(samples, rate).blocks()]
    likely = [one.shaped.shape[1] + one.beyond.shape[1] for one in plateaus]
    return sum(one.exact.shape[1] for one in plateaus), sum(likely)


@pytest.mark.parametrize("bits", [16, 24])
@pytest.mark.parametrize(
    ("frequency", "gain_db"), [(50, 1), (100, 3), (440, 1), (440, 12), (997, 6)]
)
def test_every_clipped_half_wave_is_a_run(frequency: int, gain_db: int, bits: int) -> None:
    exact, _ = found(pcm(tone(frequency, gain_db=gain_db), bits))

    assert exact == pytest.approx(2 * frequency, abs=1)


@pytest.mark.parametrize("frequency", [20, 31.5, 50, 100, 440, 997, 3000, 4000, 6000, 12000])
@pytest.mark.parametrize("bits", [16, 24])
def test_full_scale_tone_is_not_clipped(frequency: float, bits: int) -> None:
    assert found(pcm(tone(frequency), bits)) == (0, 0)


def test_square_below_full_scale_is_not_clipped() -> None:
    square = np.sign(tone(220.3))

    assert found(pcm(0.89 * square)) == (0, 0)
    assert found(pcm(square))[0] == pytest.approx(440, abs=1)


def test_run_shorter_than_asked_is_no_run() -> None:
    samples = 0.3 * tone(997)
    samples[24000:24011] = 1.0
    samples[36000:36012] = 1.0

    assert found(pcm(samples))[0] == 1


def test_runs_across_blocks_are_found_once_and_in_their_place() -> None:
    samples = 0.3 * tone(441)
    starts = [9590, 19194, 28799, 28820]
    for start in starts:
        samples[start : start + 12] = 1.0
    finder, places = PlateauFinder(12), []
    for number, block in enumerate(clip(pcm(samples)).blocks()):
        places += (finder.find(block, 0).exact + number * 9600).T.tolist()

    assert places == [[start, start + 11] for start in starts]


def test_dense_noise_at_full_scale_is_likely() -> None:
    noise = np.random.default_rng(0).standard_normal(48000)
    smooth = np.convolve(noise, np.ones(8) / 8, "same")  # bandlimited: neighbours are alike

    exact, likely = found(pcm(smooth / smooth.std() * 2))

    assert likely > 100
    assert found(pcm(smooth / np.abs(smooth).max())) == (0, 0)
    assert exact > 0


def test_plateaus_that_ripple_are_likely() -> None:
    clipped = np.clip(tone(200, gain_db=12), -1, 1)
    ripple = 0.03 * np.sin(2 * np.pi * 7000 / 48000 * np.arange(48000))

    exact, likely = found(0.95 * clipped + ripple)

    assert exact == 0
    assert likely == pytest.approx(400, abs=2)


def test_overshoot_of_a_decoder_is_likely() -> None:
    overshoot = 1.3 * np.random.default_rng(1).standard_normal(48000)

    assert found(0.5 * overshoot)[1] > 190, "nearly all of the 200 chunks"
    assert found(0.25 * overshoot)[1] == 0


def test_reset_forgets_the_unfinished_lobe() -> None:
    finder = PlateauFinder(12)
    first, second = clip(
        pcm(np.concatenate((np.zeros(9590), np.ones(20), np.zeros(9590))))
    ).blocks()

    assert not finder.find(first, 0).all.size
    finder.reset()
    assert finder.find(second, 0).exact.size == 0


def test_density_is_the_share_near_full_scale() -> None:
    samples = np.zeros((2, 480))
    samples[1, 240:300] = -0.9
    (block,) = clip(samples).blocks()

    assert densities(block).tolist() == [0.0, 0.25]
