"""video-freeze on made-up pictures, whose first and last frozen one are known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, pairwise, repeat
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from streammonitor_worker.detectors.video_freeze import VideoFreeze, VideoFreezeSettings
from streammonitor_worker.incidents import Defect
from streammonitor_worker.media import Picture
from tests.support.seeing import (
    FPS,
    Planes,
    coloured,
    deepened,
    field,
    film,
    incidents,
    measures,
    picture,
    texture,
)

U8 = NDArray[np.uint8]
SCENE = texture(180, 480)
RNG = np.random.default_rng


def moved(by: float, width: int = 320) -> Planes:
    """The scene, panned by so many pixels."""
    whole, part = int(by // 1), by % 1
    near, far = SCENE[:, whole : whole + width], SCENE[:, whole + 1 : whole + 1 + width]
    return coloured((near * (1 - part) + far * part).round().astype(np.uint8))


def panning(count: int, speed: float = 2.0, start: float = 0.0) -> Iterator[Planes]:
    """A pan at `speed` pixels a picture; at the end of the scene it begins anew."""
    return (moved((start + speed * index) % 150) for index in range(count))


def still(count: int, at: float = 60.0) -> Iterator[Planes]:
    return repeat(moved(at), count)


def noisy(frames: Iterable[Planes], deviation: float, each: int = 1) -> Iterator[Planes]:
    """Add noise, another one for each `each` pictures, stronger where there is structure: as a
    codec does."""
    noise: NDArray[np.float64] | None = None
    for index, (luma, blue, red) in enumerate(frames):
        if index % each == 0:
            noise = RNG(index).laplace(0, deviation, luma.shape)
        assert noise is not None
        yield np.clip(luma + noise, 0, 255).round().astype(np.uint8), blue, red


def ticking(count: int, size: tuple[int, int] = (6, 4), each: int = FPS, by: int = 90) -> U8:
    """A slide whose clock has another digit each second."""
    slide = np.repeat(texture(180, 320, seed=5, contrast=12)[None], count, 0)
    height, width = size
    for index in range(count):
        digit = RNG(index // each).random((height, width)) < 0.5
        slide[index, 140 : 140 + height, 270 : 270 + width][digit] += np.uint8(by)
    return slide


def found(frames: Iterable[Planes], **known: Any) -> list[Defect]:
    return incidents([VideoFreeze()], film(frames, **known)).get("video-freeze", [])


def places(defects: list[Defect], fps: float = FPS) -> list[tuple[int, int | None]]:
    """Numbers of the first frozen picture and of the first one that moves again."""
    return [
        (round(d.onset * fps), None if d.recovery is None else round(d.recovery * fps))
        for d in defects
    ]


@pytest.mark.parametrize("speed", [0.3, 2.0, 9.0])
def test_freeze_is_known_to_the_picture(speed: float) -> None:
    at = speed * 40 % 150
    frames = chain(panning(40, speed), still(70, at), panning(40, speed, at + speed))

    assert places(found(frames)) == [(40, 110)]


def test_present_from_the_fourth_same_picture_since_the_first() -> None:
    said = measures(VideoFreeze(), film(chain(panning(10), still(5))))

    assert [(round(m.start * FPS), m.present) for m in said[:11]] == [(n, False) for n in range(11)]
    assert [(round(m.start * FPS), round(m.end * FPS), m.present) for m in said[11:]] == [
        (11, 14, True),
        (14, 15, True),
    ]
    assert [m.since for m in said[11:]] == pytest.approx([0.4, 0.4])
    assert said[-1].value == -100.0


def test_stream_that_begins_frozen_froze_at_its_start() -> None:
    assert places(found(still(80))) == [(0, None)]


@pytest.mark.parametrize("count", [1, 2, 3, 48])
def test_short_rest_is_no_incident(count: int) -> None:
    assert found(chain(panning(40), still(count), panning(40))) == []


@pytest.mark.parametrize("fps", [5, 23.976, 30, 60, 120])
def test_any_rate_of_pictures(fps: float) -> None:
    rest = round(3 * fps)
    frames = chain(panning(40), still(rest), panning(round(2 * fps) + 4))

    assert places(found(frames, fps=fps), fps) == [(40, 40 + rest)]


def key_pictures(frames: Iterable[Planes]) -> Iterator[Picture]:
    """Pictures of 40 ms of which only one each 2 s is decoded."""
    before: Picture | None = None
    for index, planes in enumerate(frames):
        before = picture(planes, time=2.0 * index, key=True, previous=before)
        yield before


def test_clock_between_key_pictures_is_alive() -> None:
    slides = (coloured(luma) for luma in ticking(8, each=1))

    assert incidents([VideoFreeze()], key_pictures(slides)) == {}


def test_freeze_between_key_pictures_began_with_the_first_that_was_seen() -> None:
    frames = chain(panning(4, speed=20), still(4, 90), panning(4, speed=20))

    (freeze,) = incidents([VideoFreeze()], key_pictures(frames))["video-freeze"]

    assert (freeze.onset, freeze.recovery) == (8.0, 16.0)


def test_ten_bits_and_full_range() -> None:
    frames = [deepened(one, 10) for one in chain(panning(40), still(70), panning(40))]

    assert places(found(frames, depth=10, full_range=True)) == [(40, 110)]


@pytest.mark.parametrize("deviation", [2.0, 5.0])
def test_key_pictures_that_redraw_it_do_not_end_it(deviation: float) -> None:
    frames = chain(panning(40), noisy(still(90), deviation, each=25), panning(40))

    assert places(found(frames, keys_each=25)) == [(40, 130)]


def test_pictures_that_refine_the_first_do_not_begin_it_anew() -> None:
    rough, fine = RNG(1).laplace(0, 4, (180, 320)), moved(60)
    refined = [
        coloured(np.clip(fine[0] + rough * 0.6**n, 0, 255).round().astype(np.uint8))
        for n in range(8)
    ]

    assert places(found(chain(panning(40), refined, still(80), panning(40)))) == [(40, 128)]


def test_breathing_is_no_life() -> None:
    def breathing() -> Iterator[Planes]:
        for index, planes in enumerate(still(100)):
            yield from noisy([planes], 0.4 + 2.5 * (index % 7 == 3))

    assert places(found(chain(panning(40), breathing(), panning(40)))) == [(40, 140)]


@pytest.mark.parametrize("speed", [0.03, 0.1, 0.5])
def test_slow_pan_is_alive(speed: float) -> None:
    assert found(moved(speed * index) for index in range(150)) == []


def test_slow_pan_in_the_dark_is_alive() -> None:
    def dark(index: int) -> Planes:
        luma = moved(0.3 * index)[0]
        return coloured((16 + luma * 0.06).round().astype(np.uint8))

    assert found(dark(index) for index in range(150)) == []


def test_slow_fade_is_alive() -> None:
    scene = moved(0)[0].astype(float)
    fade = (coloured((scene - 0.06 * index).round().astype(np.uint8)) for index in range(150))

    assert found(fade) == []


def test_colours_alone_are_life() -> None:
    luma, blue, red = moved(0)
    frames = ((luma, blue + np.uint8(index // 8), red) for index in range(150))

    assert found(frames) == []


def test_grain_is_alive() -> None:
    assert found(noisy(still(150), 3.0)) == []


@pytest.mark.parametrize("size", [(6, 4), (7, 5), (12, 8), (20, 40)], ids=str)
def test_small_clock_is_alive(size: tuple[int, int]) -> None:
    assert found(coloured(luma) for luma in ticking(150, size)) == []


def test_small_clock_is_alive_in_a_noisy_picture() -> None:
    slides = (coloured(luma) for luma in ticking(150, (12, 8), by=120))

    assert found(noisy(slides, 2.0, each=25), keys_each=25) == []


def test_small_clock_is_alive_in_a_large_picture() -> None:
    frames = []
    for index in range(130):
        planes = field(1080, 1920)
        digit = RNG(index // FPS).random((12, 8)) < 0.5
        planes[0][1000:1012, 1801:1809][digit] = 200
        frames.append(planes)
    page = texture(1080, 1920)
    lively = ((np.where(luma == 126, page, luma), *rest) for luma, *rest in frames)

    assert found((luma, blue, red) for luma, blue, red in lively) == []


def test_clock_that_stops_froze_with_its_last_second() -> None:
    slides = ticking(150)
    slides[110:] = slides[110]

    assert places(found(coloured(luma) for luma in slides)) == [(100, None)]


def test_clock_after_a_freeze_ends_it() -> None:
    slides = ticking(225)
    slides[10:125] = slides[10]
    frames = [*panning(10), *(coloured(luma) for luma in slides[10:])]

    assert places(found(frames)) == [(10, 125)]


def test_small_movement_that_stops_froze_with_its_last_picture() -> None:
    def talking(index: int) -> Planes:
        planes = moved(0)
        mouth = moved(1.5 * np.sin(0.7 * index) + 4)[0]
        planes[0][80:120, 150:190] = mouth[80:120, 146:186]
        return planes

    frames = [talking(min(index, 100)) for index in range(180)]

    assert places(found(frames)) == [(100, None)]


def test_repeats_of_a_cadence_do_not_prolong_a_freeze() -> None:
    film_rate = chain.from_iterable((one, one) if n % 4 == 0 else (one,)
                                    for n, one in enumerate(panning(60)))  # fmt: skip
    on_threes = chain.from_iterable(repeat(one, 3) for one in panning(40, speed=6))
    for cadence in (film_rate, on_threes):
        frames = chain(panning(30), still(75), cadence)
        assert places(found(frames)) == [(30, 105)]


def test_picture_in_between_does_not_make_it_two() -> None:
    frames = chain(panning(30), still(70), [moved(10)], still(70), panning(40))

    assert places(found(frames)) == [(30, 171)]


@pytest.mark.parametrize(
    "colour", [(16, 128, 128), (126, 128, 128), (0, 0, 0)], ids=["black", "grey", "lost planes"]
)
def test_field_of_one_colour_is_no_freeze(colour: tuple[int, int, int]) -> None:
    frames = chain(panning(40), repeat(field(colour=colour), 100), panning(40))

    said = measures(VideoFreeze(), film(frames))

    assert not any(m.present for m in said)
    assert {round(m.start * FPS) for m in said} >= {*range(40), 139, *range(141, 180)}


def test_freeze_ends_where_black_begins() -> None:
    frames = chain(panning(40), still(70), repeat(field(colour=(16, 128, 128)), 80))

    assert places(found(frames)) == [(40, 110)]


def test_picture_of_another_size_is_another_picture() -> None:
    small, large = list(still(70)), [coloured(texture(240, 320))] * 70

    said = measures(VideoFreeze(), film([*small, *large]))

    assert [round(m.start * FPS) for m in said if not m.present] == [0, 70]
    assert {round(m.since * FPS) for m in said[-30:] if m.since} == {70}


def test_pictures_are_told_once_and_in_order() -> None:
    frames = chain(panning(30), noisy(still(80), 4, each=20), panning(30), still(10))

    said = measures(VideoFreeze(), film(frames, keys_each=20))

    for one, following in pairwise(said):
        assert following.start == pytest.approx(one.end)
    assert said[0].start == 0.0
    assert all(-100 <= m.value <= 0 for m in said)


def test_settings_say_what_noise_is() -> None:
    breathing = [*panning(30), *noisy(still(75), 2.0, each=12)]
    weak_clock = [coloured(luma) for luma in ticking(80, (3, 3), by=40)]

    def present(frames: list[Planes], **settings: float) -> int:
        detector = VideoFreeze(VideoFreezeSettings(**settings))
        return sum(m.present for m in measures(detector, film(frames)))

    assert present(breathing, drift=-60.0) < present(breathing)
    assert found(weak_clock) != []
    assert present(weak_clock, detail=1.0) < present(weak_clock)


def test_threshold_is_the_drift_allowed() -> None:
    assert VideoFreeze().threshold == -41.0


def test_picture_smaller_than_a_tile_is_watched() -> None:
    luma = RNG(0).integers(20, 230, (6, 60, 6), np.uint8)[..., :6]
    frames = [coloured(luma[:, n]) for n in range(20)] + [coloured(luma[:, 20])] * 60

    assert places(found(frames)) == [(20, None)]


def test_single_picture_is_nothing_yet() -> None:
    (said,) = VideoFreeze().observe(picture(moved(0)))

    assert not said.present
