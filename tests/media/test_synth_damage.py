"""Damaged bitstreams: seen within the truth, nowhere else, and after a re-encode too."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from streammonitor_api.errors import InputError
from streammonitor_worker.synth import Recipe, write_clip
from tests.support.damage import (
    Damage,
    flip_stream_bits,
    lose_packets,
    lose_slices,
    recode,
)
from tests.support.visible import visible_damage

Damager = Callable[[Path, Path, int], Damage]

WITHIN = (1.5, 2.5)

DAMAGERS: dict[str, Damager] = {
    "packets": lambda a, b, seed: lose_packets(a, b, seed=seed, share=0.03, between=WITHIN),
    "burst": lambda a, b, seed: lose_packets(a, b, seed=seed, share=0.1, burst=8, between=WITHIN),
    "bits": lambda a, b, seed: flip_stream_bits(a, b, seed=seed, count=40, between=WITHIN),
    "slices": lambda a, b, seed: lose_slices(a, b, seed=seed, share=0.2, between=WITHIN),
}


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("damage") / "clean.ts"
    recipe = Recipe(
        duration_s=4, width=320, height=192, fps=Fraction(25), sound="tone", slices=4, gop_s=1.2
    )
    write_clip(recipe, path)
    return path


@pytest.mark.parametrize("kind", DAMAGERS)
def test_damage_is_seen_where_it_is_said_to_be(kind: str, clean: Path, tmp_path: Path) -> None:
    spoilt = tmp_path / "spoilt.ts"

    damage = DAMAGERS[kind](clean, spoilt, 1)

    assert WITHIN[0] <= min(damage.pictures) <= max(damage.pictures) < WITHIN[1]
    wrong = [time for time, share in visible_damage(clean, spoilt) if share > 0]
    assert wrong
    for time in wrong:
        assert any(
            start - 0.001 <= time and (end is None or time < end - 0.001)
            for start, end in damage.spoilt
        )


@pytest.mark.parametrize("kind", DAMAGERS)
def test_same_seed_makes_the_same_damage(kind: str, clean: Path, tmp_path: Path) -> None:
    results = []
    for name, seed in (("a.ts", 3), ("b.ts", 3), ("c.ts", 4)):
        damage = DAMAGERS[kind](clean, tmp_path / name, seed)
        results.append((damage, (tmp_path / name).read_bytes()))

    assert results[0] == results[1]
    assert results[0][1] != results[2][1]


def test_damage_survives_a_re_encode(clean: Path, tmp_path: Path) -> None:
    spoilt, repeated = tmp_path / "spoilt.ts", tmp_path / "repeated.mp4"
    lose_slices(clean, spoilt, seed=1, share=0.3, between=WITHIN)

    recode(spoilt, repeated)

    before = {round(time, 2) for time, share in visible_damage(clean, spoilt) if share > 0.02}
    after = {round(time, 2) for time, share in visible_damage(clean, repeated) if share > 0.02}
    assert before == after


def test_clean_re_encode_looks_undamaged(clean: Path, tmp_path: Path) -> None:
    recode(clean, tmp_path / "repeated.mp4")

    assert {share for _, share in visible_damage(clean, tmp_path / "repeated.mp4")} == {0.0}


def test_nothing_to_damage_is_an_error(clean: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing of video:0 there"):
        lose_packets(clean, tmp_path / "x.ts", seed=1, share=0.1, between=(50, 60))
    with pytest.raises(InputError, match='no track video:1; did you mean "video:0"'):
        lose_packets(clean, tmp_path / "x.ts", seed=1, share=0.1, track="video:1")
    with pytest.raises(InputError, match="no slice was lost"):
        lose_slices(clean, tmp_path / "x.ts", seed=1, share=0.1, between=(50, 60))
