"""Edges of silence: where they were before a codec smeared them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from streammonitor_worker.media.quiet import SMEAR_CHUNKS, QuietTrail
from tests.support.hearing import clip

RATE = 48000
CHUNK = 240
FLOOR = 1e-3


def levelled(*runs: tuple[int, float]) -> NDArray[np.float32]:
    """Runs of chunks of a tone at an amplitude each."""
    amplitudes = np.repeat([a for _, a in runs], [n * CHUNK for n, _ in runs])
    tone = np.sin(2 * np.pi * 1000 / RATE * np.arange(len(amplitudes)))
    samples: NDArray[np.float32] = (amplitudes * tone).astype(np.float32)
    return samples


def quiet_chunks(samples: NDArray[np.float32], start: float = 0.0) -> list[int]:
    """Numbers of the chunks that were told to be quiet, in the end."""
    trail, told = QuietTrail(FLOOR), {}
    for block in clip(samples).blocks(start=start):
        stretch = trail.follow(block)
        if stretch is not None:
            for number, edge in enumerate(stretch.edges[:-1]):
                told[round((edge - start) / 0.005)] = bool(stretch.quiet[0, number])
    return sorted(number for number, quiet in told.items() if quiet)


def test_plain_cut_keeps_its_place() -> None:
    samples = levelled((50, 0.3), (100, 0.0), (50, 0.3))

    assert quiet_chunks(samples) == list(range(50, 150))


@pytest.mark.parametrize("shift", range(0, 20, 3))
def test_echoes_at_both_edges_are_quiet(shift: int) -> None:
    before, echo, after = 50 + shift, 5, 100
    samples = levelled((before, 0.3), (echo, 0.01), (after, 0.0), (echo, 0.005), (60, 0.3))

    quiet = quiet_chunks(samples)

    assert quiet == list(range(before, before + echo + after + echo)), "wherever blocks are cut"


def test_sound_that_begins_quietly_and_stays_so_is_no_echo() -> None:
    samples = levelled((50, 0.3), (100, 0.0), (60, 0.01))

    assert quiet_chunks(samples) == list(range(50, 150))


def test_fade_keeps_its_place() -> None:
    seconds = 1.0
    fade = np.linspace(0.3, 0, round(seconds * RATE))
    samples = np.concatenate((levelled((100, 0.3)), fade * levelled((200, 1.0)), levelled((60, 0))))

    first = quiet_chunks(samples.astype(np.float32))[0]

    assert 300 - SMEAR_CHUNKS <= first <= 300, "the level passes the floor just before its end"


def test_click_between_silences_is_sound() -> None:
    samples = levelled((100, 0.0), (1, 0.3), (99, 0.0))

    assert quiet_chunks(samples) == [number for number in range(200) if number != 100]


def test_gap_begins_anew() -> None:
    trail = QuietTrail(FLOOR)
    silent, loud = levelled((20, 0.0)), levelled((20, 0.3))
    (before,) = clip(silent).blocks()
    (after,) = clip(loud).blocks(start=5.0)

    trail.follow(before)
    stretch = trail.follow(after)

    assert stretch is not None
    assert stretch.edges[0] == 5.0
    assert not stretch.any_quiet


def test_channels_have_edges_of_their_own() -> None:
    both = np.stack([levelled((30, 0.3), (30, 0.0)), levelled((45, 0.3), (15, 0.0))])
    trail = QuietTrail(FLOOR)
    stretches = [trail.follow(block) for block in clip(both).blocks()]

    quiet = np.concatenate([one.quiet for one in stretches if one is not None], axis=1)
    assert quiet.sum(axis=1).tolist() == [30, 15]
