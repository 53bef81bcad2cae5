"""Block corruption on made-up pictures: when it begins, goes on and is over."""

from __future__ import annotations

import numpy as np
import pytest

from streammonitor_worker.detectors.video_block_corruption import VideoBlockCorruption
from streammonitor_worker.media import Picture
from tests.support.seeing import texture

FRAME_S = 0.04
SMOOTH = np.tile(np.linspace(40, 200, 320, dtype=np.uint8), (192, 1))


def damaged(share: float = 0.5) -> np.ndarray:
    """Every other block of the upper part filled with one level."""
    picture = SMOOTH.copy()
    for top in range(16, int(192 * share), 32):
        for left in range(0, 320, 32):
            picture[top : top + 16, left : left + 16] = 235 if picture[top, left] < 128 else 20
    return picture


def present_at(
    pictures: list[np.ndarray],
    *,
    corrupt: tuple[int, ...] = (),
    keys: tuple[int, ...] = (0,),
) -> list[int]:
    detector = VideoBlockCorruption()
    found = []
    before: Picture | None = None
    for number, luma in enumerate(pictures):
        picture = Picture(
            luma,
            None,
            track="video:0",
            time=number * FRAME_S,
            duration=FRAME_S,
            key=number in keys,
            corrupt=number in corrupt,
            previous=before,
        )
        before = picture
        found += [number for m in detector.observe(picture) if m.present]
    return found


def test_clean_pictures_are_clean() -> None:
    assert present_at([SMOOTH] * 30) == []


def test_what_the_decoder_filled_in_lasts_until_a_key_picture() -> None:
    found = present_at([SMOOTH] * 30, corrupt=(10, 11), keys=(0, 20))

    assert found == list(range(10, 20))


def test_damaged_key_picture_does_not_end_it() -> None:
    found = present_at([SMOOTH] * 40, corrupt=(10, 20), keys=(0, 20, 30))

    assert found == list(range(10, 30))


def test_stream_without_key_pictures_recovers_in_the_end() -> None:
    found = present_at([SMOOTH] * 300, corrupt=(10,))

    assert found == list(range(10, 261)), "10 s"


def test_gross_damage_is_seen_though_the_decoder_reports_nothing() -> None:
    found = present_at([SMOOTH] * 20 + [damaged()] * 10 + [SMOOTH] * 20)

    assert found == list(range(20, 30))


def test_faint_blocks_that_come_with_a_key_picture_are_its_quality() -> None:
    pictures = [SMOOTH] * 20 + [damaged(0.25)] * 10

    assert present_at(pictures, keys=(0,)) == list(range(20, 30))
    assert present_at(pictures, keys=(0, 20)) == []


def test_mosaic_that_moves_all_the_time_is_no_damage() -> None:
    mosaic = [damaged() if number % 2 else SMOOTH for number in range(60)]

    assert present_at(mosaic) == []


def test_picture_that_is_shown_in_large_blocks_for_a_while_is_no_damage() -> None:
    scene = texture(192, 320, contrast=20)
    blocks = scene.reshape(12, 16, 20, 16).mean((1, 3)).astype(np.uint8)
    mosaic = np.kron(blocks, np.ones((16, 16), np.uint8))

    assert present_at([scene] * 40 + [mosaic] * 40 + [scene] * 20) == []


@pytest.mark.parametrize("settled", [0, 5])
def test_beginning_of_a_stream_is_not_judged(settled: int) -> None:
    assert present_at([SMOOTH] * settled + [damaged()] * 10) == []


def test_evidence_tells_where_the_damage_is() -> None:
    detector = VideoBlockCorruption()
    lumas = [SMOOTH] * 20 + [damaged(0.5)]
    measures = []
    before: Picture | None = None
    for number, luma in enumerate(lumas):
        before = Picture(
            luma,
            None,
            track="video:0",
            time=number * FRAME_S,
            duration=FRAME_S,
            previous=before,
        )
        measures += list(detector.observe(before))

    evidence = measures[-1].evidence
    assert evidence is not None
    assert measures[-1].value == pytest.approx(float(str(evidence["damaged_share"])), abs=1e-4)
    box = evidence["box"]
    assert isinstance(box, list)
    assert box[:2] == [0, 0]
    assert 288 <= box[2] <= 320
    assert 96 <= box[3] <= 128


def test_cut_to_a_picture_with_edges_on_the_grid_is_no_damage() -> None:
    bars = np.repeat(np.array([[235], [20], [120]], np.uint8), 64, axis=0)
    bars = np.tile(bars, (1, 320))

    assert present_at([SMOOTH] * 20 + [bars] * 20) == []
