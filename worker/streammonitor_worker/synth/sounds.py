"""Sounds to listen to: speech, music and signals, and what detectors must not mistake for a defect.

A sound is made once, as a loop without a seam, and read at any place. Makers give two stems, a
centre and a pair of sides; one place distributes them over mono, stereo and 5.1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import ceil
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from streammonitor_api.errors import InputError, suggestion
from streammonitor_worker.synth.loudness import F32, integrated_loudness

F64 = NDArray[np.float64]

LOOP_S = 20.0
"""Seconds until a sound comes again: long for a listener, short to make (about 0.2 s)."""

PROGRAMME_LUFS = -23.0
"""EBU R128."""

_ROOM_DBFS = -72.0
"""Noise of a studio in the pauses of speech: well below what counts as silence (-60 dBFS)."""


class Loop:
    """A sound that goes on for ever: (channels, count) float32, full scale is ±1."""

    def __init__(self, samples: F32) -> None:
        self.samples = samples

    def read(self, first: int, count: int) -> F32:
        """Give a copy of `count` samples of each channel from sample `first` on."""
        places = np.arange(first, first + count) % self.samples.shape[1]
        block: F32 = self.samples[:, places]
        return block


def make_sound(
    name: str, rate: int, channels: tuple[str, ...], seed: int, duration_s: float
) -> Loop:
    """Make the sound of that name. Raises InputError where there is none."""
    if name not in SOUNDS:
        raise InputError(f'sound "{name}": unknown; {suggestion(name, SOUNDS)}')
    return _loop(name, rate, channels, seed, min(LOOP_S, ceil(duration_s)))


@dataclass(frozen=True)
class _Stems:
    centre: F64  # (count,)
    sides: F64  # (2, count)


_Maker = Callable[[int, int, np.random.Generator], _Stems]
"""From samples, rate and randomness to the stems."""


@dataclass(frozen=True)
class _Sound:
    make: _Maker
    lufs: float | None = None
    """Loudness to bring it to; None leaves the level as made."""
    limited: bool = False
    """Driven into a soft limiter and mastered up to full scale."""


@lru_cache(maxsize=8)  # tests make many clips with the same sound
def _loop(name: str, rate: int, channels: tuple[str, ...], seed: int, seconds: float) -> Loop:
    sound = SOUNDS[name]
    count = round(seconds * rate)
    rng = np.random.default_rng([seed, *name.encode()])
    samples = _distribute(sound.make(count, rate, rng), rate, channels)
    if sound.lufs is not None:
        samples *= 10 ** ((sound.lufs - integrated_loudness(samples, rate, channels)) / 20)
    if sound.limited:
        # Only the highest peaks reach full scale: tanh bends all others below them. Driven by
        # more than this, they would stay there for a dozen samples, which is clipping.
        samples = np.tanh(1.5 * samples)
        samples /= np.abs(samples).max()
    samples.setflags(write=False)
    return Loop(samples)


def _distribute(stems: _Stems, rate: int, channels: tuple[str, ...]) -> F32:
    centre, (left, right) = stems.centre, stems.sides
    if channels == ("FC",):
        return np.stack([centre + 0.5 * (left + right)]).astype(np.float32)
    front = {"FL": left + 0.5 * centre, "FR": right + 0.5 * centre}
    if len(channels) == 2:
        return np.stack([front[channel] for channel in channels]).astype(np.float32)
    late = round(0.02 * rate)  # a hall's first echo
    window = round(rate / 120)  # the low-frequency channel ends at 120 Hz
    everything = np.cumsum(np.concatenate(([0.0], centre + left + right)))
    low = np.resize((everything[window:] - everything[:-window]) / window, len(centre))
    around = {"FC": centre + 0.25 * (left + right), "LFE": 0.5 * low}
    around |= {"BL": 0.5 * np.roll(left, late), "BR": 0.5 * np.roll(right, late)}
    around["BL"] += 0.25 * centre
    around["BR"] += 0.25 * centre
    return np.stack([(front | around)[channel] for channel in channels]).astype(np.float32)


def _add(loop: F64, start: int, piece: F64) -> None:
    """Add a piece to a loop; what goes beyond the end comes in at the beginning."""
    count = loop.shape[-1]
    piece = piece[..., :count]
    start %= count
    first = min(piece.shape[-1], count - start)
    loop[..., start : start + first] += piece[..., :first]
    loop[..., : piece.shape[-1] - first] += piece[..., first:]


def _speech(count: int, rate: int, rng: np.random.Generator) -> _Stems:
    """Phrases of 1 to 3 s of syllables, pauses of 0.3 to 1.5 s."""
    voice = 10 ** (_ROOM_DBFS / 20) * rng.standard_normal(count)
    place, phrase_end = 0.0, rng.uniform(1, 3)
    while place < count / rate - 0.5:
        length = rng.uniform(0.14, 0.28)
        _add(voice, round(place * rate), 0.25 * _syllable(round(length * rate), rate, rng))
        place += length
        if place > phrase_end:
            place += rng.uniform(0.3, 1.5)
            phrase_end = place + rng.uniform(1, 3)
    return _Stems(voice, np.zeros((2, count)))


def _syllable(count: int, rate: int, rng: np.random.Generator) -> F64:
    """A vowel (harmonics under two formants) after a hiss of 40 ms."""
    time = np.arange(count) / rate
    pitch = rng.uniform(95, 150)
    phase = 2 * np.pi * pitch * (time - 0.15 * time**2)
    formants = rng.uniform(350, 800), rng.uniform(900, 2300)
    harmonics = np.arange(1, 20)
    gains = sum(1 / (1 + ((harmonics * pitch - f) / 120) ** 2) for f in formants)
    vowel = np.asarray(gains) @ np.sin(harmonics[:, None] * phase)
    hiss = 0.3 * np.diff(rng.standard_normal(count + 1)) * (time < 0.04)
    return (vowel / 2 + hiss) * np.sin(np.pi * np.arange(count) / count) ** 0.5


def _music(count: int, rate: int, rng: np.random.Generator) -> _Stems:
    """Chords that change each second, plucked notes left and right; never quite silent."""
    sides = np.zeros((2, count))
    chords = ((0, 4, 7), (-3, 0, 4), (-7, -3, 0), (-5, -1, 2))
    notes = {step: 0.06 * _note(220 * 2 ** (step / 12), rate, rng) for step in range(-7, 25)}
    for beat in range(max(1, count * 4 // rate)):
        for step in (*chords[beat // 4 % 4], 12 * int(rng.integers(0, 3))):
            wide = rng.uniform(0.35, 1)
            _add(sides, beat * rate // 4, np.array([[wide], [1.35 - wide]]) * notes[step])
    return _Stems(np.zeros(count), sides)


def _note(frequency: float, rate: int, rng: np.random.Generator) -> F64:
    time = np.arange(rate) / rate
    attack = np.minimum(time / 0.005, 1)
    phases = rng.uniform(0, 2 * np.pi, 3)
    tones = sum(
        np.sin(2 * np.pi * n * frequency * time + phases[n - 1]) / n**1.5 for n in (1, 2, 3)
    )
    return np.asarray(tones * attack * (np.exp(-3 * time) - np.exp(-3.0)))


def _music_with_rests(count: int, rate: int, rng: np.random.Generator) -> _Stems:
    """Music that stops for 0.9 s in every 6 s, as between two movements."""
    stems = _music(count, rate, rng)
    time = np.arange(count) / rate % 6
    edge = np.clip(np.maximum(4 - time, time - 4.9) / 0.05, 0, 1)
    return _Stems(stems.centre, stems.sides * edge)


def _mix(count: int, rate: int, rng: np.random.Generator) -> _Stems:
    voice, music = _speech(count, rate, rng), _music(count, rate, rng)
    return _Stems(voice.centre, 0.5 * music.sides)


def _mono(count: int, rate: int, rng: np.random.Generator) -> _Stems:
    mix = _mix(count, rate, rng)
    return _Stems(mix.centre + mix.sides.sum(0), np.zeros((2, count)))


def _tone(count: int, rate: int, rng: np.random.Generator) -> _Stems:
    """1 kHz with peaks at -20 dBFS in stereo: SMPTE RP 155's line-up tone."""
    return _Stems(0.2 * np.sin(2 * np.pi * 1000 / rate * np.arange(count)), np.zeros((2, count)))


def _noise(count: int, rate: int, rng: np.random.Generator) -> _Stems:
    return _Stems(np.zeros(count), 0.05 * rng.standard_normal((2, count)))


def _silence(count: int, rate: int, rng: np.random.Generator) -> _Stems:
    return _Stems(np.zeros(count), np.zeros((2, count)))


SOUNDS: Mapping[str, _Sound] = MappingProxyType(
    {
        "programme": _Sound(_mix, PROGRAMME_LUFS),
        "loud-music": _Sound(_music, -14.0, limited=True),
        "mono": _Sound(_mono, PROGRAMME_LUFS),
        "music": _Sound(_music_with_rests, PROGRAMME_LUFS),
        "noise": _Sound(_noise, PROGRAMME_LUFS),
        "silence": _Sound(_silence),
        "speech": _Sound(_speech, PROGRAMME_LUFS),
        "tone": _Sound(_tone),
    }
)
