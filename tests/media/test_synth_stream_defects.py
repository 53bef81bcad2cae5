"""Defects of packets, timestamps and formats: a demuxer and a decoder meet them where the truth
says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import pytest

from streammonitor_api.errors import InputError
from streammonitor_worker.synth import Defect, Recipe, Truth, parse_injection, write_clip
from streammonitor_worker.synth.origin import first_presented
from streammonitor_worker.synth.transport import TransportStream, Unit

PICTURE_S = 0.04


def clip(path: Path, *injections: str, **changed: object) -> Truth:
    plain: dict[str, object] = {
        "duration_s": 5,
        "width": 320,
        "height": 180,
        "fps": Fraction(25),
        "sound": "tone",
        "injections": [parse_injection(text) for text in injections],
    }
    return write_clip(Recipe(**(plain | changed)), path)  # type: ignore[arg-type]


@dataclass
class Seen:
    """What a player meets: a picture or block of sound, or a packet that it cannot decode."""

    kind: str
    time: float
    refused: bool = False
    corrupt: bool = False
    size: tuple[int, int] = (0, 0)

    @property
    def bad(self) -> bool:
        return self.refused or self.corrupt


def watch(path: Path, kind: str) -> Iterator[Seen]:
    """Play one track, in media time. A packet that no picture comes of counts as refused."""
    start = first_presented(path)
    owed: set[float] = set()
    with av.open(str(path)) as container:
        (stream,) = [stream for stream in container.streams if stream.type == kind]
        for packet in container.demux(stream):
            sent = None if packet.pts is None else float(packet.pts * packet.time_base)
            try:
                frames = packet.decode()
            except av.error.FFmpegError:
                assert sent is not None
                yield Seen(kind, sent - start, refused=True)
                continue
            if kind == "video" and sent is not None:
                owed.add(sent)
            for frame in frames:
                assert isinstance(frame, av.VideoFrame | av.AudioFrame)
                assert frame.time is not None
                owed.discard(frame.time)
                size = (frame.width, frame.height) if isinstance(frame, av.VideoFrame) else (0, 0)
                yield Seen(kind, frame.time - start, corrupt=frame.is_corrupt, size=size)
    for time in owed:
        yield Seen(kind, time - start, refused=True)


def test_all_tracks_jump_where_the_truth_says(tmp_path: Path) -> None:
    path = tmp_path / "clip.ts"

    truth = clip(path, "timestamp-jump@2,jump_s=-7.5", "timestamp-jump@3+1", first_timestamp_s=100)

    onsets = [defect.onset_s for defect in truth.defects]
    for kind, step in (("video", PICTURE_S), ("audio", 1024 / 48000)):
        steps = pairwise(seen.time for seen in watch(path, kind))
        jumps = [(a + step, b - a - step) for a, b in steps if abs(b - a) > 0.5]
        assert [round(jump, 1) for _, jump in jumps] == [-7.5, 10, -10]
        places = [jumps[0][0], jumps[1][0] + 7.5, jumps[2][0] + 7.5 - 10]
        assert places == pytest.approx(onsets, abs=0.001 if kind == "video" else step)


def test_program_clock_jumps_with_the_timestamps(tmp_path: Path) -> None:
    path = tmp_path / "clip.ts"
    clip(path, "timestamp-jump@2")

    stream = TransportStream(path.read_bytes())
    gaps = [clock_before_picture(stream, unit.row, unit.pts) for unit in key_units(stream)]

    assert max(gaps) - min(gaps) < 90_000 * 0.2


def key_units(stream: TransportStream) -> list[Unit]:
    return [unit for unit in stream.units(stream.tracks["video:0"]) if unit.key]


def clock_before_picture(stream: TransportStream, row: int, pts: int) -> int:
    """Ticks from the program clock in a packet to the presentation time in it."""
    field = stream.rows[row, 6:11].tobytes()
    return pts - (int.from_bytes(field, "big") >> 7)


def test_clock_wraps_where_it_is_told_to(tmp_path: Path) -> None:
    path = tmp_path / "clip.ts"

    truth = clip(path, "video-black@1+1", first_timestamp_s=95441)

    stream = TransportStream(path.read_bytes())
    units = stream.units(stream.tracks["video:0"])
    assert units[0].pts < 1 << 33 < units[-1].pts
    assert truth.defects[0].onset_s == pytest.approx(1.021, abs=0.001)


def test_format_changes_at_the_picture(tmp_path: Path) -> None:
    path = tmp_path / "clip.ts"

    truth = clip(path, "format-change@1+2", "format-change@4,width=640,height=360")

    pictures = list(watch(path, "video"))
    changes = [
        (now.time, now.size) for before, now in pairwise(pictures) if now.size != before.size
    ]
    assert [size for _, size in changes] == [(240, 134), (320, 180), (640, 360)]
    assert [time for time, _ in changes] == pytest.approx(
        [defect.onset_s for defect in truth.defects], abs=0.001
    )
    assert len(pictures) == 125


def count_errors(stream: TransportStream) -> list[int]:
    """Rows at which the number of a PID's packet is not the one after that before."""
    last: dict[int, int] = {}
    found = []
    for row, (pid, third) in enumerate(zip(stream.pids, stream.rows[:, 3], strict=True)):
        if not third & 0x10:
            continue
        if pid in last and third & 0x0F != (last[pid] + 1) % 16:
            found.append(row)
        last[pid] = int(third & 0x0F)
    return found


def test_clean_transport_stream_counts_without_errors(tmp_path: Path) -> None:
    clip(tmp_path / "clip.ts")

    assert count_errors(TransportStream((tmp_path / "clip.ts").read_bytes())) == []


@pytest.mark.parametrize("kind", ["lose", "renumber"])
def test_continuity_breaks_within_the_truth(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "clip.ts"

    truth = clip(path, f"continuity-error@2+1,kind={kind},every_s=0.3")

    stream = TransportStream(path.read_bytes())
    units = stream.units(stream.tracks["video:0"])
    start = first_presented(path)
    hit = [
        max((unit for unit in units if unit.row <= row), key=lambda unit: unit.row).pts / 90_000
        - start
        for row in count_errors(stream)
    ]
    assert len(hit) >= 3
    (defect,) = truth.defects
    assert min(hit) == pytest.approx(defect.onset_s, abs=0.001)
    assert max(hit) + PICTURE_S == pytest.approx(defect.recovery_s, abs=0.001)
    assert not any(seen.bad for seen in watch(path, "video") if seen.time < 1.9)
    assert [defect.detector for defect in truth.tolerated] == (
        ["decode-error", "video-block-corruption"] if kind == "lose" else []
    )


@pytest.mark.parametrize(
    ("codec", "container"),
    [
        ("h264", "ts"), ("h264", "mp4"), ("h264", "mkv"), ("hevc", "mp4"), ("hevc", "ts"),
        ("mpeg2video", "ts"), ("mpeg4", "mkv"), ("vp8", "mkv"), ("vp9", "mkv"),
    ],
)  # fmt: skip
def test_decoder_refuses_pictures_within_the_truth_only(
    codec: str, container: str, tmp_path: Path
) -> None:
    path = tmp_path / f"clip.{container}"

    truth = clip(path, "decode-error@2+1", video_codec=codec)

    check_refusals(path, "video", truth.defects[0], PICTURE_S, 25)


@pytest.mark.parametrize(
    ("codec", "container"), [("aac", "ts"), ("aac", "mp4"), ("ac3", "ts"), ("flac", "mkv")]
)
def test_decoder_refuses_sound_within_the_truth_only(
    codec: str, container: str, tmp_path: Path
) -> None:
    path = tmp_path / f"clip.{container}"

    truth = clip(path, "decode-error@2+1,track=audio", audio_codec=codec, picture=None)

    step = {"aac": 1024, "ac3": 1536, "flac": 4608}[codec] / 48000
    check_refusals(path, "audio", truth.defects[0], step, int(1 / step))


def check_refusals(path: Path, kind: str, truth: Defect, step: float, at_least: int) -> None:
    seen = list(watch(path, kind))
    bad = [s.time for s in seen if s.bad]
    assert truth.recovery_s is not None
    assert len(bad) >= at_least
    assert min(bad) == pytest.approx(truth.onset_s, abs=0.002)
    assert max(bad) + step == pytest.approx(truth.recovery_s, abs=0.002)
    after = [s.time for s in seen if not s.bad and s.time >= truth.recovery_s - 0.002]
    assert min(after) == pytest.approx(truth.recovery_s, abs=step)


def test_decode_error_from_the_start_leaves_the_rest_to_be_shown(tmp_path: Path) -> None:
    truth = clip(tmp_path / "clip.mp4", "decode-error@0+1")

    assert truth.defects[0].onset_s == pytest.approx(0.0)
    assert sum(not seen.bad for seen in watch(tmp_path / "clip.mp4", "video")) == 100


@pytest.mark.parametrize(
    ("injection", "name", "message"),
    [
        ("timestamp-jump@2", "clip.mp4", "needs MPEG-TS; write to a file named .ts"),
        ("continuity-error@2+1", "clip.mkv", "needs MPEG-TS"),
        ("format-change@2", "clip.mp4", "needs MPEG-TS"),
        ("continuity-error@2+1,kind=loose", "clip.ts", 'kind is "loose"; did you mean "lose"'),
        ("decode-error@2+1,track=text", "clip.ts", 'track is "text"'),
    ],
)
def test_stream_defect_out_of_place_is_refused(
    injection: str, name: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        clip(tmp_path / name, injection)


def test_codec_that_notices_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="decoders of av1 notice nothing; use h264"):
        clip(tmp_path / "clip.mkv", "decode-error@2+1", video_codec="av1")
    with pytest.raises(InputError, match=r"with mpeg4 noticed in \.mkv and \.mov and \.mp4 only"):
        clip(tmp_path / "clip.ts", "decode-error@2+1", video_codec="mpeg4")
