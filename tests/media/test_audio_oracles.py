"""Detectors of sound against FFmpeg's filters, which judge the same decoded samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from streammonitor_worker.detectors.audio_clipping import AudioClipping
from streammonitor_worker.detectors.audio_loudness import AudioLoudness, AudioLoudnessSettings
from streammonitor_worker.detectors.audio_phase import AudioPhase
from streammonitor_worker.detectors.audio_silence import AudioSilence
from streammonitor_worker.synth import Injection, Recipe, write_clip
from tests.support.hearing import Clip, clip, decode_sound, incidents, measures
from tests.support.oracles import filter_metadata

RATE = 48000


def made(path: Path, **recipe: object) -> Clip:
    write_clip(Recipe(picture=None, **recipe), path)  # type: ignore[arg-type]
    return decode_sound(path)


def told_once(metadata: list[dict[str, str]], key: str) -> list[float]:
    """The values of a key, those that stay the same told once."""
    values = [float(frame[key]) for frame in metadata if key in frame]
    return sorted(set(values))


@pytest.mark.parametrize(
    ("sound", "layout", "rate"),
    [
        ("programme", "stereo", 48000),
        ("speech", "stereo", 48000),
        ("music", "stereo", 44100),
        ("noise", "mono", 48000),
        ("programme", "5.1", 48000),
        ("programme", "stereo", 32000),
    ],
)
def test_loudness_is_that_of_ebur128(sound: str, layout: str, rate: int, tmp_path: Path) -> None:
    whole = made(
        tmp_path / "clip.wav",
        duration_s=31,
        sound=sound,
        audio_layout=layout,
        audio_rate=rate,
        audio_codec="pcm_s16le",
    )
    anything = AudioLoudness(AudioLoudnessSettings(target=0.0, tolerance=40.0))
    (measure, *_) = measures(anything, whole.blocks())
    window = slice(round((measure.end - 30) * rate), round(measure.end * rate))
    judged = filter_metadata(
        Clip(whole.samples[:, window], rate, whole.channels), "ebur128", "metadata=1"
    )

    assert -measure.value == pytest.approx(float(judged[-1]["lavfi.r128.I"]), abs=0.1)


@pytest.mark.parametrize("codec", ["pcm_s16le", "aac", "mp3"])
@pytest.mark.parametrize("sound", ["programme", "tone", "music"])
def test_silence_is_that_of_silencedetect(sound: str, codec: str, tmp_path: Path) -> None:
    heard = made(
        tmp_path / ("clip.mp3" if codec == "mp3" else "clip.mov"),
        duration_s=9,
        sound=sound,
        audio_codec=codec,
        injections=[Injection("audio-silence", 2.345, 3.0)],
    )
    judged = filter_metadata(heard, "silencedetect", "noise=-60dB:duration=2")

    (incident,) = incidents(AudioSilence(), heard.blocks())

    assert [incident.onset] == pytest.approx(told_once(judged, "lavfi.silence_start"), abs=0.02)
    assert [incident.recovery] == pytest.approx(told_once(judged, "lavfi.silence_end"), abs=0.02)


@pytest.mark.parametrize("codec", ["pcm_s16le", "aac", "mp3"])
def test_phase_is_that_of_aphasemeter(codec: str, tmp_path: Path) -> None:
    heard = made(
        tmp_path / ("clip.mp3" if codec == "mp3" else "clip.mov"),
        duration_s=9,
        sound="programme",
        audio_codec=codec,
        seed=1,
        injections=[Injection("audio-phase", 2.345, 3.5)],
    )
    judged = filter_metadata(heard, "aphasemeter", "video=0:phasing=1:angle=154:duration=2")

    (incident,) = incidents(AudioPhase(), heard.blocks())

    assert [incident.onset] == pytest.approx(
        told_once(judged, "lavfi.aphasemeter.out_phase_start"), abs=0.1
    )
    assert [incident.recovery] == pytest.approx(
        told_once(judged, "lavfi.aphasemeter.out_phase_end"), abs=0.1
    )


@pytest.mark.parametrize("width", [0.0, 0.5, 1.0, 2.0])
def test_correlation_is_that_of_the_samples(width: float) -> None:
    rng = np.random.default_rng(0)
    centre, side = (
        np.convolve(rng.standard_normal(4 * RATE), np.ones(32) / 32, "same") for _ in range(2)
    )
    stereo = clip(np.stack((centre + width * side, centre - width * side)))

    told = measures(AudioPhase(), stereo.blocks())
    whole = np.asarray(np.corrcoef(stereo.samples))[0, 1]

    assert np.mean([m.value for m in told]) == pytest.approx(whole, abs=0.06)


@pytest.mark.parametrize(
    ("sound", "gain_db"), [("loud-music", 0.0), ("loud-music", 12.0), ("tone", 0.0), ("tone", 30.0)]
)
def test_clipped_is_what_astats_finds_flat(sound: str, gain_db: float, tmp_path: Path) -> None:
    injections = [Injection("audio-clipping", 0, 6, {"gain_db": gain_db})] if gain_db else []
    heard = made(
        tmp_path / "clip.wav",
        duration_s=6,
        sound=sound,
        audio_codec="pcm_s16le",
        injections=injections,
    )
    judged = filter_metadata(heard, "astats", "metadata=1")
    flat = float(judged[-1]["lavfi.astats.Overall.Flat_factor"])

    found = incidents(AudioClipping(), heard.blocks())

    assert len(found) == (1 if flat > 1 else 0)
    assert (flat > 1) == bool(gain_db)
