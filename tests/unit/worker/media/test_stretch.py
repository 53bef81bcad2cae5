"""The bookkeeping of pictures that show the same, on made-up numbers."""

from __future__ import annotations

import numpy as np
import pytest

from streammonitor_worker.media.stretch import QUIET_STEP, Doubt, Pace, Seen, Stretch

FPS = 25


def stretch_of(steps: list[float], *, told: bool = True, quiet: bool = False) -> Stretch:
    """Pictures that change by these steps; all of them are held."""
    stretch = Stretch(0.0, told=told)
    for index, step in enumerate(steps, start=1):
        stretch.steps.append(step)
        stretch.held.append(Seen(index / FPS, (index + 1) / FPS, step, quiet=quiet))
    return stretch


def starts(seen: list[Seen]) -> list[int]:
    return [round(one.start * FPS) for one in seen]


def test_movement_goes_on_at_half_its_pace() -> None:
    pace = Pace(0.15)
    assert not pace.goes_on(5.0)  # nothing has moved yet

    for step in (2.0, 3.0, 40.0, 2.0, 2.5):
        pace.note(step)

    assert pace.goes_on(1.3)
    assert not pace.goes_on(1.1)


def test_slowest_movement_is_above_noise() -> None:
    pace = Pace(0.15)
    pace.note(0.01)

    assert pace.goes_on(0.15)
    assert not pace.goes_on(0.14)


def test_pace_that_restarts_forgets() -> None:
    pace = Pace(0.15)
    pace.note(10.0)
    pace.restart(0.5)

    assert pace.goes_on(0.3)


def test_quiet_is_what_this_freeze_does() -> None:
    calm, restless = stretch_of([0.0] * 9), stretch_of([0.4] * 9)

    assert calm.is_quiet(QUIET_STEP, 1.0)
    assert not calm.is_quiet(0.5, 1.0)
    assert restless.is_quiet(0.5, 1.0)
    assert not restless.is_quiet(0.5, 9.0)
    assert Stretch(0.0).is_quiet(0.1, 0.0)


def test_grain_never_rests() -> None:
    steps = list(np.random.default_rng(0).normal(1.0, 0.1, 60))

    assert stretch_of(steps).restless_step() == pytest.approx(0.9, abs=0.1)


@pytest.mark.parametrize(
    "steps",
    [
        [0.0, 0.0, 0.0, 3.0] * 15,
        [0.3, 0.9, 0.2, 0.1, 1.4, 0.5] * 10,
        [0.01] * 60,
        [0.4 * 0.95**n for n in range(60)],
    ],
    ids=["key pictures", "breathing", "almost nothing", "refinement"],
)
def test_codec_that_redraws_a_picture_rests(steps: list[float]) -> None:
    assert stretch_of(steps).restless_step() is None


def test_grain_is_not_judged_early() -> None:
    assert stretch_of([1.0] * 30).restless_step() is None


def test_grain_that_comes_back_ends_the_rest() -> None:
    stretch = stretch_of([0.0] * 40, quiet=True)
    stretch.take_frozen()
    for index, step in enumerate([0.8, 0.9, 0.7, 2.5, 0.8, 0.9], start=41):
        stretch.steps.append(step)
        stretch.held.append(Seen(index / FPS, (index + 1) / FPS, step, quiet=False))

    assert stretch.restless_step() == pytest.approx(0.7)
    stretch.steps.pop()
    stretch.held.pop()
    assert stretch.restless_step() is None


def test_nothing_held_is_nothing_restless() -> None:
    assert Stretch(0.0).restless_step() is None


def test_quiet_picture_settles_all_before_it() -> None:
    stretch = stretch_of([1.0, 1.0, 0.0])
    stretch.held[-1].quiet = True

    assert starts(stretch.take_frozen()) == [1, 2, 3]
    assert stretch.held == []


def test_unquiet_pictures_are_held_for_a_while() -> None:
    stretch = stretch_of([1.0] * 10)

    assert starts(stretch.take_frozen()) == [1, 2]
    assert starts(stretch.held) == [3, 4, 5, 6, 7, 8, 9, 10]


def test_movement_began_with_the_first_like_it() -> None:
    stretch = stretch_of([3.0, 0.0, 0.2, 2.0, 2.1])
    stretch.held[1].quiet = True

    # A key picture, a rest, a picture that the encoder blended into the movement, the movement.
    assert starts(stretch.take_frozen_before(Seen(0.24, 0.28, 2.2))) == [1, 2, 3]
    assert starts(stretch.held) == [4, 5]


def test_movement_without_forerunners_began_where_it_was_found() -> None:
    stretch = stretch_of([0.0, 0.0], quiet=True)

    assert starts(stretch.take_frozen_before(Seen(0.12, 0.16, 5.0))) == [1, 2]


def test_slow_movement_found_at_a_pause_began_before_it() -> None:
    stretch = stretch_of([0.5, 0.6, 0.4, 0.5])

    assert starts(stretch.take_frozen_before(Seen(0.2, 0.24, 0.0))) == []


def cut(time: float) -> Seen:
    return Seen(time, time + 1 / FPS, 20.0)


def detail(time: float) -> Seen:
    return Seen(time, time + 1 / FPS, 0.1)


def test_detail_that_rests_was_the_encoder() -> None:
    doubt = Doubt()

    assert not doubt.is_life(3.0, 0.0, by_key=False)
    assert not doubt.is_life(3.2, 0.0, by_key=False), "it is still drawing"
    doubt.settle(4.5)
    assert doubt.since == 3.0
    doubt.settle(4.7)
    assert doubt.since is None


def test_detail_that_changes_each_second_lives() -> None:
    doubt = Doubt()
    doubt.is_life(3.0, 0.0, by_key=False)
    doubt.settle(3.96)

    assert doubt.is_life(4.0, 0.0, by_key=False)
    assert doubt.life_since(detail(4.0)) == 3.0


def test_encoder_is_believed_twice() -> None:
    doubt = Doubt()
    for time in (3.0, 5.0):
        assert not doubt.is_life(time, 0.0, by_key=False)
        doubt.settle(time + 1.9)

    assert doubt.is_life(7.0, 0.0, by_key=False)


def test_picture_that_has_just_stopped_is_drawn_for_a_while() -> None:
    doubt = Doubt()

    assert not any(doubt.is_life(3 + n / 10, 3.0, by_key=False) for n in range(10))


def test_key_pictures_alone_stay_in_doubt_for_a_while() -> None:
    doubt = Doubt()

    lives = [
        doubt.is_life(second, 0.0, by_key=True) for second in (2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0)
    ]

    assert lives == [False] * 6 + [True]
    assert doubt.life_since(detail(8.0)) == 2.0


def test_one_key_picture_before_a_cut_is_no_life() -> None:
    doubt = Doubt()
    doubt.is_life(2.0, 0.0, by_key=True)

    assert doubt.life_since(cut(3.0)) is None
    assert doubt.life_since(detail(3.0)) == 2.0
    assert doubt.life_since(cut(2.1)) == 2.0, "it may have been the first picture of what moves"


def test_pictures_in_doubt_are_held() -> None:
    stretch = stretch_of([0.0] * 10, quiet=True)
    stretch.doubt.is_life(5 / FPS, 0.0, by_key=True)

    assert starts(stretch.take_frozen()) == [1, 2, 3, 4]
    assert starts(stretch.take_frozen_before(detail(0.5))) == []
