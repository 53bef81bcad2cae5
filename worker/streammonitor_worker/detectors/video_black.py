"""video-black: the picture is black.

Measure
    Share of pixels whose luma is below `level`, 0 to 1. `level` is a share of the nominal range:
    0.10 means 37 for limited range (16 + 0.10 · 219) and 25 for full range.
Reads
    `Picture.small`; `Picture.luma`, every pixel, when the share is close to the threshold.
Not a defect
    A dark scene, a logo or credits on black: pixels are counted, not averaged, so a few bright
    ones keep the picture from being black however low its mean is.
Limits
    A graphic smaller than 1 - `share` of the picture does not keep it from being black.
Source
    FFmpeg, libavfilter/vf_blackdetect.c: picture_black_ratio_th 0.98, pixel_black_th 0.10,
    black_min_duration 2 s. AWS MediaConnect has the same defaults with 10 s.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from streammonitor_worker.detectors.base import Detector, Measure, Settings, setting
from streammonitor_worker.media import Picture

_CLOSE = 0.02
"""Within this distance of the threshold every pixel is counted: thinning out by 16 is off by less
than 0.01 on text and graphics of 1080p."""


@dataclass(frozen=True, kw_only=True)
class VideoBlackSettings(Settings):
    share: float = setting(
        0.98,
        what="share of the pixels that must be black",
        source="FFmpeg blackdetect picture_black_ratio_th",
        minimum=0.5,
        maximum=1.0,
    )
    level: float = setting(
        0.10,
        what="luma below which a pixel is black, as a share of the nominal range",
        source="FFmpeg blackdetect pixel_black_th",
        minimum=0.0,
        maximum=0.5,
    )


class VideoBlack(Detector[Picture]):
    """The picture is black."""

    name = "video-black"
    reads = Picture
    unit = "share"
    severity = "critical"
    alarm_after = 2.0
    clear_after = 1.0
    settings_type = VideoBlackSettings

    @property
    def threshold(self) -> float:
        return float(self.settings.share)

    def observe(self, picture: Picture) -> Iterator[Measure]:
        """Share of black pixels (0-1); present at or above `share`."""
        level = int(picture.black + self.settings.level * (picture.white - picture.black))
        small = picture.small
        value = np.count_nonzero(small <= level) / small.size
        if picture.step > 1 and abs(value - self.settings.share) < _CLOSE:
            limit = level << (picture.depth - 8)
            value = np.count_nonzero(picture.luma <= limit) / picture.luma.size
        if value < self.settings.share:
            yield Measure(picture.time, picture.end, False, value)
            return
        evidence = {"black_share": round(value, 4), "mean_luma": round(picture.mean, 1)}
        yield Measure(picture.time, picture.end, True, value, evidence=evidence)
