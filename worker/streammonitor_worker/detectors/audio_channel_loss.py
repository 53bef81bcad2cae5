"""audio-channel-loss: one channel is silent while its partner carries sound.

Measure
    Level of the lost channel in 5 ms, in dBFS; present below `level` while another that belongs
    to it is above `carrying`. Where both are silent nothing can be said, and nothing is: a pause
    of speech neither ends a loss nor begins one.
    Compared are left and right of a pair (front, side, back), or two channels of any other kind;
    the centre with the front pair. The front pair from the start; the others once they have
    carried sound for 1 s, and when they have been silent for twice their longest pause so far.
Reads
    `Sound.levels`, by way of `media.quiet`: edges are where they were before encoding.
Not a defect
    Mono on two channels; a low-frequency channel, surround or centre that never carried sound;
    stereo within 5.1; both surround channels falling silent; a centre that pauses as long as it
    did before.
Limits
    Music whose first 5 s come from one side only counts as lost. Both channels of a pair lost at
    once do not, nor does the low-frequency channel. In a pause without noise nothing can be known:
    a loss that begins or ends in one does so with the next sound, and if the alarm falls due in
    one it comes with that sound, since what was lost may have come back unheard. After Opus at
    24 kb/s a lost channel keeps an echo at -35 dBFS and is not seen.
Source
    The floor is audio-silence's. 20 dB above it the partner is programme and not its own fading
    away; the alarm duration of 5 s outlasts notes and effects that are panned hard to one side.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from streammonitor_worker.detectors.base import Detector, Measure, Settings, setting
from streammonitor_worker.media import Sound
from streammonitor_worker.media.quiet import QuietTrail, Stretch
from streammonitor_worker.media.sound import dbfs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    F32 = NDArray[np.float32]
    Codes = NDArray[np.int8]

_PAIRS = (("FL", "FR"), ("SL", "SR"), ("BL", "BR"), ("FLC", "FRC"), ("TFL", "TFR"), ("TBL", "TBR"))
_CARRIED_S = 1.0
"""Sound that a channel other than the front pair must have carried: more than a start-up click."""
_BRIEF_S = 0.05
"""A shorter silence is an edge: at the end of a file, or before a pause, one channel dies away a
little sooner. It must not make a loss that is over go on."""
_PAUSES = 2.0
"""How many times its longest pause such a channel must be silent to be lost."""
_ROUNDING_S = 1e-6
_FORGET_S = 3600.0
"""A longest pause counts for half after this long: yesterday's programme had other pauses."""

LOST, FAINTLY_LOST, UNKNOWN, FAINTLY_THERE, THERE = 2, 1, 0, -1, -2
"""What a chunk says. Faint: both channels are below the floor, but one of them has noise 30 dB
above the other, or both have about the same; that tells where a loss began in a pause."""
_FAINT_LOST = np.float32(10 ** (-30 / 20))
_FAINT_THERE = np.float32(10 ** (-20 / 20))
_FAINTEST = np.float32(10 ** (-85 / 20))
"""Below this codecs decide whether there is noise."""


@dataclass(frozen=True, kw_only=True)
class AudioChannelLossSettings(Settings):
    level: float = setting(
        -60.0,
        what="level below which a channel is silent",
        source="FFmpeg silencedetect noise",
        unit="dBFS",
        minimum=-110.0,
        maximum=-20.0,
    )
    carrying: float = setting(
        -40.0,
        what="level from which its partner carries sound",
        source="20 dB above silence: programme, not its fading away",
        unit="dBFS",
        minimum=-90.0,
        maximum=0.0,
    )


class AudioChannelLoss(Detector[Sound]):
    """One channel is silent while its partner carries sound."""

    name = "audio-channel-loss"
    reads = Sound
    unit = "dBFS"
    severity = "warning"  # what is left can still be followed
    alarm_after = 5.0
    clear_after = 2.0
    settings_type = AudioChannelLossSettings

    def __init__(self, settings: Settings | None = None) -> None:
        super().__init__(settings)
        self._trail = QuietTrail(10 ** (self.settings.level / 20))
        self._carrying = np.float32(10 ** (self.settings.carrying / 20))
        self._channels: tuple[str, ...] = ()
        self._comparisons: list[_Comparison] = []
        self._adopted: object = None
        """The name of a channel that is lost, as another worker has found."""

    @property
    def threshold(self) -> float:
        return float(self.settings.level)

    def observe(self, sound: Sound) -> Iterator[Measure]:
        """Level of the lost channel (dBFS); present below `level` while its partner carries."""
        if sound.channels != self._channels:
            self._channels = sound.channels
            self._comparisons = _comparisons(sound.channels)
        if self._adopted is not None:
            self._take_adopted()
        stretch = self._trail.follow(sound) if self._comparisons else None
        if stretch is None:
            return
        if not (stretch.any_quiet or any(one.waiting for one in self._comparisons)):
            start, end = float(stretch.edges[0]), float(stretch.edges[-1])
            for comparison in self._comparisons:
                comparison.hear(start, end)
            yield Measure(start, end, False, dbfs(float(stretch.levels.min())))
            return
        for comparison in self._comparisons:
            lost_elsewhere = any(c.lost for c in self._comparisons if c is not comparison)
            codes, weaker = comparison.codes(stretch, self._carrying)
            for first, last, start, end in stretch.runs(
                np.where(codes > 0, weaker * 4 + codes, codes)
            ):
                channel = int(weaker[first])
                for since, until, present in comparison.judge(
                    int(codes[first]), channel, start, end
                ):
                    if present or not lost_elsewhere:
                        time = since, until
                        yield self._measure(stretch, (first, last), time, present, channel)

    def adopt(self, evidence: Mapping[str, object]) -> None:
        """A channel is lost that was lost before this began to listen."""
        self._adopted = evidence.get("channel")

    def _take_adopted(self) -> None:
        name, self._adopted = self._adopted, None
        for comparison in self._comparisons if name in self._channels else ():
            comparison.take_for_lost(self._channels.index(str(name)))

    def _measure(
        self,
        stretch: Stretch,
        chunks: tuple[int, int],
        time: tuple[float, float],
        present: bool,
        channel: int,
    ) -> Measure:
        first, last = chunks
        levels = np.sqrt(np.mean(np.square(stretch.levels[:, first:last]), axis=1))
        told = {
            name: round(dbfs(float(level)), 1)
            for name, level in zip(self._channels, levels, strict=True)
        }
        lost = self._channels[channel]
        evidence = {"channel": lost, "levels_dbfs": told} if present else None
        return Measure(*time, present, told[lost], evidence=evidence)


class _Comparison:
    """A channel and its partner, or two that are each other's."""

    def __init__(self, first: int, second: tuple[int, ...], *, mutual: bool, front: bool) -> None:
        self._first, self._second = first, list(second)
        self._mutual = mutual
        self._front = front
        self.lost = False
        self._channel = first
        """Which of them is silent, or was last."""
        self._carried_s = 0.0
        self._lost_since: float | None = None
        """Where silence, or the faint sign of it, began, while the state is still there."""
        self._there_since: float | None = None
        """The same the other way round."""
        self._longest_pause_s = 0.0

    @property
    def waiting(self) -> bool:
        """Whether the channel is lost or may be."""
        return self.lost or self._lost_since is not None

    def take_for_lost(self, channel: int) -> None:
        """That channel is lost, if it is of this comparison: until it carries sound again."""
        if channel == self._first or (self._mutual and channel in self._second):
            self.lost, self._channel = True, channel

    def codes(self, stretch: Stretch, carrying: np.float32) -> tuple[Codes, Codes]:
        """What each chunk says, and the index of its weaker channel."""
        one, quiet_one = stretch.levels[self._first], stretch.quiet[self._first]
        other = stretch.levels[self._second].max(axis=0)
        quiet_other = stretch.quiet[self._second].all(axis=0)
        weaker = np.full(len(one), self._first, np.int8)
        if not (quiet_one.any() or (self._mutual and quiet_other.any())):
            return np.full(len(one), THERE, np.int8), weaker
        if self._mutual:
            weaker[quiet_other & ~quiet_one | (quiet_other == quiet_one) & (other < one)] = (
                self._second[0]
            )
            lost = quiet_one & (other >= carrying) | quiet_other & (one >= carrying)
            there = ~quiet_one & ~quiet_other
        else:
            lost = quiet_one & (other >= carrying)
            there = ~quiet_one
        return self._with_faint_signs(one, other, lost, there), weaker

    def _with_faint_signs(
        self, one: F32, other: F32, lost: NDArray[np.bool_], there: NDArray[np.bool_]
    ) -> Codes:
        weak = np.minimum(one, other) if self._mutual else one
        strong = np.maximum(one, other) if self._mutual else other
        audible = strong >= _FAINTEST
        codes = np.zeros(len(one), np.int8)
        codes[audible & (weak <= strong * _FAINT_LOST)] = FAINTLY_LOST
        codes[audible & (weak >= strong * _FAINT_THERE)] = FAINTLY_THERE
        codes[lost] = LOST
        codes[there] = THERE
        return codes

    def judge(
        self, code: int, channel: int, start: float, end: float
    ) -> Iterator[tuple[float, float, bool]]:
        """Take chunks that all say the same, of the same channel; tell from when to when it is
        lost (True) or there (False), or nothing while that is open."""
        if code > UNKNOWN:
            yield from self._say_lost(code == LOST, channel, start, end)
        elif code == THERE:
            yield self.hear(start, end), end, False
        elif code == FAINTLY_THERE:
            self._there_since = start if self._there_since is None else self._there_since
            if not self.lost:
                self._lost_since = None
                yield start, end, False

    def _say_lost(
        self, clearly: bool, channel: int, start: float, end: float
    ) -> Iterator[tuple[float, float, bool]]:
        if channel != self._channel:
            if self.lost and not clearly:
                return
            if self.lost:  # sound that goes from side to side loses no channel
                yield self.hear(start, start), start, False
            self._channel, self._lost_since = channel, None
        self._there_since = None
        if self._lost_since is None:
            self._lost_since = start
        if self.lost:
            yield start, end, True
        elif clearly and self._may_be_lost(end - self._lost_since):
            self.lost = True
            yield self._lost_since, end, True

    def _may_be_lost(self, silent_s: float) -> bool:
        if silent_s < _BRIEF_S - _ROUNDING_S:
            return False
        if self._front:
            return True
        return self._carried_s >= _CARRIED_S and silent_s > _PAUSES * self._longest_pause_s

    def hear(self, start: float, end: float) -> float:
        """Both carry sound; return since when."""
        since = start
        if self.lost and self._there_since is not None:
            since = self._there_since
        if self._lost_since is not None:
            self._longest_pause_s = max(self._longest_pause_s, start - self._lost_since)
        self._longest_pause_s *= 0.5 ** ((end - start) / _FORGET_S)
        self._carried_s += end - start
        self.lost, self._lost_since, self._there_since = False, None, None
        return since


def _comparisons(channels: tuple[str, ...]) -> list[_Comparison]:
    place = {name: index for index, name in enumerate(channels)}
    found = [
        _Comparison(place[left], (place[right],), mutual=True, front=left == "FL")
        for left, right in _PAIRS
        if left in place and right in place
    ]
    if "FC" in place and {"FL", "FR"} <= place.keys():
        front = place["FL"], place["FR"]
        found.append(_Comparison(place["FC"], front, mutual=False, front=False))
    if not found and len(channels) == 2:
        found.append(_Comparison(0, (1,), mutual=True, front=True))
    return found
