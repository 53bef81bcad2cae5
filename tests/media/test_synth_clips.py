"""Encoded clips: what is decoded of them agrees with the truth, to the picture and the sample.

Judged twice: by decoding and measuring here, and by FFmpeg's own filters where it is installed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from streammonitor_api.errors import InputError
from streammonitor_worker.synth import Injection, Recipe, Truth, write_clip
from streammonitor_worker.synth.encoding import Encoding

FFMPEG = shutil.which("ffmpeg")
needs_ffmpeg = pytest.mark.skipif(
    FFMPEG is None, reason="ffmpeg is not installed: its filters judge what this project made"
)

BLACK_AND_SILENT = (Injection("video-black", 1, 1), Injection("audio-silence", 1.25, 0.5))

VIDEO = [
    ("h264", "mp4"), ("h264", "ts"), ("h264", "mkv"), ("hevc", "mp4"), ("hevc", "ts"),
    ("mpeg2video", "ts"), ("mpeg4", "mp4"), ("vp8", "webm"), ("vp9", "webm"), ("av1", "mkv"),
]  # fmt: skip
AUDIO = [
    ("aac", "mp4"), ("aac", "ts"), ("aac", "mkv"), ("mp2", "ts"), ("mp3", "mp4"), ("ac3", "ts"),
    ("opus", "webm"), ("flac", "mkv"), ("pcm_s16le", "mov"),
]  # fmt: skip


def priorities() -> set[int]:
    """Scheduling policies of this process' threads."""
    return {os.sched_getscheduler(int(one.name)) for one in Path("/proc/self/task").iterdir()}


def small(**changed: object) -> Recipe:
    plain: dict[str, object] = {
        "duration_s": 3,
        "width": 320,
        "height": 180,
        "fps": Fraction(25),
        "sound": "tone",
        "injections": BLACK_AND_SILENT,
    }
    return Recipe(**(plain | changed))  # type: ignore[arg-type]


def origin(path: Path) -> float:
    """Time of the first picture or sample that a player presents."""
    firsts = []
    for kind in ("video", "audio"):
        with av.open(str(path)) as container:
            streams = [stream for stream in container.streams if stream.type == kind]
            for frame in container.decode(streams[:1]) if streams else ():
                assert isinstance(frame, av.VideoFrame | av.AudioFrame)
                if frame.time is not None:
                    firsts.append(frame.time)
                    break
    return min(firsts)


def black_times(path: Path) -> list[float]:
    """Media times of pictures with hardly any luma."""
    start, found = origin(path), []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            assert frame.time is not None
            luma = frame.to_ndarray(format="gray")
            if luma.mean() < 5:
                found.append(frame.time - start)
    return found


def silent_times(path: Path) -> list[float]:
    """Media times of the samples of the first channel that are next to nothing for 2 ms."""
    start, found = origin(path), []
    with av.open(str(path)) as container:
        resampler = av.AudioResampler(format="fltp")
        for frame in container.decode(audio=0):
            for block in resampler.resample(frame):
                assert frame.time is not None
                samples = np.abs(block.to_ndarray()[0])
                size = frame.sample_rate // 500
                for first in range(0, len(samples) - size + 1, size):
                    if samples[first : first + size].max() < 1e-3:
                        found.append(frame.time - start + first / frame.sample_rate)
    return found


def times_of(truth: Truth, detector: str) -> tuple[float, float]:
    (defect,) = [defect for defect in truth.defects if defect.detector == detector]
    assert defect.recovery_s is not None
    return defect.onset_s, defect.recovery_s


@pytest.mark.parametrize(("codec", "container"), VIDEO)
def test_picture_defect_is_exact_to_the_picture(codec: str, container: str, tmp_path: Path) -> None:
    path = tmp_path / f"clip.{container}"
    sound = {"webm": "opus", "ts": "mp2"}.get(container, "aac")

    truth = write_clip(small(video_codec=codec, audio_codec=sound), path)

    onset, recovery = times_of(truth, "video-black")
    black = black_times(path)
    assert len(black) == 25
    assert black[0] == pytest.approx(onset, abs=0.002)
    assert black[-1] + 0.04 == pytest.approx(recovery, abs=0.002)


@pytest.mark.parametrize(("codec", "container"), AUDIO)
def test_sound_defect_is_exact_to_a_few_milliseconds(
    codec: str, container: str, tmp_path: Path
) -> None:
    path = tmp_path / f"clip.{container}"
    video = "vp8" if container == "webm" else "mpeg4" if container == "mov" else "h264"

    truth = write_clip(small(video_codec=video, audio_codec=codec), path)

    onset, recovery = times_of(truth, "audio-silence")
    # The windows of transform codecs smear an edge over up to 10 ms.
    silent = [time for time in silent_times(path) if onset - 0.1 < time < recovery + 0.1]
    assert silent[0] == pytest.approx(onset, abs=0.012)
    assert silent[-1] + 0.002 == pytest.approx(recovery, abs=0.012)


@pytest.mark.parametrize(
    ("changed", "size", "pixel_format", "levels"),
    [
        ({"pix_fmt": "yuv420p10le"}, (320, 180), "yuv420p10le", (16 * 4, 4)),
        ({"pix_fmt": "yuvj420p"}, (320, 180), "yuvj420p", (0, 1)),
        ({"full_range": True}, (320, 180), "yuvj420p", (0, 1)),
        ({"width": 322, "height": 182}, (322, 182), "yuv420p", (16, 1)),
    ],
    ids=["10 bits", "full range by format", "full range", "odd size"],
)
def test_picture_has_its_format(
    changed: dict[str, object],
    size: tuple[int, int],
    pixel_format: str,
    levels: tuple[int, int],
    tmp_path: Path,
) -> None:
    path = tmp_path / "clip.mp4"
    write_clip(small(**changed, injections=[Injection("video-black", 0, 3)], sound=None), path)

    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
    plane = frame.planes[0]
    kind = np.uint16 if "10le" in pixel_format else np.uint8
    luma = np.frombuffer(memoryview(plane), kind).reshape(plane.height, -1)[:, : plane.width]
    assert (frame.width, frame.height) == size
    assert frame.format.name == pixel_format
    assert luma.mean() == pytest.approx(levels[0], abs=levels[1])


def test_fps_and_duration_are_those_asked_for(tmp_path: Path) -> None:
    for fps in (Fraction(24000, 1001), Fraction(30000, 1001), Fraction(50)):
        write_clip(small(fps=fps, injections=(), sound=None), tmp_path / "clip.mp4")
        with av.open(str(tmp_path / "clip.mp4")) as container:
            video = container.streams.video[0]
            assert video.average_rate == fps
            assert video.frames == round(3 * fps)


def test_variable_rate_leaves_out_pictures_but_no_edges(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"

    truth = write_clip(small(variable_rate=True, duration_s=6), path)

    with av.open(str(path)) as container:
        shown = [round(frame.time * 25) for frame in container.decode(video=0) if frame.time]
    assert 0.6 < len(shown) / 150 < 0.85
    assert {25, 50} <= set(shown)
    assert times_of(truth, "video-black") == pytest.approx((1, 2))


@pytest.mark.parametrize("codec", ["h264", "mpeg2video"])
def test_interlaced_clip_says_so(codec: str, tmp_path: Path) -> None:
    path = tmp_path / "clip.ts"
    write_clip(small(interlaced=True, video_codec=codec, sound=None, duration_s=1,
                     injections=()), path)  # fmt: skip

    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    assert all(frame.interlaced_frame for frame in frames)


def test_audio_tracks_and_layouts_are_those_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "clip.mkv"
    recipe = small(audio_layout="5.1", extra_sounds=["speech"], injections=())

    write_clip(recipe, path)

    with av.open(str(path)) as container:
        assert [audio.layout.name for audio in container.streams.audio] == ["5.1", "5.1"]


def test_av1_encoder_takes_no_priority(tmp_path: Path) -> None:
    """SVT-AV1 makes real-time threads of its caller's and its own where root runs it."""
    seen = [priorities()]

    def pace(_: float) -> bool:
        seen.append(priorities())
        return True

    with av.open(str(tmp_path / "clip.mkv"), "w") as container:
        Encoding(small(video_codec="av1", duration_s=1, injections=()), container, pace=pace).run()

    assert len(seen) == 26
    assert seen == seen[:1] * 26


def test_same_seed_makes_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.ts", "b.ts"):
        write_clip(small(seed=5), tmp_path / name)
    write_clip(small(seed=6), tmp_path / "c.ts")

    first, second, other = ((tmp_path / name).read_bytes() for name in ("a.ts", "b.ts", "c.ts"))
    assert first == second
    assert first != other


@pytest.mark.parametrize(
    ("changed", "name", "message"),
    [
        ({}, "clip.webm", "'webm' format does not support .* choose another codec or container"),
        ({}, "clip.mk4", r'no container is known as ".mk4"; did you mean'),
        ({}, "no/such/folder/clip.mp4", "cannot write"),
        ({"audio_rate": 50001}, "clip.mp4", "cannot write"),
        ({"audio_codec": "flac"}, "clip.ts", "codec flac: MPEG-TS cannot carry it"),
        ({"preset": "slw"}, "clip.mp4", 'preset "slw": unknown; did you mean "slow"'),
        ({"video_codec": "vp8", "preset": "slow"}, "clip.webm", "vp8 has none"),
        ({"video_codec": "vp9", "interlaced": True}, "clip.webm", "knows no fields"),
    ],
)
def test_unfit_recipe_is_refused_in_one_line(
    changed: dict[str, object], name: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        write_clip(small(**changed), tmp_path / name)
    assert "\n" not in str(caught.value)


def reported(path: Path, word: str, *filters: str) -> list[float]:
    """Numbers that FFmpeg's filters report after `word`."""
    assert FFMPEG is not None
    run = subprocess.run(
        [FFMPEG, "-hide_banner", "-nostats", "-copyts", "-i", str(path), *filters,
         "-f", "null", "-"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [float(number) for number in re.findall(rf"{word}:\s*(-?[\d.]+)", run.stderr)]


def filter_times(path: Path, word: str, *filters: str) -> list[float]:
    """Times that FFmpeg's filters report after `word`, in media time."""
    return [time - origin(path) for time in reported(path, word, *filters)]


@needs_ffmpeg
@pytest.mark.parametrize("container", ["mp4", "ts"])
def test_blackdetect_and_silencedetect_agree_with_the_truth(container: str, tmp_path: Path) -> None:
    path = tmp_path / f"clip.{container}"
    truth = write_clip(small(duration_s=4), path)

    black = ("-vf", "blackdetect=d=0.5")
    silence = ("-af", "silencedetect=n=-60dB:d=0.2")

    onset, recovery = times_of(truth, "video-black")
    assert filter_times(path, "black_start", *black) == [pytest.approx(onset, abs=0.01)]
    assert filter_times(path, "black_end", *black) == [pytest.approx(recovery, abs=0.01)]
    onset, recovery = times_of(truth, "audio-silence")
    starts = filter_times(path, "silence_start", *silence)
    assert [t for t in starts if t > 0.1] == [pytest.approx(onset, abs=0.012)]
    ends = filter_times(path, "silence_end", *silence)
    assert [t for t in ends if 0.1 < t < 3.5] == [pytest.approx(recovery, abs=0.012)]


@needs_ffmpeg
def test_freezedetect_agrees_with_the_truth(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    freeze_only = [Injection("video-freeze", 1.2, 2)]
    truth = write_clip(small(duration_s=5, crf=10, injections=freeze_only), path)

    # Even at this quality, re-encoding makes frozen pictures breathe at about -50 dB; moving ones
    # differ by more than -25 dB.
    freeze = ("-vf", "freezedetect=n=-40dB:d=1")

    onset, recovery = times_of(truth, "video-freeze")
    assert filter_times(path, "freeze_start", *freeze) == [pytest.approx(onset, abs=0.001)]
    assert filter_times(path, "freeze_end", *freeze) == [pytest.approx(recovery, abs=0.001)]


@needs_ffmpeg
def test_ebur128_agrees_with_the_loudness_claimed(tmp_path: Path) -> None:
    path = tmp_path / "clip.mkv"
    write_clip(
        small(picture=None, sound="programme", audio_codec="flac", duration_s=20, injections=()),
        path,
    )

    word = r"Integrated loudness:\s+I"
    (loudness,) = reported(path, word, "-af", "ebur128=framelog=verbose")

    assert loudness == pytest.approx(-23, abs=0.2)
