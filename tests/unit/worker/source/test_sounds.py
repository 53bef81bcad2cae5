"""Decoded frames of sound become blocks whose samples and times are exact."""

from __future__ import annotations

from typing import Any

import av
import numpy as np
import pytest

from streammonitor_worker.media import Sound
from streammonitor_worker.source.sounds import DRIFT_S, SoundAssembler

RATE = 48_000
BLOCK = 9600
BLOCK_S = BLOCK / RATE


def frame(
    samples: np.ndarray[Any, Any], form: str = "fltp", layout: str = "mono", rate: int = RATE
) -> av.AudioFrame:
    made = av.AudioFrame.from_ndarray(samples, format=form, layout=layout)
    made.sample_rate = rate
    return made


def ramp(count: int, first: int = 0) -> np.ndarray[Any, Any]:
    """Samples whose value says which one it is."""
    return (np.arange(first, first + count, dtype=np.float32) / 2**20)[None]


def assemble(*frames: tuple[av.AudioFrame, float | None]) -> list[Sound]:
    assembler = SoundAssembler("audio:0")
    found = [sound for made, time in frames for sound in assembler.add(made, time)]
    return [*found, *assembler.flush()]


def test_frames_of_any_size_become_blocks_of_one_size() -> None:
    sizes = [1024] * 19 + [7, 5000, 1]
    frames, first = [], 0
    for size in sizes:
        frames.append((frame(ramp(size, first)), first / RATE))
        first += size

    sounds = assemble(*frames)

    assert [sound.samples.shape[1] for sound in sounds] == [BLOCK, BLOCK, first - 2 * BLOCK]
    assert np.array_equal(np.concatenate([s.samples for s in sounds], 1), ramp(first))
    assert [sound.time for sound in sounds] == pytest.approx([0.0, BLOCK_S, 2 * BLOCK_S])


def test_time_is_counted_where_timestamps_are_rounded() -> None:
    frames = [(frame(ramp(1024, n * 1024)), round(n * 1024 / RATE, 3)) for n in range(400)]

    sounds = assemble(*frames)

    for position, sound in enumerate(sounds):
        assert sound.time == pytest.approx(position * BLOCK_S, abs=1e-9)


def test_gap_ends_a_block_and_begins_one_at_its_time() -> None:
    sounds = assemble((frame(ramp(2000)), 1.0), (frame(ramp(1000)), 3.0))

    assert [(s.time, s.samples.shape[1]) for s in sounds] == [(1.0, 2000), (3.0, 1000)]


def test_sound_that_overlaps_what_was_before_is_cut() -> None:
    overlap = 4800
    sounds = assemble((frame(ramp(9600)), 0.0), (frame(ramp(9600, 9600 - overlap)), 0.1))

    joined = np.concatenate([sound.samples for sound in sounds], axis=1)
    assert np.array_equal(joined, ramp(9600 + 9600 - overlap))
    assert sounds[-1].end == pytest.approx(0.3)


def test_drift_is_followed_before_it_is_heard() -> None:
    frames = [(frame(ramp(960)), n * 0.02 * 1.001) for n in range(2000)]

    sounds = assemble(*frames)

    assert sounds[-1].end == pytest.approx(40.04, abs=DRIFT_S + 0.001)


def test_frames_without_timestamps_follow_each_other() -> None:
    sounds = assemble((frame(ramp(6000)), 5.0), (frame(ramp(6000)), None))

    assert [sound.time for sound in sounds] == pytest.approx([5.0, 5.0 + BLOCK_S])


def test_change_of_format_begins_a_block_where_the_other_ended() -> None:
    stereo = np.zeros((2, 441), np.float32)
    sounds = assemble((frame(ramp(480)), 0.0), (frame(stereo, layout="stereo", rate=44_100), 0.009))

    assert [(s.rate, s.channels) for s in sounds] == [(48_000, ("FC",)), (44_100, ("FL", "FR"))]
    assert sounds[1].time == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("form", "kind", "scale", "middle"),
    [
        ("u8", np.uint8, 2**7, 2**7),
        ("s16", np.int16, 2**15, 0),
        ("s32", np.int32, 2**31, 0),
        ("flt", np.float32, 1, 0),
        ("dbl", np.float64, 1, 0),
    ],
)
@pytest.mark.parametrize("planar", [False, True])
def test_samples_of_any_format_keep_their_level(
    form: str, kind: type, scale: float, middle: float, planar: bool
) -> None:
    wanted = np.array([[-1.0, -0.5, 0.0, 0.25], [0.5, 0.0, -0.5, -0.25]])
    raw: np.ndarray[Any, Any] = (wanted * scale + middle).astype(kind)
    packed = raw if planar else raw.T.reshape(1, -1)
    made = frame(np.ascontiguousarray(packed), form + ("p" if planar else ""), "stereo")

    (sound,) = assemble((made, 0.0))

    assert sound.samples.dtype == np.float32
    assert np.allclose(sound.samples, wanted, atol=1e-7)


def test_many_channels_keep_their_order_and_names() -> None:
    wanted = np.arange(6, dtype=np.float32)[:, None].repeat(480, 1) / 10

    (sound,) = assemble((frame(wanted, layout="5.1"), 0.0))

    assert sound.channels == ("FL", "FR", "FC", "LFE", "BL", "BR")
    assert np.array_equal(sound.samples, wanted)
