"""Spoils sounds: exact to the sample.

A defect changes a block of samples in place, given its options. Blocks are what of the sound lies
within the defect, in any cut.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from streammonitor_worker.synth.loudness import F32
from streammonitor_worker.synth.options import Rule, Rules
from streammonitor_worker.synth.recipe import Option

_NOTHING_DBFS = -150.0
"""Below the last bit of 24."""


@dataclass(frozen=True)
class SoundDefect:
    apply: Callable[[F32, Mapping[str, Option]], None]
    rules: Rules
    channels: int = 1
    """How many the sound must have."""


def _silence(block: F32, options: Mapping[str, Option]) -> None:
    """Nothing, or noise whose mean square is at `noise_dbfs`."""
    block[:] = 0
    noise = float(options["noise_dbfs"])
    if noise > _NOTHING_DBFS:
        rng = np.random.default_rng(block.size)
        block[:] = 10 ** (noise / 20) * rng.standard_normal(block.shape, dtype=np.float32)


def _lose_channel(block: F32, options: Mapping[str, Option]) -> None:
    block[int(options["channel"])] = 0


def _invert(block: F32, _: Mapping[str, Option]) -> None:
    """Right is left upside down: gone when both are added."""
    block[1] = -block[0]


def _clip(block: F32, options: Mapping[str, Option]) -> None:
    np.clip(block * 10 ** (float(options["gain_db"]) / 20), -1, 1, out=block)


def _change_gain(block: F32, options: Mapping[str, Option]) -> None:
    block *= np.float32(10 ** (float(options["gain_lu"]) / 20))


SOUND_DEFECTS: Mapping[str, SoundDefect] = MappingProxyType(
    {
        "audio-channel-loss": SoundDefect(
            _lose_channel, {"channel": Rule(1, minimum=0, maximum=5)}, channels=2
        ),
        # 30 dB drives a programme at -23 LUFS far beyond full scale for most of each period.
        "audio-clipping": SoundDefect(_clip, {"gain_db": Rule(30.0, minimum=0, maximum=60)}),
        # From -23 to -35 LUFS.
        "audio-loudness": SoundDefect(
            _change_gain, {"gain_lu": Rule(-12.0, minimum=-60, maximum=30)}
        ),
        "audio-phase": SoundDefect(_invert, {}, channels=2),
        "audio-silence": SoundDefect(
            _silence, {"noise_dbfs": Rule(_NOTHING_DBFS, minimum=_NOTHING_DBFS, maximum=0)}
        ),
    }
)
