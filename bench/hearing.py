"""What the detectors of sound cost: CPU milliseconds for each second of sound.

    python bench/hearing.py [--seconds 60] [--runs 5]

Target: 3 ms for all five on stereo at 48 kHz, with the making of the blocks; clipped sound is
looked at more closely and may cost more. The best of the runs counts: the least disturbed one.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streammonitor_worker.detectors.audio_channel_loss import AudioChannelLoss
from streammonitor_worker.detectors.audio_clipping import AudioClipping
from streammonitor_worker.detectors.audio_loudness import AudioLoudness
from streammonitor_worker.detectors.audio_phase import AudioPhase
from streammonitor_worker.detectors.audio_silence import AudioSilence
from streammonitor_worker.media import Sound
from streammonitor_worker.media.sound import BLOCK_CHUNKS, chunk_samples
from streammonitor_worker.synth.recipe import LAYOUTS
from streammonitor_worker.synth.sounds import make_sound

KINDS = (AudioSilence, AudioChannelLoss, AudioPhase, AudioClipping, AudioLoudness)
CASES = (
    ("programme", "stereo", 48000, 1.0),
    ("speech", "stereo", 48000, 1.0),
    ("loud-music", "stereo", 48000, 1.0),
    ("programme", "stereo", 48000, 31.6),
    ("programme", "5.1", 48000, 1.0),
    ("programme", "stereo", 192000, 1.0),
)
"""Sound, layout, rate, gain before it is cut at full scale: 31.6 is 30 dB."""


def blocks_of(samples: NDArray[np.float32], rate: int, channels: tuple[str, ...]) -> list[Sound]:
    size = BLOCK_CHUNKS * chunk_samples(rate)
    return [
        Sound(part, track="audio:0", time=first / rate, rate=rate, channels=channels)
        for first in range(0, samples.shape[1] - size + 1, size)
        for part in [samples[:, first : first + size]]
    ]


def cost(samples: NDArray[np.float32], rate: int, channels: tuple[str, ...]) -> dict[str, float]:
    """CPU seconds of each detector; what they share is paid by the first that asks."""
    spent = {}
    began = time.thread_time()
    blocks = blocks_of(samples, rate, channels)
    spent["blocks"] = time.thread_time() - began
    for kind in KINDS:
        detector = kind()
        began = time.thread_time()
        for block in blocks:
            for _ in detector.observe(block):
                pass
        spent[kind.name] = time.thread_time() - began
    return spent


def report(case: tuple[str, str, int, float], seconds: float, runs: int) -> str:
    sound, layout, rate, gain = case
    channels = LAYOUTS[layout]
    samples = make_sound(sound, rate, channels, 1, seconds).read(0, round(seconds * rate))
    np.clip(samples * gain, -1, 1, out=samples)
    best: dict[str, float] = {}
    for _ in range(runs):
        for name, spent in cost(samples, rate, channels).items():
            best[name] = min(best.get(name, spent), spent)
    each = ", ".join(f"{name} {1e3 * spent / seconds:.2f}" for name, spent in best.items())
    clipped = ", clipped" if gain > 1 else ""
    total = 1e3 * sum(best.values()) / seconds
    return f"{sound}{clipped}, {layout}, {rate} Hz: {total:.2f} ms/s ({each})"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args(arguments)
    for case in CASES:
        print(report(case, options.seconds, options.runs))


if __name__ == "__main__":
    main()
