"""The detectors of what a picture shows, on pictures of any size and kind: an answer, always."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest

from streammonitor_worker.detectors.base import Detector
from streammonitor_worker.detectors.video_black import VideoBlack
from streammonitor_worker.detectors.video_colour_bars import VideoColourBars
from streammonitor_worker.detectors.video_flat import VideoFlat
from streammonitor_worker.detectors.video_freeze import VideoFreeze
from streammonitor_worker.media import Picture

SIDES = (1, 2, 5, 8, 9, 16, 31, 33, 130)


def planes(height: int, width: int, depth: int, seed: int) -> Iterator[np.ndarray]:
    """Luma and chroma at random, on a stride that is no multiple of a word."""
    rng = np.random.default_rng(seed)
    kind = np.uint8 if depth == 8 else np.uint16
    for rows, columns in ((height, width), *[((height + 1) // 2, (width + 1) // 2)] * 2):
        low, high = sorted(rng.integers(0, 1 << depth, 2))
        yield rng.integers(low, high + 1, (rows, columns + 3), kind)[:, :columns]


def pictures(height: int, width: int, depth: int, grey: bool) -> Iterator[Picture]:
    """Some that move, some that rest, one of another size, at times with gaps."""
    before: Picture | None = None
    for index in range(60):
        tall = height + (index == 45)
        luma, *chroma = planes(tall, width, depth, seed=min(index, 10) if index < 50 else index)
        before = Picture(
            luma,
            None if grey else (chroma[0], chroma[1]),
            track="video:0",
            time=index * 0.04 + 3.0 * (index > 40),
            duration=0.04,
            depth=depth,
            full_range=grey,
            key=index % 12 == 0,
            previous=before,
        )
        yield before


@pytest.mark.parametrize("size", list(product(SIDES, SIDES)), ids=str)
def test_every_size_has_an_answer(size: tuple[int, int]) -> None:
    detectors: list[Detector[Picture]] = [
        VideoBlack(), VideoFlat(), VideoColourBars(), VideoFreeze(),
    ]  # fmt: skip
    depth, grey = (8, 10)[size[0] % 2], size[1] % 3 == 0
    told = 0
    for one in pictures(*size, depth, grey):
        for detector in detectors:
            for said in detector.observe(one):
                told += 1
                assert type(said.present) is bool
                assert math.isfinite(said.value)
                assert said.start < said.end
    assert told > 3 * 60
