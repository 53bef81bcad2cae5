"""audio-silence: nothing is to be heard.

Measure
    Level of the loudest channel in 5 ms, in dBFS (that of a sine of the same power, so that a
    full-scale sine is 0), -120 to 0 or a little more; present below `level` in all channels.
Reads
    `Sound.levels`, by way of `media.quiet`: edges are where they were before encoding.
Not a defect
    Pauses of speech and rests of music, which are shorter than the alarm duration; a quiet
    programme; a codec's priming samples; the last, partly filled frame of a file.
Limits
    Bass below 50 Hz on its own counts only above about -40 dBFS, because 5 ms hold too little of
    a period. A second language that is not in use is silent: leave its track out.
Source
    FFmpeg, libavfilter/af_silencedetect.c: noise -60 dB, duration 2 s. AWS MediaConnect's silent
    audio monitor, TAG and Etere have -60 to -70 dB. The unit is that of AES17.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from streammonitor_worker.detectors.base import Detector, Measure, Settings, setting
from streammonitor_worker.media import Sound
from streammonitor_worker.media.quiet import QuietTrail
from streammonitor_worker.media.sound import dbfs


@dataclass(frozen=True, kw_only=True)
class AudioSilenceSettings(Settings):
    level: float = setting(
        -60.0,
        what="level below which a channel is silent",
        source="FFmpeg silencedetect noise",
        unit="dBFS",
        minimum=-110.0,
        maximum=-20.0,
    )


class AudioSilence(Detector[Sound]):
    """Nothing is to be heard."""

    name = "audio-silence"
    reads = Sound
    unit = "dBFS"
    severity = "critical"
    alarm_after = 2.0
    clear_after = 1.0
    settings_type = AudioSilenceSettings

    def __init__(self, settings: Settings | None = None) -> None:
        super().__init__(settings)
        self._trail = QuietTrail(10 ** (self.settings.level / 20))

    @property
    def threshold(self) -> float:
        return float(self.settings.level)

    def observe(self, sound: Sound) -> Iterator[Measure]:
        """Level of the loudest channel (dBFS); present below `level`."""
        stretch = self._trail.follow(sound)
        if stretch is None:
            return
        if not stretch.any_quiet:
            loudest = dbfs(float(stretch.levels.max()))
            yield Measure(float(stretch.edges[0]), float(stretch.edges[-1]), False, loudest)
            return
        silent = np.logical_and.reduce(stretch.quiet, axis=0)
        for first, last, start, end in stretch.runs(silent):
            present = bool(silent[first])
            levels = stretch.levels[:, first:last]
            if present:  # without the codec's echo at the edges, which is above the threshold
                levels = np.where(levels < self._trail.floor, levels, 0)
            each = [dbfs(float(level)) for level in levels.max(axis=1)]
            evidence = {"levels_dbfs": _by_name(sound.channels, each)} if present else None
            yield Measure(start, end, present, max(each), evidence=evidence)


def _by_name(channels: tuple[str, ...], levels: list[float]) -> dict[str, float]:
    return {name: round(level, 1) for name, level in zip(channels, levels, strict=True)}
