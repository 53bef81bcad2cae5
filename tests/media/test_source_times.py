"""Clocks that wrap, jump or begin in the middle, and a stream's pace, as real files have them."""

from __future__ import annotations

import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from streammonitor_api.fidelity import Fidelity
from streammonitor_worker.source import Source, SourceOptions
from streammonitor_worker.synth import Injection, Recipe, write_clip
from tests.support.watching import times, watch

PACKET = 188


def make(path: Path, **recipe: Any) -> Any:
    fields = {"duration_s": 3.0, "width": 160, "height": 90, "fps": Fraction(25), "gop_s": 1.0}
    return write_clip(Recipe(**{**fields, **recipe}), path)


def test_clock_that_wraps_is_no_jump(tmp_path: Path) -> None:
    path = tmp_path / "clip.ts"
    make(path, first_timestamp_s=2**33 / 90_000 - 1.5)

    watched = watch(path)

    assert watched.jumps == []
    assert times(watched.pictures) == sorted(times(watched.pictures))
    assert watched.pictures[-1].time == pytest.approx(2.98, abs=0.05)


def test_stream_joined_just_before_the_wrap_begins_at_0(tmp_path: Path) -> None:
    path = tmp_path / "clip.ts"
    make(path, first_timestamp_s=2**33 / 90_000 - 0.05)

    watched = watch(path)

    assert watched.jumps == []
    assert min(times(watched.pictures) + times(watched.sounds)) == pytest.approx(0.0, abs=1e-3)
    assert watched.pictures[-1].time == pytest.approx(2.98, abs=0.05)


def test_jump_is_told_and_media_time_goes_on(tmp_path: Path) -> None:
    first, second = tmp_path / "first.ts", tmp_path / "second.ts"
    make(first, first_timestamp_s=5000.0)
    make(second, first_timestamp_s=100.0)
    both = tmp_path / "both.ts"
    both.write_bytes(first.read_bytes() + second.read_bytes())

    watched = watch(both)

    assert watched.jumps == [pytest.approx(-4903.0, abs=0.1)]
    assert times(watched.pictures) == pytest.approx([n / 25 for n in range(150)], abs=0.06)
    steps = [b - a for a, b in zip(times(watched.sounds), times(watched.sounds)[1:], strict=False)]
    assert all(0 < step < 0.22 for step in steps)


def test_injected_jump_of_the_clock_is_found(tmp_path: Path) -> None:
    path = tmp_path / "clip.ts"
    truth = make(path, injections=(Injection("timestamp-jump", 1.5),))

    watched = watch(path)

    jumped = [packet for packet in watched.packets if packet.jump_s]
    (defect,) = truth.defects
    assert len(jumped) == 1
    assert jumped[0].time == pytest.approx(defect.onset_s, abs=0.1)


@pytest.mark.parametrize("jump_s", [0.8, 5.0, 60.0])
def test_media_time_goes_on_over_a_jump_forward_of_the_clock(jump_s: float, tmp_path: Path) -> None:
    path = tmp_path / "clip.ts"
    make(path, injections=(Injection("timestamp-jump", 1.48, options={"jump_s": jump_s}),))

    watched = watch(path)

    assert watched.jumps == [pytest.approx(jump_s, abs=0.05)]
    shown = times(watched.pictures)
    assert shown == pytest.approx([shown[0] + n / 25 for n in range(75)], abs=0.03)


def test_media_time_leaves_room_for_what_was_lost(tmp_path: Path) -> None:
    path = tmp_path / "clip.ts"
    make(path, duration_s=5.0)
    data = path.read_bytes()
    third = len(data) // PACKET // 3 * PACKET
    path.write_bytes(data[:third] + data[2 * third + 5 * PACKET :])

    watched = watch(path)

    assert len(watched.jumps) == 1
    assert watched.pictures[-1].time == pytest.approx(4.98, abs=0.05)


def test_lost_packets_are_counted_where_they_were_lost(tmp_path: Path) -> None:
    path = tmp_path / "clip.ts"
    make(path)
    data = path.read_bytes()
    count = len(data) // PACKET
    lost = {count // 2, count // 2 + 1}
    kept = [data[n * PACKET : (n + 1) * PACKET] for n in range(count) if n not in lost]
    path.write_bytes(b"".join(kept))

    watched = watch(path)

    hit = [packet for packet in watched.packets if packet.continuity_errors]
    assert 1 <= watched.losses <= 2
    assert hit
    assert all(1.0 < packet.time < 2.0 for packet in hit)


def test_stream_joined_in_the_middle_of_a_group_begins_with_a_whole_picture(tmp_path: Path) -> None:
    path = tmp_path / "clip.ts"
    make(path)
    data = path.read_bytes()
    tables = data[: 3 * PACKET]
    middle = len(data) // PACKET // 2 * PACKET
    path.write_bytes(tables + data[middle:])

    watched = watch(path)

    assert watched.failures == []
    assert watched.pictures[0].key
    assert not any(picture.corrupt for picture in watched.pictures)
    first = min(watched.pictures[0].time, watched.sounds[0].time)
    assert first == pytest.approx(0.0, abs=1e-3)


def test_realtime_plays_at_the_speed_of_the_clip(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    make(path, duration_s=1.2)
    began = time.monotonic()

    watched = watch(path, realtime=True)

    assert time.monotonic() - began >= 1.1
    assert watched.source.waited_s > 0.5


def test_stop_ends_a_realtime_wait(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    make(path, duration_s=3.0)
    began = time.monotonic()

    watch(path, realtime=True, until=lambda seen: len(seen.pictures) == 2)

    assert time.monotonic() - began < 1.5


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [(".mp4", "h264"), (".ts", "h264"), (".mkv", "hevc"), (".ts", "mpeg2video"), (".webm", "vp9"),
     (".mkv", "av1")],
)  # fmt: skip
def test_key_pictures_alone_come_at_once_and_in_time(
    suffix: str, codec: str, tmp_path: Path
) -> None:
    path = tmp_path / f"clip{suffix}"
    audio = "opus" if suffix == ".webm" else "aac"
    make(path, video_codec=codec, audio_codec=audio)
    every = watch(path)

    keys = watch(path, fidelity=Fidelity.KEYFRAMES)

    expected = [picture.time for picture in every.pictures if picture.key]
    assert len(expected) == 3
    assert times(keys.pictures) == pytest.approx(expected)
    assert times(keys.sounds) == pytest.approx(times(every.sounds))
    for number, entry in enumerate(keys.order):
        if entry == "Picture video:0":
            before = [e for e in keys.order[:number] if e.endswith("video:0") and e[0] != "F"]
            key_packet = keys.packets[sum(e.startswith("Packet") for e in keys.order[:number]) - 1]
            assert before[-1] == "Packet video:0"
            assert key_packet.key


def test_alert_brings_every_picture_from_the_next_key_picture_on(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    make(path)
    source = Source(str(path), SourceOptions(fidelity=Fidelity.ADAPTIVE))
    alerted: list[bool] = []

    def alert(watched: Any) -> bool:
        if not alerted and watched.pictures:
            alerted.append(True)
            source.alert(2.0)
        return False

    watched = watch("", source=source, until=alert)

    found = times(watched.pictures)
    assert found[0] == pytest.approx(0.0)
    assert [t for t in found if t < 1.0] == pytest.approx([0.0])
    assert len([t for t in found if 1.0 <= t < 2.0]) == 25
    assert [t for t in found if t >= 2.0] == pytest.approx([2.0])


def test_fidelity_can_be_lowered_and_raised_while_it_runs(tmp_path: Path) -> None:
    path = tmp_path / "clip.ts"
    make(path)
    source = Source(str(path))

    def change(watched: Any) -> bool:
        if len(watched.pictures) == 10:
            source.set_fidelity(Fidelity.KEYFRAMES)
        elif watched.pictures and watched.pictures[-1].time > 1.0:
            source.set_fidelity(Fidelity.FULL)
        return False

    watched = watch("", source=source, until=change)

    found = times(watched.pictures)
    assert found == sorted(found)
    assert 10 <= len([t for t in found if t < 1.0]) <= 16
    assert len([t for t in found if t >= 2.02]) == 25
    assert not any(picture.corrupt for picture in watched.pictures)
    assert watched.failures == []
