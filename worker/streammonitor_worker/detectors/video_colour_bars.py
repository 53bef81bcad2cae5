"""video-colour-bars: the picture shows colour bars, a test signal that nobody shall see.

Measure
    Share of the picture's width that seven bars cover, from the white to the blue one, 0 to 1;
    0 where they are not all there, in order, and about equally wide.
Reads
    Three rows of `Picture.small`; where they are alike, 9 rows of all planes.
Not a defect
    Stripes and flags: no other picture has these seven colours in this order. A test card that
    contains bars: they are narrower than `share`, or not in the upper half. An ident box, a
    clock or a logo over bars does not hide them.
Limits
    Bars turned by 90 degrees, bars in a part of the picture (a multiviewer), and those of
    ITU-R BT.2111 for HDR, whose colours differ, are not recognised.
Source
    SMPTE EG 1 and RP 219, ITU-R BT.471 (EBU bars): see `media/bars.py`. The bars of RP 219 cover
    0.75 of the width, those of EG 1 all of it, EBU's 0.875; 4:3 bars between pillars 0.66 to 0.75.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from streammonitor_worker.detectors.base import Detector, Measure, Settings, setting
from streammonitor_worker.media import Picture
from streammonitor_worker.media.bars import BAR_SHARE


@dataclass(frozen=True, kw_only=True)
class VideoColourBarsSettings(Settings):
    share: float = setting(
        BAR_SHARE,
        what="share of the picture's width that the bars must cover",
        source="SMPTE EG 1, RP 219, ITU-R BT.471: 0.66 for EBU bars of 4:3 in 16:9, else more",
        minimum=0.3,
        maximum=0.9,
    )


class VideoColourBars(Detector[Picture]):
    """The picture shows colour bars."""

    name = "video-colour-bars"
    reads = Picture
    unit = "share"
    severity = "critical"
    alarm_after = 2.0
    clear_after = 1.0
    settings_type = VideoColourBarsSettings

    @property
    def threshold(self) -> float:
        return float(self.settings.share)

    def observe(self, picture: Picture) -> Iterator[Measure]:
        """Share of the width that bars cover (0-1); present at or above `share`."""
        value = picture.bar_share
        evidence = None
        if present := value >= self.settings.share:
            evidence = {"bars_share_of_width": round(value, 3)}
        yield Measure(picture.time, picture.end, present, value, evidence=evidence)
