"""Defects of pictures and sounds: there from the first to the last sample, and nowhere else."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from streammonitor_worker.synth import Injection, Recipe
from streammonitor_worker.synth.material import Pictures, Samples, material_defects
from streammonitor_worker.synth.recipe import Option

FPS = Fraction(25)
RATE = 24000


def recipe(*injections: Injection, **changed: object) -> Recipe:
    plain: dict[str, object] = {
        "duration_s": 8,
        "width": 160,
        "height": 96,
        "fps": FPS,
        "audio_rate": RATE,
        "injections": injections,
    }
    return Recipe(**(plain | changed))  # type: ignore[arg-type]


def lumas(cooked: Recipe) -> list[np.ndarray]:
    pictures = Pictures(cooked)
    return [pictures.render(index).luma for index in range(cooked.pictures)]


@pytest.mark.parametrize(
    "detector", ["video-black", "video-flat", "video-colour-bars", "video-block-corruption"]
)
def test_defect_covers_its_pictures_and_no_others(detector: str) -> None:
    spoilt, clean = lumas(recipe(Injection(detector, 2, 3))), lumas(recipe())

    differing = [n for n, (a, b) in enumerate(zip(spoilt, clean, strict=True)) if (a != b).any()]

    assert differing == list(range(50, 125))


def test_frozen_pictures_are_the_first_of_them() -> None:
    spoilt, clean = lumas(recipe(Injection("video-freeze", 2, 3))), lumas(recipe())

    assert all(np.array_equal(luma, clean[50]) for luma in spoilt[50:125])
    assert not np.array_equal(spoilt[49], clean[50])
    assert np.array_equal(spoilt[125], clean[125])


def test_frozen_pictures_breathe_if_asked() -> None:
    spoilt = lumas(recipe(Injection("video-freeze", 2, 3, {"noise": 1.0})))

    change = np.abs(spoilt[60].astype(int) - spoilt[61])

    assert 0.5 < change.mean() < 2


@pytest.mark.parametrize(("colour", "luma"), [("green", 145), ("grey", 126), ("blue", 41)])
def test_flat_picture_has_one_level(colour: str, luma: int) -> None:
    (picture,) = set(
        np.unique(lumas(recipe(Injection("video-flat", 2, 3, {"colour": colour})))[60]).tolist()
    )

    assert picture == luma


def test_bars_fall_from_left_to_right() -> None:
    for kind in ("ebu", "smpte"):
        bars = lumas(recipe(Injection("video-colour-bars", 2, 3, {"kind": kind})))[60]
        row = bars[10].astype(int)
        levels = [level for n, level in enumerate(row) if n == 0 or level != row[n - 1]]

        assert levels == sorted(levels, reverse=True)
        assert len(levels) == {"ebu": 8, "smpte": 7}[kind]


@pytest.mark.parametrize("share", [0.05, 0.4])
def test_corruption_covers_its_share_in_whole_macroblocks(share: float) -> None:
    spoilt = lumas(recipe(Injection("video-block-corruption", 2, 3, {"share": share})))[60]
    clean = lumas(recipe())[60]

    hit = (spoilt != clean).reshape(6, 16, 10, 16).mean((1, 3))

    assert np.mean(hit > 0) == pytest.approx(share, abs=10 / 60)
    assert np.median(hit[hit > 0]) > 0.8


@pytest.mark.parametrize(
    ("detector", "options"),
    [
        ("audio-silence", {}),
        ("audio-channel-loss", {"channel": 0}),
        ("audio-phase", {}),
        ("audio-clipping", {}),
        ("audio-loudness", {}),
    ],
)
def test_sound_defect_covers_its_samples_and_no_others(
    detector: str, options: dict[str, Option]
) -> None:
    at, lasts = 1.0003, 2.5
    spoilt, clean = (
        Samples(cooked, 0).read(0, cooked.samples)
        for cooked in (recipe(Injection(detector, at, lasts, options)), recipe())
    )

    differing = np.flatnonzero((spoilt != clean).any(0))

    # Speech pauses and crossings of zero differ little; the edges are met within a millisecond.
    assert differing[0] / RATE == pytest.approx(at, abs=1e-3)
    assert differing[-1] / RATE == pytest.approx(at + lasts, abs=1e-3)
    assert differing[0] >= 24008 > at * RATE
    assert differing[-1] < (at + lasts) * RATE


def test_sound_defect_does_not_depend_on_the_cut() -> None:
    cooked = recipe(Injection("audio-clipping", 1, 2), Injection("audio-silence", 4, 1))
    samples = Samples(cooked, 0)

    pieces = [samples.read(first, 1000) for first in range(0, cooked.samples, 1000)]

    assert np.array_equal(np.concatenate(pieces, axis=1), samples.read(0, cooked.samples))


def test_each_sound_defect_is_what_its_name_says() -> None:
    stretch = slice(2 * RATE, 3 * RATE)

    def spoilt(detector: str, **options: Option) -> np.ndarray:
        cooked = recipe(Injection(detector, 1, 3, options))
        return Samples(cooked, 0).read(0, cooked.samples)[:, stretch]

    clean = Samples(recipe(), 0).read(0, 8 * RATE)[:, stretch]
    assert not spoilt("audio-silence").any()
    quiet = spoilt("audio-silence", noise_dbfs=-70)
    assert 10 * np.log10(np.square(quiet).mean()) == pytest.approx(-70, abs=0.1)
    left, right = spoilt("audio-channel-loss")
    assert left.any()
    assert not right.any()
    left, right = spoilt("audio-phase")
    assert np.array_equal(left, -right)
    assert np.mean(np.abs(spoilt("audio-clipping")) == 1) > 0.1
    assert np.allclose(spoilt("audio-loudness", gain_lu=-20), clean / 10)


def test_defect_that_reaches_the_end_has_no_recovery() -> None:
    cooked = recipe(Injection("video-black", 6, 2), Injection("audio-silence", 2, 3))

    video, audio = material_defects(cooked)

    assert (video.onset_s, video.recovery_s) == (6.0, None)
    assert (audio.track, audio.onset_s, audio.recovery_s) == ("audio:0", 2.0, 5.0)


def test_second_audio_track_has_its_own_defects() -> None:
    cooked = recipe(
        Injection("audio-silence", 2, 3, {"track": 1}), extra_sounds=["tone"], picture=None
    )

    (defect,) = material_defects(cooked)

    assert defect.track == "audio:1"
    assert Samples(cooked, 0).read(3 * RATE, RATE).any()
    assert not Samples(cooked, 1).read(3 * RATE, RATE).any()


def test_interlaced_picture_is_woven_of_two_moments() -> None:
    woven = lumas(recipe(interlaced=True))[10]
    fields = lumas(recipe(fps=2 * FPS))

    assert np.array_equal(woven[::2], fields[20][::2])
    assert np.array_equal(woven[1::2], fields[21][1::2])
