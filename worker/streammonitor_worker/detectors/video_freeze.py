"""video-freeze: the picture stands still although the programme goes on.

Measure
    Drift against the first frozen picture, -100 to 0 dB of full scale: RMS change of the means
    of tiles of 8×8 samples of `Picture.small`. Present while it is at most `drift` and nothing
    below says that the picture lives; `since` is the first of the pictures that are the same.
Reads
    `Picture.probe`; `Picture.tiles` when it moves little; thinned-out chroma and, a stripe a
    picture so that all of it is seen twice a second, `Picture.luma` in full when it rests.
How noise is told from life
    Quantisation noise nearly cancels out in a tile; movement adds up against the first picture.
    The smallest movement that must be seen and the largest noise that must not be were measured
    on 300 frozen and 480 living clips (H.264 at constant quality 18 to 40 and 300 kb/s to 1 Mb/s,
    HEVC, AV1, VP8, VP9, MPEG-2 at quantiser 5 to 24 and from 600 kb/s, key pictures each 0.4 to
    4 s, encoded once or twice), within 1.8 s:

        drift                   frozen up to 1.8 levels (2.3 are allowed: -41 dB); a pan of 1/50
                                pixel a picture 2.4, a dissolve of 30 s 3.1, a pan of 1/10 11
        the same, dark or pale  frozen up to 0.41 of the contrast between tiles, pans from 0.51:
                                no more than 0.45 of it is allowed
        detail (see `Still`)    frozen up to 3.4, digits of 8×12 pixels from 3.6 to 45 (3.5)
        fade                    frozen up to 0.44 levels, H.264 at quality 40 0.88 (0.9)

    A key picture after which the rest is of a coarser quality may drift 2.3 times as far.
    Grain goes nowhere but never rests: of the changes from picture to picture during 1.5 s the
    largest fifth is at most 2.1 times the smallest; a codec changes a frozen picture in bursts.
Where it begins and ends
    A movement goes on while each change is at least half of what was usual in it. So the onset
    is the last picture that moved, even if slowly, and not a keyframe or a refinement after it.
    An encoder short of bits goes on to draw what has stopped: see `media.arrival`.
    A picture that seems to move again is held back for up to 0.3 s until it is known whether it
    does: the recovery is the first that did. A detail that has changed is in doubt for 1.6 s: what
    rests then was drawn anew, which is believed twice and with key pictures; what goes on lives.
Not a defect
    A slide with a clock, a cursor, a talking head: one living detail is enough. A slow pan, zoom,
    fade or dissolve. Film at 23.976 shown at 29.97, cartoons on threes: repeats are short, and
    after a freeze a picture must rest for 1.5 s before it is taken for the freeze going on.
    Black, a flat field and colour bars have detectors of their own: one cause is told once.
Limits
    Life that the encoder has removed is frozen: grain below 1 Mb/s, digits of 30 levels. Details
    that change with key pictures only, or by less than those do at H.264's quality 40 or 150 kb/s
    for 360p, may be taken for these: of 18 clips of 360p with a digit of 8×12 to 16×24 samples at
    quality 40 nine were, in eight of which nothing was left to change between key pictures.
Source
    FFmpeg, libavfilter/vf_freezedetect.c: the first frozen picture as the reference, duration
    2 s. Its mean difference of at most -60 dB finds no freeze whose key pictures differ (they do
    by -45 dB), and overlooks a small clock (-73 dB).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from streammonitor_worker.detectors.base import Detector, Measure, Settings, setting
from streammonitor_worker.media import Picture
from streammonitor_worker.media.arrival import Arrival
from streammonitor_worker.media.bars import BAR_SHARE
from streammonitor_worker.media.life import SPARSE_S, Life
from streammonitor_worker.media.still import Still, contrast
from streammonitor_worker.media.stretch import (
    QUIET_DRIFT,
    QUIET_PEAK,
    QUIET_STEP,
    Pace,
    Seen,
    Stretch,
)
from streammonitor_worker.media.tiles import rms
from streammonitor_worker.media.uniform import FLAT_SPREAD

_SETTLED_S = SPARSE_S
"""A picture becomes the reference after this time: an encoder has drawn it, repeats of a cadence
are over, and only then the full luma is copied. Where only key pictures come, it does at once."""
_TOLD_PICTURES = 3
"""Repeats after which a freeze is told: one more than cartoons on threes have."""
_WARY_S = 1.5
"""What follows a freeze is the freeze again only after this rest: longer than a clock's second."""
_RETURN_PICTURES = 3
"""A movement that has paused goes on if so many pictures in a row say so: key pictures are one,
pictures that are refined in passing two."""
_CLEAR_STEP = 2.0
"""Levels of change from picture to picture that no encoder refines a picture by: below, a step is
movement only if the tiles drift as well."""
_LONE_PEAK, _LONE_SHARE = 6.0, 0.16
"""A tile that changes alone does so by this many levels, and has so much of the squared change of
all: digits have from 0.25 on, what an encoder draws better up to 0.1 (0.36 in its first second)."""
_FLOOR_DB = -100.0


@dataclass(frozen=True, kw_only=True)
class VideoFreezeSettings(Settings):
    drift: float = setting(
        -41.0,
        what="drift against the first frozen picture up to which nothing moves",
        source="measured: frozen pictures up to -43 dB, slow pans from -40 dB",
        unit="dB",
        minimum=-60.0,
        maximum=-30.0,
    )
    detail: float = setting(
        3.5,
        what="change of the most changed tile up to which it is noise, as a multiple of the usual",
        source="measured: frozen pictures up to 3.4, digits of a clock from 3.6",
        minimum=1.0,
        maximum=20.0,
    )


class VideoFreeze(Detector[Picture]):
    """The picture stands still although the programme goes on."""

    name = "video-freeze"
    reads = Picture
    unit = "dB"
    severity = "critical"
    alarm_after = 2.0
    clear_after = 1.0
    settings_type = VideoFreezeSettings

    def __init__(self, settings: Settings | None = None) -> None:
        super().__init__(settings)
        largest = 255 * 10 ** (self.settings.drift / 20)
        self._life = Life(largest, self.settings.detail)
        self._time, self._interval = 0.0, 0.0
        self._pace, self._drift_pace = Pace(QUIET_STEP), Pace(QUIET_DRIFT)
        self._peak_pace = Pace(QUIET_PEAK)
        self._wary_until = -math.inf
        self._stretch = Stretch(0.0)
        self._arrival = Arrival()

    @property
    def threshold(self) -> float:
        return float(self.settings.drift)

    def observe(self, picture: Picture) -> Iterator[Measure]:
        """Drift against the first frozen picture (dB); present while nothing lives in it."""
        self._interval = max(picture.time - self._time, picture.duration)
        self._time = picture.time
        is_sparse = self._interval >= _SETTLED_S
        if picture.change is None or (is_sparse and self._stretch.still is None):
            # Nothing to compare with: the first picture, or none was kept in full long before.
            self._life.forget()
            yield from self._begin(picture, Seen(picture.time, picture.end, 255.0))
            return
        seen = Seen(picture.time, picture.end, picture.change, picture.key)
        self._arrival.note(picture)
        if (
            self._moves_on(picture, seen)
            or self._shows_another(picture, seen)
            or self._never_rests()
        ):
            yield from self._begin(picture, seen)
            return
        stretch = self._stretch
        if stretch.still is None and picture.time - stretch.onset >= _SETTLED_S - 1e-6:
            self._settle(picture)
        yield from self._tell(picture)

    def _moves_on(self, picture: Picture, seen: Seen) -> bool:
        """Whether the movement that was there before goes on; if not, note the change."""
        stretch = self._stretch
        settled = stretch.still is not None
        may_return = not stretch.pictures or stretch.lively + 1 >= _RETURN_PICTURES
        by_step = not settled and self._pace.goes_on(seen.step)
        if by_step and may_return and seen.step >= _CLEAR_STEP:
            self._pace.note(seen.step)
            return True
        before = picture.previous_tiles
        assert before is not None  # noqa: S101 - there is a change only from a picture before
        change = picture.tiles - before
        drift, peak = rms(change), float(abs(change).max())
        by_step = by_step and (self._drift_pace.goes_on(drift) or not self._drift_pace.is_known)
        by_peak = not settled and self._peak_pace.goes_on(peak)
        if may_return and (by_step or by_peak):
            if by_step:
                self._pace.note(seen.step)
                self._drift_pace.note(drift)
            else:
                self._peak_pace.note(peak)
            return True
        if stretch.first is None:
            stretch.first = before
            stretch.limit = self._life.limit(contrast(before))
        seen.stands_out = peak >= max(_LONE_PEAK, drift * math.sqrt(_LONE_SHARE * change.size))
        if settled:
            seen.quiet = self._interval >= _SETTLED_S or stretch.is_quiet(seen.step, peak)
        stretch.lively = stretch.lively + 1 if by_step or by_peak else 0
        stretch.pictures += 1
        stretch.steps.append(seen.step)
        stretch.peaks.append(peak)
        return False

    def _shows_another(self, picture: Picture, seen: Seen) -> bool:
        """Whether the picture differs from the first one by more than noise; if not, hold it."""
        stretch = self._stretch
        differs = self._life.is_in(picture, stretch, seen, self._interval)
        if differs:
            self._pace.restart(seen.step)
            self._drift_pace.forget()
            self._peak_pace.restart(median(stretch.peaks))
        else:
            stretch.held.append(seen)
        return differs

    def _never_rests(self) -> bool:
        """Whether the picture changes all the time without going anywhere: grain, noise."""
        step = self._stretch.restless_step()
        if self._stretch.still is None or step is None:
            return False
        self._pace.restart(step)
        return True

    def _begin(self, picture: Picture, seen: Seen) -> Iterator[Measure]:
        """Tell that the stretch is over; this picture is the first of the next."""
        stretch = self._stretch
        if stretch.told and (frozen := stretch.take_frozen_before(seen)):
            yield self._present(frozen)
        start = stretch.held[0].start if stretch.held else seen.start
        yield Measure(start, seen.end, False, _decibels(seen.step))
        # A freeze that was worth telling, or one of the pauses of what came after it.
        lasted = seen.start - stretch.onset
        was_settled = stretch.still is not None and stretch.pictures > 0
        if was_settled and (lasted >= 1.0 or stretch.onset < self._wary_until):
            self._arrival.forget()
            self._wary_until = picture.time + _WARY_S
        self._stretch = Stretch(picture.time)
        if self._interval >= _SETTLED_S:
            self._settle(picture)
        self._life.begin(picture)

    def _settle(self, picture: Picture) -> None:
        """Make this picture the reference."""
        stretch = self._stretch
        stretch.still = Still(picture)
        stretch.limit = self._life.limit(stretch.still.contrast)
        stretch.has_content = _has_content(picture)

    def _tell(self, picture: Picture) -> Iterator[Measure]:
        """Tell of the pictures of which it is known by now that they are frozen."""
        stretch = self._stretch
        if not stretch.told:
            if stretch.onset < self._wary_until:
                stretch.told = picture.end - stretch.onset >= _WARY_S
            else:
                stretch.told = stretch.pictures >= _TOLD_PICTURES or stretch.still is not None
            if stretch.told:
                stretch.onset = self._arrival.at(stretch.onset)
                stretch.has_content = _has_content(picture)
        if stretch.told and (frozen := stretch.take_frozen()):
            yield self._present(frozen)

    def _present(self, seen: list[Seen]) -> Measure:
        stretch = self._stretch
        return Measure(
            seen[0].start,
            seen[-1].end,
            stretch.has_content,
            _decibels(stretch.drift),
            since=stretch.onset,
        )


def _has_content(picture: Picture) -> bool:
    """Whether there is something in the picture that could move."""
    return not (picture.is_black or picture.spread <= FLAT_SPREAD or picture.bar_share >= BAR_SHARE)


def _decibels(levels: float) -> float:
    return 20 * math.log10(levels / 255) if levels > 255e-5 else _FLOOR_DB
