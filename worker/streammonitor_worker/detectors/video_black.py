"""video-black: the picture is black.

Measure
    Share of the pixels that are black, 0 to 1: luma of at most `level`, a share of the nominal
    range (0.10 means 37 for limited range, 16 + 0.10 · 219, and 25 for full range), and chroma no
    farther from neutral than that share of its own range.
Reads
    `Picture.probe` while the picture is far from black; `Picture.small` when it is not;
    `Picture.luma`, every pixel, when the picture is or may be black.
Not a defect
    A dark scene, a logo or credits on black: pixels are counted, not averaged, so a few bright
    ones keep the picture from being black however low its mean is. A field of blue or of the
    green that lost planes leave has the luma of black, but not its chroma: that is video-flat.
Limits
    A graphic smaller than 1 - `share` of the picture does not keep it from being black.
Source
    FFmpeg, libavfilter/vf_blackdetect.c: picture_black_ratio_th 0.98, pixel_black_th 0.10,
    black_min_duration 2 s. AWS MediaConnect has the same defaults with 10 s.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from streammonitor_worker.detectors.base import Detector, Measure, Settings, setting
from streammonitor_worker.media import Picture
from streammonitor_worker.media.uniform import BLACK_LEVEL, BLACK_SHARE


@dataclass(frozen=True, kw_only=True)
class VideoBlackSettings(Settings):
    share: float = setting(
        BLACK_SHARE,
        what="share of the pixels that must be black",
        source="FFmpeg blackdetect picture_black_ratio_th",
        minimum=0.5,
        maximum=1.0,
    )
    level: float = setting(
        BLACK_LEVEL,
        what="luma up to which a pixel is black, as a share of the nominal range",
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
        value = picture.black_share(self.settings.level, self.settings.share)
        evidence = None
        if present := value >= self.settings.share:
            evidence = {"black_share": round(value, 4), "mean_luma": round(picture.mean, 1)}
        yield Measure(picture.time, picture.end, present, value, evidence=evidence)
