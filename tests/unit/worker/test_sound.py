"""`Sound`: levels of chunks, names of channels, and floats that are no sound."""

from __future__ import annotations

import numpy as np
import pytest

from streammonitor_worker.media import Sound
from streammonitor_worker.media.sound import FLOOR_DBFS, chunk_samples, dbfs, distinct_channels
from tests.support.hearing import STEREO, Clip, clip

RATE = 48000


def sine(dbfs_level: float, frequency: float = 1000.0, seconds: float = 0.1) -> Clip:
    time = np.arange(round(seconds * RATE)) / RATE
    return clip(10 ** (dbfs_level / 20) * np.sin(2 * np.pi * frequency * time))


def only_block(of: Clip) -> Sound:
    (block,) = of.blocks()
    return block


@pytest.mark.parametrize("level", [0.0, -20.0, -60.0])
def test_sine_has_the_level_of_its_peak(level: float) -> None:
    levels = only_block(sine(level)).levels

    assert [dbfs(float(one)) for one in levels[0]] == pytest.approx([level] * 20, abs=0.1)


def test_noise_is_quieter_than_its_peaks() -> None:
    noise = np.random.default_rng(0).standard_normal(4800) * 10 ** (-70 / 20)
    block = only_block(clip(noise))

    assert dbfs(float(block.peaks.max())) > -60
    assert dbfs(float(block.levels.max())) < -64


def test_constant_offset_has_no_level() -> None:
    block = only_block(clip(np.full(4800, 0.25)))

    assert block.levels.max() < 1e-4
    assert block.powers == pytest.approx(np.full((1, 20), 0.0625))


def test_last_chunk_counts_its_own_samples() -> None:
    block = only_block(clip(np.full(250, 0.5)))

    assert block.chunk_edges == pytest.approx([0, 240 / RATE, 250 / RATE])
    assert block.powers[0] == pytest.approx([0.25, 0.25])


@pytest.mark.parametrize(
    ("rate", "size"), [(8000, 40), (22050, 110), (44100, 220), (48000, 240), (192000, 960), (1, 1)]
)
def test_chunk_is_5_ms_at_every_rate(rate: int, size: int) -> None:
    assert chunk_samples(rate) == size


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
def test_floats_of_a_damaged_file_become_finite(value: float) -> None:
    samples = np.full((2, 4800), 0.1, np.float32)
    samples[1, 1234] = value
    block = Sound(samples, track="audio:0", time=0.0, rate=RATE, channels=STEREO)

    for measure in (block.samples, block.peaks, block.powers, block.levels, block.magnitudes):
        assert np.isfinite(measure).all()
    assert block.peaks[0].max() == np.float32(0.1)
    assert np.isnan(samples[1, 1234]) == np.isnan(value), "the decoder's memory is not ours"


def test_silence_has_a_number() -> None:
    assert dbfs(0.0) == FLOOR_DBFS
    assert dbfs(1.0) == 0.0


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("FL", "FR"), ("FL", "FR")),
        (("NONE", "NONE"), ("FL", "FR")),
        (("NONE",) * 6, ("FL", "FR", "FC", "LFE", "BL", "BR")),
        (("NONE",) * 10, tuple(str(number) for number in range(1, 11))),
    ],
    ids=["named", "two", "six", "ten"],
)
def test_channels_without_names_get_the_usual_ones(
    names: tuple[str, ...], told: tuple[str, ...]
) -> None:
    assert distinct_channels(names) == told


@pytest.mark.parametrize(
    "samples",
    [np.zeros((2, 0), np.float32), np.zeros((1, 48), np.float32), np.zeros((2, 48), np.float64)],
    ids=["empty", "one channel of two", "double"],
)
def test_wrong_samples_are_refused(
    samples: np.ndarray[tuple[int, int], np.dtype[np.float32]],
) -> None:
    with pytest.raises(ValueError, match="Sound must be float32 shaped"):
        Sound(samples, track="audio:0", time=0.0, rate=RATE, channels=STEREO)
