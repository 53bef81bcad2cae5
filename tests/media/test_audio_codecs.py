"""Defects in encoded sound: found after every codec, where they were put, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from streammonitor_worker.detectors.audio_channel_loss import AudioChannelLoss
from streammonitor_worker.detectors.audio_clipping import AudioClipping
from streammonitor_worker.detectors.audio_loudness import AudioLoudness
from streammonitor_worker.detectors.audio_phase import AudioPhase
from streammonitor_worker.detectors.audio_silence import AudioSilence
from streammonitor_worker.synth import Injection, Recipe, Truth, write_clip
from tests.support.hearing import Clip, decode_sound, incidents

PRECISION_S = 0.02
DETECTORS = (AudioSilence, AudioChannelLoss, AudioPhase, AudioClipping, AudioLoudness)
CODECS = {
    "pcm_s16le": "wav",
    "flac": "mkv",
    "aac": "mp4",
    "mp3": "mp3",
    "ac3": "mkv",
    "opus": "mkv",
    "mp2": "mkv",
}
DEFECTS = (
    Injection("audio-silence", 3.003, 2.5),
    Injection("audio-phase", 8.017, 2.5),
    Injection("audio-clipping", 13.009, 2.0),
    Injection("audio-channel-loss", 18.011, 6.0),
)
"""At times when the programme of this seed is to be heard."""


UNSEEN = {("noise", "mp2")}
"""White noise has no long runs when it is clipped, and MP2's decoder leaves no overshoot."""


def made(path: Path, **recipe: object) -> tuple[Clip, Truth]:
    truth = write_clip(Recipe(picture=None, **recipe), path)  # type: ignore[arg-type]
    return decode_sound(path), truth


Found = dict[str, list[tuple[float, float | None]]]


def found_in(clip: Clip) -> Found:
    """Onset and recovery of all incidents, by detector."""
    told = {kind.name: incidents(kind(), clip.blocks()) for kind in DETECTORS}
    return {name: [(one.onset, one.recovery) for one in those] for name, those in told.items()}


def assert_as_injected(found: Found, truth: Truth) -> None:
    """All defects of the truth were found, where they are, and no other."""
    expected: Found = {kind.name: [] for kind in DETECTORS}
    for defect in truth.defects:
        expected[defect.detector].append((defect.onset_s, defect.recovery_s))
    assert {name: len(those) for name, those in found.items()} == {
        name: len(those) for name, those in expected.items()
    }
    for name, those in expected.items():
        for (onset, recovery), (true_onset, true_recovery) in zip(found[name], those, strict=True):
            assert onset == pytest.approx(true_onset, abs=PRECISION_S), name
            assert recovery == pytest.approx(true_recovery, abs=PRECISION_S), name


@pytest.mark.parametrize("sound", ["programme", "noise", "loud-music"])
@pytest.mark.parametrize("codec", CODECS)
def test_every_defect_is_found_where_it_is(codec: str, sound: str, tmp_path: Path) -> None:
    clip, truth = made(
        tmp_path / f"clip.{CODECS[codec]}",
        duration_s=28,
        sound=sound,
        audio_codec=codec,
        seed=1,
        injections=DEFECTS[:2] + DEFECTS[3:] if (sound, codec) in UNSEEN else DEFECTS,
    )

    assert_as_injected(found_in(clip), truth)


@pytest.mark.parametrize("rate", [8000, 22050, 32000, 44100, 96000])
def test_every_rate_is_heard(rate: int, tmp_path: Path) -> None:
    clip, truth = made(
        tmp_path / "clip.wav",
        duration_s=28,
        sound="mono",
        audio_codec="pcm_s16le",
        audio_rate=rate,
        seed=1,
        injections=DEFECTS,
    )

    assert_as_injected(found_in(clip), truth)


@pytest.mark.parametrize("codec", ["ac3", "opus", "pcm_s16le"])
@pytest.mark.parametrize("channel", [0, 2, 4])
def test_lost_channel_of_surround_is_found(codec: str, channel: int, tmp_path: Path) -> None:
    clip, truth = made(
        tmp_path / "clip.mkv",
        duration_s=15,
        sound="programme",
        audio_codec=codec,
        audio_layout="5.1",
        seed=1,
        injections=[Injection("audio-channel-loss", 5.011, 7.0, {"channel": channel})],
    )

    assert_as_injected(found_in(clip), truth)


@pytest.mark.parametrize("noise_dbfs", [-100, -70])
def test_silence_may_have_noise_in_it(noise_dbfs: float, tmp_path: Path) -> None:
    clip, truth = made(
        tmp_path / "clip.mp4",
        duration_s=9,
        sound="programme",
        seed=1,
        injections=[Injection("audio-silence", 3.003, 3.0, {"noise_dbfs": noise_dbfs})],
    )

    assert_as_injected(found_in(clip), truth)


@pytest.mark.parametrize("codec", ["aac", "opus"])
@pytest.mark.parametrize("change_lu", [-12.0, 12.0])
def test_change_of_loudness_is_found(codec: str, change_lu: float, tmp_path: Path) -> None:
    clip, truth = made(
        tmp_path / f"clip.{CODECS[codec]}",
        duration_s=62,
        sound="programme",
        audio_codec=codec,
        seed=1,
        injections=[Injection("audio-loudness", 10.0, 40.0, {"gain_lu": change_lu})],
    )

    assert_as_injected(found_in(clip), truth)


@pytest.mark.parametrize("gain_db", [9, 12, 20])
@pytest.mark.parametrize("codec", ["aac", "mp3", "ac3", "opus", "mp2"])
def test_sound_clipped_before_encoding_is_found(codec: str, gain_db: float, tmp_path: Path) -> None:
    clip, truth = made(
        tmp_path / f"clip.{CODECS[codec]}",
        duration_s=9,
        sound="loud-music",
        audio_codec=codec,
        seed=5,
        injections=[Injection("audio-clipping", 3.003, 3.0, {"gain_db": gain_db})],
    )

    assert_as_injected(found_in(clip), truth)


@pytest.mark.parametrize("sound", ["programme", "speech", "music", "mono", "noise", "tone"])
@pytest.mark.parametrize("codec", ["pcm_s16le", "aac", "mp3", "opus"])
def test_sound_without_a_defect_opens_nothing(codec: str, sound: str, tmp_path: Path) -> None:
    clip, _ = made(
        tmp_path / f"clip.{CODECS[codec]}", duration_s=20, sound=sound, audio_codec=codec, seed=3
    )

    assert not any(found_in(clip).values())


@pytest.mark.parametrize("codec", ["ac3", "opus"])
@pytest.mark.parametrize("sound", ["programme", "speech", "music"])
def test_surround_without_a_defect_opens_nothing(codec: str, sound: str, tmp_path: Path) -> None:
    clip, _ = made(
        tmp_path / "clip.mkv",
        duration_s=20,
        sound=sound,
        audio_codec=codec,
        audio_layout="5.1",
        seed=3,
    )

    assert not any(found_in(clip).values())


@pytest.mark.parametrize("codec", CODECS)
def test_loud_music_is_not_clipped(codec: str, tmp_path: Path) -> None:
    clip, _ = made(
        tmp_path / f"clip.{CODECS[codec]}",
        duration_s=20,
        sound="loud-music",
        audio_codec=codec,
        seed=4,
    )

    assert clip.samples.max() > 0.9
    assert not any(found_in(clip).values())
