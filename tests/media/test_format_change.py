"""What a track is encoded as changes while it runs, and is told once, at its first picture."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from streammonitor_api.fidelity import Fidelity
from streammonitor_worker.detectors.format_change import FormatChange
from streammonitor_worker.synth import Recipe, write_clip
from tests.support.watching import Watched, watch

SECONDS = 3.0
PLAIN: dict[str, Any] = {"fps": Fraction(25), "width": 160, "height": 90, "sound": None}


def joined(folder: Path, *recipes: dict[str, Any]) -> Path:
    """One transport stream of several recipes, one after the other."""
    path = folder / "joined.ts"
    data = b""
    for number, fields in enumerate(recipes):
        part = folder / f"{number}.ts"
        recipe = {"duration_s": SECONDS, "gop_s": 1.0, "first_timestamp_s": 100.0 + 3 * number}
        write_clip(Recipe(**{**recipe, **PLAIN, **fields}), part)
        data += part.read_bytes()
    path.write_bytes(data)
    return path


def changes(watched: Watched) -> Any:
    """Onset of each change, and what has changed by the last word on it."""
    detector = FormatChange()
    found: dict[float, str] = {}
    for form in watched.formats:
        for measure in detector.observe(form):
            assert measure.evidence is not None
            found[round(measure.start, 3)] = str(measure.evidence["changed"])
    return sorted(found.items())


@pytest.mark.parametrize("codec", ["h264", "hevc", "mpeg2video"])
@pytest.mark.parametrize(("before", "after"), [(25, 50), (30, 25), (24, 25)])
def test_rate_within_a_programme(tmp_path: Path, codec: str, before: int, after: int) -> None:
    path = joined(
        tmp_path,
        {"fps": Fraction(before), "video_codec": codec},
        {"fps": Fraction(after), "video_codec": codec},
    )

    watched = watch(path)

    first = watched.pictures[round(SECONDS * before)]
    ((onset, changed),) = changes(watched)
    assert (onset, changed) == (pytest.approx(first.time, abs=0.001), "['fps']")


@pytest.mark.parametrize("fidelity", [Fidelity.ADAPTIVE, Fidelity.KEYFRAMES])
def test_rate_is_known_without_decoding_all(tmp_path: Path, fidelity: Fidelity) -> None:
    path = joined(tmp_path, {}, {"fps": Fraction(50)})

    watched = watch(path, fidelity=fidelity)

    ((onset, changed),) = changes(watched)
    assert (onset, changed) == (pytest.approx(SECONDS, abs=0.05), "['fps']")


def test_size_and_rate_are_one_change(tmp_path: Path) -> None:
    path = joined(tmp_path, {}, {"fps": Fraction(50), "width": 320, "height": 180})

    watched = watch(path)
    ((onset, changed),) = changes(watched)

    assert onset == pytest.approx(watched.pictures[round(SECONDS * 25)].time, abs=0.001)
    assert changed == "['width', 'height', 'fps']"


@pytest.mark.parametrize(
    ("after", "changed"),
    [
        ({"pix_fmt": "yuv420p10le"}, "['pixel_format']"),
        ({"pix_fmt": "yuvj420p"}, "['full_range']"),
        ({"width": 320}, "['width']"),
    ],
    ids=["depth", "range", "width"],
)
def test_look_of_the_pictures(tmp_path: Path, after: dict[str, Any], changed: str) -> None:
    path = joined(tmp_path, {}, after)

    ((onset, told),) = changes(watch(path))
    assert (onset, told) == (pytest.approx(SECONDS, abs=0.002), changed)


@pytest.mark.parametrize(
    ("coded", "changed"),
    [
        ({"sample_aspect_ratio": Fraction(4, 3)}, "['aspect']"),
        ({"color_trc": 16}, "['transfer']"),
        ({"options": {"flags": "+ildct+ilme"}}, "['interlaced']"),
    ],
    ids=["aspect", "transfer", "interlaced"],
)
def test_what_only_the_encoder_says(tmp_path: Path, coded: dict[str, Any], changed: str) -> None:
    path = tmp_path / "joined.ts"
    steady = [Fraction(number, 25) for number in range(75)]
    path.write_bytes(encoded(tmp_path / "a.ts", steady) + encoded(tmp_path / "b.ts", steady, coded))

    ((onset, told),) = changes(watch(path))
    assert (onset, told) == (pytest.approx(SECONDS, abs=0.002), changed)


def encoded(path: Path, times: list[Fraction], coded: dict[str, Any] | None = None) -> bytes:
    """H.264 with pictures at these times, and whatever is set on the encoder."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1500)
        stream.gop_size = 25
        for name, value in (coded or {}).items():
            setattr(stream.codec_context, name, value)
        for number, time in enumerate(times):
            shade = np.full((96, 160), 40 + 5 * (number % 30), np.uint8)
            frame = av.VideoFrame.from_ndarray(shade, format="gray").reformat(format="yuv420p")
            frame.pts, frame.time_base = int(time * 1500), Fraction(1, 1500)
            if coded and "color_trc" in coded:
                frame.color_trc = coded["color_trc"]
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path.read_bytes()


@pytest.mark.parametrize("container", ["ts", "mkv"])
def test_variable_rate_changes_nothing(tmp_path: Path, container: str) -> None:
    path = tmp_path / f"clip.{container}"
    halved = [n for n in range(270) if not 90 <= n < 180 or n % 2]
    encoded(path, [Fraction(n, 30) for n in halved])

    assert changes(watch(path)) == []


def test_same_encoder_again_changes_nothing(tmp_path: Path) -> None:
    assert changes(watch(joined(tmp_path, {}, {}))) == []
