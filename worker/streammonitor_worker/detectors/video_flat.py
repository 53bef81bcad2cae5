"""video-flat: the picture is one uniform colour that is not black.

Green is what decoders show that lost a whole picture, grey what they show that lost the key
picture, blue what receivers show that lost the signal.

Measure
    How far the picture is from being uniform, in levels of 8 bits: the most of its three planes;
    of each, the range of the means of tiles of 8×8 samples, or an eighth of the range of the
    samples if that is more. 0 to 255.
Reads
    `Picture.probe` while the picture is not uniform; `Picture.small` and thinned-out chroma when
    it is.
Not a defect
    Black (see video-black). A sky, fog, a gradient, a dark scene: they span more levels than
    noise does. A page with a line of text or a clock: one detail of 50 levels is enough. A fade
    through white: shorter than the alarm duration. Colours of the same luma: all planes count.
Limits
    A logo that is inserted after the picture was lost keeps the field from being uniform.
Source
    No standard has a figure. Measured: a field of one colour with noise of 4 levels (RMS, a bad
    analogue source) has a spread of 4.5, encoded by H.264, HEVC or MPEG-2 of 1 or less; the
    faintest of the gradients and fogs in tests has 10.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from streammonitor_worker.detectors.base import Detector, Measure, Settings, setting
from streammonitor_worker.media import Picture
from streammonitor_worker.media.uniform import FLAT_SPREAD


@dataclass(frozen=True, kw_only=True)
class VideoFlatSettings(Settings):
    spread: float = setting(
        FLAT_SPREAD,
        what="range of levels up to which a picture counts as one colour",
        source="measured: uniform fields with noise have 4.5, the faintest gradients 10",
        unit="levels",
        minimum=0.0,
        maximum=FLAT_SPREAD,
    )


class VideoFlat(Detector[Picture]):
    """The picture is one uniform colour that is not black."""

    name = "video-flat"
    reads = Picture
    unit = "levels"
    severity = "critical"
    alarm_after = 1.0
    clear_after = 1.0
    settings_type = VideoFlatSettings

    @property
    def threshold(self) -> float:
        return float(self.settings.spread)

    def observe(self, picture: Picture) -> Iterator[Measure]:
        """Spread of the picture (levels); present at or below `spread`, unless it is black."""
        value = picture.spread
        evidence = None
        if present := value <= self.settings.spread and not picture.is_black:
            names = ("luma", "blue_difference", "red_difference")
            evidence = dict(zip(names, picture.colour, strict=False))
        yield Measure(picture.time, picture.end, present, value, evidence=evidence)
