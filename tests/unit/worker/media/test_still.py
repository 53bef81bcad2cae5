"""What differs between a picture and the one that it is compared with."""

from __future__ import annotations

import numpy as np
import pytest

from streammonitor_worker.media.still import Detail, Spot, Still, contrast
from tests.support.seeing import Planes, coloured, deepened, field, picture, texture

INTERVAL = 1 / 25
SD, HD = (360, 640), (1080, 1920)


def changed(planes: Planes, top: int, left: int, size: int, by: int) -> Planes:
    luma = planes[0].copy()
    luma[top : top + size, left : left + size] += by
    return luma, planes[1], planes[2]


def sweep(still: Still, planes: Planes, interval: float = INTERVAL) -> list[Detail]:
    """Look until all of the picture has been seen."""
    return [still.next_detail(picture(planes), interval) for _ in range(round(0.5 / interval) + 1)]


def test_same_picture_does_not_differ() -> None:
    planes = coloured(texture(*SD))
    still, same = Still(picture(planes)), picture(planes)

    assert still.drift(same) == (0.0, 0.0)
    assert still.colour_drift(same) == 0.0
    assert still.next_detail(same, INTERVAL).excess == 0.0


def test_fade_moves_drift_and_fade_alike() -> None:
    still = Still(picture(field(*SD)))

    assert still.drift(picture(field(*SD, (123, 128, 128)))) == pytest.approx((3.0, -3.0))


def test_noise_nearly_cancels_out_in_drift() -> None:
    noise = np.random.default_rng(0).normal(0, 5, SD).round().astype(int)
    planes = field(*SD)
    still = Still(picture(planes))

    drift, fade = still.drift(picture(((planes[0] + noise).astype(np.uint8), *planes[1:])))

    # 32 samples a tile: of a picture of this size every other row is summed up.
    assert drift == pytest.approx(5 / np.sqrt(32), rel=0.1)
    assert abs(fade) < 0.05


def test_movement_by_a_tile_drifts_by_the_contrast() -> None:
    luma = texture(*SD)
    still = Still(picture(coloured(luma)))

    drift, _ = still.drift(picture(coloured(np.roll(luma, 8, axis=1))))

    assert drift == pytest.approx(still.contrast, rel=0.5)
    assert contrast(np.zeros((4, 4), np.float32)) == 0.0


def test_colour_that_changes_drifts() -> None:
    still = Still(picture(field(*SD)))

    assert still.colour_drift(picture(field(*SD, (126, 128, 132)))) == pytest.approx(4.0)


@pytest.mark.parametrize("depth", [8, 10])
@pytest.mark.parametrize("size", [(90, 160), SD, HD], ids=str)
@pytest.mark.parametrize("place", [(0, 0), (0.5, 0.3), (1, 1)], ids=str)
def test_detail_is_found_wherever_it_is(
    size: tuple[int, int], place: tuple[float, float], depth: int
) -> None:
    # At the far corner, where rows and columns that fill no tile are left over.
    top, left = (round(part * (side // 8 * 8 - 8)) for part, side in zip(place, size, strict=True))
    planes = field(*size)
    still = Still(picture(deepened(planes, depth), depth=depth))

    now = deepened(changed(planes, top, left, 6, 100), depth)
    seen = [still.next_detail(picture(now, depth=depth), INTERVAL) for _ in range(13)]

    most = max(seen, key=lambda detail: detail.excess)
    assert most.excess > 3.5
    assert abs(most.top - top) <= 8
    assert abs(most.left - left) <= 8


def test_all_stripes_are_seen_twice_a_second() -> None:
    planes = field(*HD)
    for interval in (1 / 60, 1 / 25, 1 / 5, 2.0):
        still = Still(picture(planes))
        for top in range(0, 1072, 134):
            seen = sweep(still, changed(planes, top, 900, 8, 100), interval)
            assert max(detail.excess for detail in seen) > 3.5


def test_single_dot_is_a_detail() -> None:
    planes = field(*SD)
    still = Still(picture(planes))

    seen = sweep(still, changed(planes, 200, 300, 1, 100))

    assert max(detail.excess for detail in seen) > 3.5


def test_noise_everywhere_is_no_detail() -> None:
    rng = np.random.default_rng(0)
    planes = coloured(texture(*SD, contrast=15))
    noise = rng.laplace(0, 4, SD).round().astype(int)
    noisy = (np.clip(planes[0] + noise, 0, 255).astype(np.uint8), *planes[1:])

    assert Still(picture(planes)).next_detail(picture(noisy), INTERVAL).excess < 1.5


@pytest.mark.parametrize("corner", [(0, 0), (1079, 1919), (500, 900)], ids=str)
def test_spot_follows_a_place(corner: tuple[int, int]) -> None:
    planes = field(*HD)
    spot = Spot(picture(planes), Detail(9.0, 40.0, *corner))
    top, left = (min(at, side - 8) // 8 * 8 for at, side in zip(corner, HD, strict=True))

    assert spot.usual == 40.0
    assert spot.change(picture(planes)) == 0.0
    assert spot.change(picture(changed(planes, top, left, 8, 50))) > 10
    assert spot.change(picture(changed(planes, (top + 540) % 1070, left, 8, 50))) == 0.0


def test_spot_compares_with_what_was_kept() -> None:
    planes = field(*SD)
    later = changed(planes, 96, 96, 16, 50)
    spot = Spot(picture(planes), Detail(9.0, 50.0, 100, 100))

    spot.keep(picture(later))

    assert spot.change(picture(later)) == 0.0
    assert spot.change(picture(planes)) > 40


def test_picture_smaller_than_a_spot_is_all_of_it() -> None:
    planes = field(18, 22)
    spot = Spot(picture(planes), Detail(9.0, 50.0, 8, 8))

    assert spot.change(picture(changed(planes, 0, 0, 8, 60))) == pytest.approx(60)
