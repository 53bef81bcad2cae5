"""Files of every kind are read with the right pictures and sounds at the right media times."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from tests.support.small_files import BLACK, SILENCE, encode, grey_frames, make, remux
from tests.support.watching import times, watch

CLIPS = [
    (".mp4", "h264", "aac", Fraction(25)),
    (".mp4", "hevc", "mp3", Fraction(30)),
    (".mov", "mpeg4", "pcm_s16le", Fraction(24000, 1001)),
    (".mkv", "h264", "flac", Fraction(24)),
    (".mkv", "av1", "ac3", Fraction(25)),
    (".webm", "vp8", "opus", Fraction(30)),
    (".webm", "vp9", "opus", Fraction(60)),
    (".ts", "h264", "aac", Fraction(30000, 1001)),
    (".ts", "hevc", "ac3", Fraction(50)),
    (".ts", "mpeg2video", "mp2", Fraction(25)),
]


@pytest.mark.parametrize(
    ("suffix", "video", "audio", "fps"), CLIPS, ids=[f"{c[1]}+{c[2]}{c[0]}" for c in CLIPS]
)
def test_defects_are_where_they_were_put(
    suffix: str, video: str, audio: str, fps: Fraction, tmp_path: Path
) -> None:
    path = tmp_path / f"clip{suffix}"
    truth = make(path, video_codec=video, audio_codec=audio, fps=fps)

    watched = watch(path)

    onsets = {defect.detector: (defect.onset_s, defect.recovery_s) for defect in truth.defects}
    assert watched.black_s() == pytest.approx(onsets["video-black"], abs=0.0025)
    assert watched.silence_s() == pytest.approx(onsets["audio-silence"], abs=0.02)
    assert len(watched.pictures) == round(2 * fps)
    assert min(times(watched.pictures) + times(watched.sounds)) == pytest.approx(0.0, abs=0.001)
    assert watched.jumps == []
    assert watched.losses == 0
    assert watched.failures == []
    assert watched.connections == []
    formats = {form.track: form for form in watched.formats}
    assert (formats["video:0"].codec, formats["audio:0"].codec) == (video, audio)
    assert formats["video:0"].fps == pytest.approx(float(fps), rel=0.01)
    assert len(watched.formats) == 2


@pytest.mark.parametrize(
    ("suffix", "video", "audio"),
    [
        (".avi", "mpeg4", "mp3"),
        (".flv", "h264", "aac"),
        (".mov", "h264", "aac"),
        (".nut", "h264", "aac"),
        (".3gp", "h264", "aac"),
    ],
)
def test_other_containers_hold_the_same(
    suffix: str, video: str, audio: str, tmp_path: Path
) -> None:
    original = tmp_path / "clip.mp4"
    make(original, video_codec=video, audio_codec=audio)
    copy = remux(original, tmp_path / f"copy{suffix}")

    watched = watch(copy)

    assert len(watched.pictures) == 60
    begin, end = watched.black_s()
    assert begin == pytest.approx(1.0, abs=0.05)
    assert end - begin == pytest.approx(0.5, abs=0.04)
    assert watched.jumps == []
    assert watched.failures == []


def test_transport_stream_of_longer_packets_is_watched(tmp_path: Path) -> None:
    """As on Blu-ray discs: 4 bytes of time before each of 188."""
    path = tmp_path / "clip.m2ts"
    make(tmp_path / "clip.ts")
    data = (tmp_path / "clip.ts").read_bytes()
    packets = [data[at : at + 188] for at in range(0, len(data), 188)]
    path.write_bytes(b"".join(bytes(4) + packet for packet in packets))

    watched = watch(path)

    assert len(watched.pictures) == 60
    assert watched.jumps == []
    assert watched.losses == 0


@pytest.mark.parametrize(
    ("fields", "depth", "full_range"),
    [
        ({"pix_fmt": "yuv420p10le", "video_codec": "hevc"}, 10, False),
        ({"pix_fmt": "yuv420p10le"}, 10, False),
        ({"full_range": True}, 8, True),
        ({"pix_fmt": "yuvj420p"}, 8, True),
        ({"interlaced": True, "fps": Fraction(25), "height": 96}, 8, False),
        ({"width": 162, "height": 94}, 8, False),
    ],
    ids=["10 bits hevc", "10 bits h264", "full range", "yuvj", "interlaced", "odd macroblocks"],
)
def test_pictures_are_what_was_encoded(
    fields: dict[str, Any], depth: int, full_range: bool, tmp_path: Path
) -> None:
    path = tmp_path / "clip.mp4"
    make(path, **fields)

    watched = watch(path)

    picture = watched.pictures[0]
    assert (picture.depth, picture.full_range) == (depth, full_range)
    assert (picture.width, picture.height) == (fields.get("width", 160), fields.get("height", 90))
    assert watched.black_s() == pytest.approx((1.0, 1.5), abs=0.041)


@pytest.mark.parametrize(("width", "height"), [(161, 91), (99, 67)])
def test_odd_sizes_are_kept(width: int, height: int, tmp_path: Path) -> None:
    path = tmp_path / "clip.webm"
    make(path, width=width, height=height, video_codec="vp9", audio_codec="opus", duration_s=0.5,
         injections=())  # fmt: skip

    picture = watch(path).pictures[0]

    assert (picture.width, picture.height) == (width, height)


def test_sound_only_file_is_watched(tmp_path: Path) -> None:
    path = tmp_path / "clip.m4a"
    make(path, picture=None, injections=(SILENCE,))

    watched = watch(path)

    assert watched.pictures == []
    assert watched.silence_s() == pytest.approx((1.0, 1.5), abs=0.02)
    assert {form.track for form in watched.formats} == {"audio:0"}


def test_video_only_file_is_watched(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    make(path, sound=None, injections=(BLACK,))

    watched = watch(path)

    assert watched.sounds == []
    assert watched.black_s() == pytest.approx((1.0, 1.5), abs=0.001)


def test_every_sound_track_is_watched(tmp_path: Path) -> None:
    path = tmp_path / "clip.ts"
    make(path, extra_sounds=("tone", "programme"), injections=())

    watched = watch(path)

    tracks = {sound.track for sound in watched.sounds}
    assert tracks == {"audio:0", "audio:1", "audio:2"}
    for track in tracks:
        blocks = watched.sounds_of(track)
        assert blocks[-1].time + blocks[-1].duration == pytest.approx(2.02, abs=0.05)
        assert {block.duration for block in blocks[:-1]} == {0.2}


def test_surround_sound_keeps_its_channels(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    make(path, audio_layout="5.1", injections=(), duration_s=0.5)

    assert watch(path).sounds[0].channels == ("FL", "FR", "FC", "LFE", "BL", "BR")


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_variable_frame_rate_is_no_jump(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"clip{suffix}"
    make(path, variable_rate=True, injections=())

    watched = watch(path)

    assert watched.jumps == []
    assert len(watched.pictures) < 50
    assert times(watched.pictures) == sorted(times(watched.pictures))


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_lone_pictures_that_stay_for_long_are_no_jump(suffix: str, tmp_path: Path) -> None:
    at = [0, 40, 80, 5000, 5040, 30_000, 30_040]
    frames = grey_frames(len(at), lambda number: at[number])
    path = encode(tmp_path / f"slides{suffix}", frames, "libx264", options={"bf": "0"})

    watched = watch(path)

    assert watched.jumps == []
    assert times(watched.pictures) == pytest.approx([ms / 1000 for ms in at], abs=0.002)


def test_sound_that_begins_later_than_the_picture_stays_later(tmp_path: Path) -> None:
    original = tmp_path / "clip.mp4"
    make(original)
    late = tmp_path / "late.mkv"
    with av.open(str(original)) as reader, av.open(str(late), "w") as writer:
        copies = {stream: writer.add_stream_from_template(stream) for stream in reader.streams}
        half_a_second = reader.streams.audio[0].rate // 2
        for packet in reader.demux():
            if packet.dts is None or packet.pts is None:
                continue
            if packet.stream.type == "audio":
                packet.pts += half_a_second
                packet.dts += half_a_second
            packet.stream = copies[packet.stream]
            writer.mux(packet)

    watched = watch(late)

    assert watched.pictures[0].time == pytest.approx(0.0, abs=0.002)
    assert watched.sounds[0].time == pytest.approx(0.5, abs=0.03)
    assert watched.silence_s()[0] == pytest.approx(1.5, abs=0.03)


def test_cover_art_is_no_video(tmp_path: Path) -> None:
    sound = tmp_path / "clip.m4a"
    make(sound, picture=None, injections=(), duration_s=0.5)
    cover = av.CodecContext.create("png", "w")
    frame = grey_frames(1, lambda _: 0)[0].reformat(format="rgb24")
    encoder: Any = cover
    encoder.width, encoder.height, encoder.pix_fmt = frame.width, frame.height, "rgb24"
    encoder.time_base = Fraction(1, 25)
    song = tmp_path / "song.mp4"
    with av.open(str(sound)) as reader, av.open(str(song), "w") as writer:
        copy = writer.add_stream_from_template(reader.streams.audio[0])
        art: Any = writer.add_stream("png", rate=1)
        art.width, art.height, art.pix_fmt = frame.width, frame.height, "rgb24"
        art.disposition = 1 << 10
        writer.mux(art.encode(frame))
        writer.mux(art.encode(None))
        for packet in reader.demux():
            if packet.dts is not None:
                packet.stream = copy
                writer.mux(packet)

    watched = watch(song)

    assert watched.pictures == []
    assert {form.track for form in watched.formats} == {"audio:0"}


@pytest.mark.parametrize("pix_fmt", ["gray", "rgb24", "yuv444p", "yuv422p10le", "bgr0"])
def test_unusual_pixel_formats_are_watched(pix_fmt: str, tmp_path: Path) -> None:
    frames = [f.reformat(format=pix_fmt) for f in grey_frames(5, lambda number: 40 * number)]
    for number, frame in enumerate(frames):
        frame.pts = 40 * number
    codec = "libx264rgb" if pix_fmt in ("rgb24", "bgr0") else "ffv1"
    path = encode(tmp_path / "clip.mkv", frames, codec, pix_fmt=pix_fmt)

    watched = watch(path)

    assert len(watched.pictures) == 5
    means = [picture.mean for picture in watched.pictures]
    assert means == sorted(means)
    assert means[-1] - means[0] > 30
