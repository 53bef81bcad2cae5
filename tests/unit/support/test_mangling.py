"""Hostile files: spoilt in each way, the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.mangling import WAYS, mangle

DATA = np.random.default_rng(0).bytes(5000)


@pytest.mark.parametrize("seed", range(3 * len(WAYS)))
def test_seed_gives_one_spoilt_file(seed: int) -> None:
    spoilt = mangle(DATA, seed)

    assert spoilt != DATA
    assert spoilt == mangle(DATA, seed)


def test_seeds_differ_from_one_another() -> None:
    assert len({mangle(DATA, seed) for seed in range(200)}) == 200


def test_too_few_bytes_are_refused() -> None:
    with pytest.raises(ValueError, match="3 bytes are too few"):
        mangle(b"abc", 0)
