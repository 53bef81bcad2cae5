"""video-block-corruption: parts of the picture are made up of wrong blocks.

Measure
    Share of the borders between blocks that have become seams since the damage began, 0 to 1.
    Present from the picture in which the decoder had to fill in lost parts, as what follows is
    predicted from it, until a key picture is whole again; and, whatever the decoder says, from the
    picture in which `share` of the borders become seams at once, while they stay; and in pictures
    in which `misfits` of them came and stay for 0.2 s, while those between blocks do not.
Reads
    Four of 32 rows of `Picture.luma`, or of 64 where it has 700 or more; rows between them and
    columns, where the first are suspicious; `Picture.corrupt`, `Picture.key`, `Picture.change`.
Not a defect
    Ordinary blockiness of low bit rates, most of which comes with key pictures; mosaics, whose
    seams come all the time, or with which what was inside of the blocks goes; a cut, whose edges
    come everywhere, not only on borders of blocks; a rectangle that appears, as it has but two
    borders each way.
Limits
    What was encoded again and is damaged without steps on the borders of blocks is not seen: moved
    and frozen parts, whole pictures that were lost, flat graphics; nor what was scaled, as that
    moves the borders. Of 112 damaged streams encoded again at crf 20-28, on none of which a
    threshold was chosen, 29 % were told (54 % of those with more than 30 % of the picture wrong),
    three fifths of them to the picture and a third more than five pictures late, as most seams come
    after the first picture. Of 85 look-alikes two were told: a mosaic that pulses, and a picture of
    twice its size. What the decoder filled in is told although it may not be seen, in a picture
    that stands still.
Source
    alarm after 0.2 s: DESIGN; five pictures at 25/s. `share` was measured: blocks painted over a
    sixth of a picture make 10 % of its borders seams; captions, slides and pictures in pictures
    that appear, up to 4 %.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from streammonitor_worker.detectors.base import Detector, Measure, Settings, setting
from streammonitor_worker.media import Picture
from streammonitor_worker.media.seams import (
    SEGMENT,
    borders_apart,
    new_seams,
    seams,
    share_between,
    share_of,
    texture,
)
from streammonitor_worker.media.suspicion import Suspicion, changed_share

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Map = NDArray[np.bool_]

_LONGEST_S = 10.0
"""Damage that no key picture ends is over by then: streams that refresh bit by bit do so within
the 10 s of the longest groups of pictures."""
_STAYS = 0.2
"""Share of the seams that came at once which must stay: the next pictures deblock some."""
_AT_KEY = 1.4
"""Times as many seams in a key picture: at 300 kb/s those of 480 lines make 0.07 of the borders
seams, which the pictures after them smooth out."""
_CUT_SHARE = 0.7
"""Share of pixels that change at a cut; painted damage changed up to 0.5 of them."""
_LEFT = 0.25
"""Share of the texture inside of blocks that the least gross damage leaves; a mosaic, a tenth."""
_UNUSUAL = 3.0
"""Times as many seams as lately: moving mosaics make new ones all the time."""
_FORGETS = 0.99
"""What is left of the usual number from picture to picture: half after 70."""
_SETTLED = 12
"""Pictures after a start or a cut before seams may be judged: half a second."""


@dataclass(frozen=True, kw_only=True)
class VideoBlockCorruptionSettings(Settings):
    share: float = setting(
        0.06,
        what="share of the borders between blocks that must become seams at once, where the "
        "decoder reports nothing",
        source="measured: painted damage 0.10, graphics that appear up to 0.04",
        minimum=0.01,
        maximum=1.0,
    )
    misfits: float = setting(
        0.0006,
        what="share of the sides of macroblocks that must become seams and stay, where damage is "
        "not gross; 1 looks for gross damage only",
        source="measured: pictures in pictures up to 0.0006, damage encoded again 0.001 to 0.03",
        minimum=0.0001,
        maximum=1.0,
    )


class VideoBlockCorruption(Detector[Picture]):
    """Parts of the picture are made up of wrong blocks."""

    name = "video-block-corruption"
    reads = Picture
    unit = "share"
    severity = "critical"
    alarm_after = 0.2
    clear_after = 1.0
    bridge = 0.1
    settings_type = VideoBlockCorruptionSettings

    def __init__(self, settings: Settings | None = None) -> None:
        super().__init__(settings)
        self._before: Map | None = None
        self._pictures = 0
        self._reported_at: float | None = None
        """When the decoder last said that it had filled something in."""
        self._came: Map | None = None
        """The seams that have come since the damage began; None without damage."""
        self._peak = 0.0
        self._usual = 0.0
        self._suspect: Map | None = None
        """The seams that have come since there is a suspicion; None without."""
        self._suspicion = Suspicion(self.settings.misfits, self.settings.share)

    @property
    def threshold(self) -> float:
        return float(self.settings.share)

    def observe(self, picture: Picture) -> Iterator[Measure]:
        """Share of borders that have become seams (0-1); present while there is damage."""
        luma = picture.to_8_bits(picture.luma)
        now = seams(luma, apart=borders_apart(picture.height))
        before, self._before = self._before, now
        if before is None or before.shape != now.shape:
            self._came = self._reported_at = None
            self._pictures = 0
            self._suspicion.reset()
            before = now
        self._pictures += 1
        came = new_seams(now, before)
        if picture.corrupt:
            self._reported_at = picture.time
        if self._came is None:
            self._came = self._begin(picture, came)
        elif self._is_over(picture, now):
            self._came = self._reported_at = None
        if self._came is not None:
            self._suspicion.reset()
            self._came |= came
            yield _present(picture, self._came)
            return
        at_once = share_of(came)
        since = self._suspicion.look(picture, at_once)
        if self._suspicion.is_idle:
            self._suspect = None
        else:
            self._suspect = came.copy() if self._suspect is None else self._suspect | came
        if since is None or self._suspect is None:
            yield Measure(picture.time, picture.end, False, at_once)
        else:
            yield _present(picture, self._suspect, since)

    def _begin(self, picture: Picture, came: Map) -> Map | None:
        """The seams that came with the damage, if it begins here."""
        if self._reported_at is not None:
            self._peak = 0.0
            return came.copy()
        luma = picture.to_8_bits(picture.luma)
        at_once = share_of(came)
        usual, self._usual = self._usual, max(at_once, _FORGETS * self._usual)
        wanted = self.settings.share * (_AT_KEY if picture.key else 1.0)
        if self._pictures < _SETTLED or at_once < max(wanted, _UNUSUAL * usual):
            return None
        if (
            changed_share(picture) > _CUT_SHARE
            or at_once - share_between(luma, borders_apart(picture.height)) < wanted
        ):
            return None
        if _is_mosaic(picture):
            self._suspicion.reset()
            return None
        self._peak = at_once
        return came.copy()

    def _is_over(self, picture: Picture, now: Map) -> bool:
        if self._reported_at is not None:
            if picture.corrupt:
                return False
            return picture.key or picture.time - self._reported_at > _LONGEST_S
        assert self._came is not None  # noqa: S101 - asked only while there is damage
        return share_of(now & self._came) < _STAYS * self._peak


def _is_mosaic(picture: Picture) -> bool:
    """Whether little is left inside of blocks of what was there: damage leaves other parts as they
    are, an effect that shows a picture in large blocks does not."""
    before = picture.previous_luma
    return before is not None and texture(picture.to_8_bits(picture.luma)) < _LEFT * texture(before)


def _present(picture: Picture, came: Map, since: float | None = None) -> Measure:
    share = share_of(came)
    evidence = {"damaged_share": round(share, 4), "box": _box(came, borders_apart(picture.height))}
    return Measure(picture.time, picture.end, True, share, since=since, evidence=evidence)


def _box(came: Map, apart: int) -> list[int] | None:
    """The damaged area, pixels: left, top, right, bottom; None where no seam was found."""
    if not came.any():
        return None
    rows, columns = (np.flatnonzero(came.any(axis=axis)) for axis in (1, 0))
    left, right = int(columns[0]) * SEGMENT, int(columns[-1] + 1) * SEGMENT
    top, bottom = int(rows[0]) * apart, int(rows[-1] + 1) * apart
    return [left, top, right, bottom]
