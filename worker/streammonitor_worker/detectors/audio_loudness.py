"""audio-loudness: the programme is much louder or quieter than it should be.

Measure
    Distance in LU between the target and the gated loudness of the last 30 s of sound, 0 to about
    70; present above `tolerance`. Nothing is told before the window is full, or while it holds
    less than 3 s above the gates. The window sees a change late, so onset and recovery are sought
    in what led up to it: where the levels before and after are least alike. What has come back
    within the tolerance for 10 s ends the defect where it came back; the window begins anew there.
Reads
    `Sound.samples`, K-weighted (`media.loudness`).
Not a defect
    Silence, which the gates leave out; a loud or quiet moment, which is short against the window;
    a quiet passage of less than 30 s between normal ones.
Limits
    A film is meant to have long quiet scenes: raise the tolerance for it. Onset and recovery are
    exact to 20 ms in six of seven cases where programme changes by 12 LU; they are off by up to
    1 s where it changes by less than it varies by itself, or in a pause of speech.
Source
    EBU R 128: -23 LUFS; its supplement R 128 s1 lets short-form programme go 5 LU above that in
    the short term. ATSC A/85 has -24 LKFS. Gates and weighting: ITU-R BS.1770-4.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from streammonitor_worker.detectors.base import Detector, Measure, Settings, setting
from streammonitor_worker.media import Sound
from streammonitor_worker.media.heard import (
    STEP_S,
    Heard,
    Hearing,
    change_point,
    loudness_of,
    segments,
)
from streammonitor_worker.media.loudness import KWeighting, channel_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

    F32 = NDArray[np.float32]

_WINDOW_S = 30.0
_EVERY_S = 1.0
"""EBU Tech 3341 has integrated loudness updated once a second, at least."""
_RECENT_S = 3.0
"""The short term of EBU Tech 3341."""
_LEAST_S = 3.0
"""Sound above the gates without which 30 s have no loudness: one short term."""
_LEAST_RECENT_S = 1.0
"""The same for a short term itself: a third of it, as speech has between pauses."""
_SOUGHT_S = 40.0
"""How far back a change is sought: the window and some of what was before it."""
_BACK_S = 10.0
"""So long the level has to be right again: as long as `alarm_after`, so that neither is quicker.
Where it has been so for a short term, the recovery is told already, in case the stream ends."""
_NEARLY_S = STEP_S / 2
"""Steps are a little shorter than `STEP_S` where chunks have no whole number of samples."""
_GAP_S = 0.001
"""Blocks farther apart than rounding have lost sound between them."""
_LOST_S = 3.0
"""After a longer gap another programme may be on: the window begins anew."""


@dataclass(frozen=True, kw_only=True)
class AudioLoudnessSettings(Settings):
    target: float = setting(
        -23.0,
        what="programme loudness",
        source="EBU R 128; ATSC A/85 has -24",
        unit="LUFS",
        minimum=-70.0,
        maximum=0.0,
    )
    tolerance: float = setting(
        5.0,
        what="distance from the target that is still normal",
        source="EBU R 128 s1: short-term loudness up to 5 LU above the target",
        unit="LU",
        minimum=0.5,
        maximum=40.0,
    )


class AudioLoudness(Detector[Sound]):
    """The programme is much louder or quieter than it should be."""

    name = "audio-loudness"
    reads = Sound
    unit = "LU"
    severity = "warning"
    alarm_after = 10.0  # a trailer or a scene may stand out for a moment; see also the window
    clear_after = _BACK_S
    settings_type = AudioLoudnessSettings

    def __init__(self, settings: Settings | None = None) -> None:
        super().__init__(settings)
        self._form: tuple[int, tuple[str, ...]] = (0, ())
        self._hearing = Hearing()
        self._blocks: deque[Heard] = deque()
        """From the beginning of the stream or of a recovery, `_SOUGHT_S` at most."""
        self._whole = True
        """Nothing has been dropped from the blocks since then."""
        self._off = False
        self._onset = float("-inf")
        self._told = float("-inf")
        """Up to where measures have been told."""
        self._due = float("-inf")
        self._end = float("-inf")

    @property
    def threshold(self) -> float:
        return float(self.settings.tolerance)

    def observe(self, sound: Sound) -> Iterator[Measure]:
        """Distance from the target (LU) over 30 s; present above `tolerance`."""
        self._follow(sound)
        for block in self._hearing.hear(sound, self._powers(sound)):
            self._blocks.append(block)
            if block.end < self._due:
                continue
            self._due = block.end + _EVERY_S - _NEARLY_S
            self._forget(block.end - _SOUGHT_S)
            yield from self._still_off(block.end) if self._off else self._judge(block.end)

    def _follow(self, sound: Sound) -> None:
        form = sound.rate, sound.channels
        if form != self._form:
            self._form = form
            weights = channel_weights(sound.channels)
            self._heard = np.flatnonzero(weights)
            self._weights = weights[self._heard].astype(np.float32)
            self._filter = KWeighting(sound.rate, len(self._heard))
            self._hearing.forget()
        gap = abs(sound.time - self._end)
        self._end = sound.end
        if gap > _GAP_S:
            self._filter.reset()
            self._hearing.forget()
        if gap > _LOST_S:
            self._blocks.clear()
            self._whole = True

    def _powers(self, sound: Sound) -> F32:
        filtered = self._filter.filter(sound.samples[self._heard])
        np.square(filtered, out=filtered)
        powers: F32 = self._weights @ filtered
        return powers

    def _forget(self, before: float) -> None:
        while self._blocks[0].end < before:
            self._blocks.popleft()
            self._whole = False

    def _judge(self, now: float) -> Iterator[Measure]:
        """While the loudness is right: is it still?"""
        if now - self._blocks[0].start < _WINDOW_S - _NEARLY_S:
            return
        loudness = loudness_of(self._since(now - _WINDOW_S), _LEAST_S)
        if loudness is None:
            return
        if self._is_off(loudness):
            self._off = True
            self._onset = self._told = self._find_onset()
            yield from self._still_off(now)
        else:
            start = max(self._told, self._blocks[0].start)
            self._told = now
            yield Measure(start, now, False, self._away(loudness))

    def _find_onset(self) -> float:
        """Begin of the last stretch of wrong loudness, which less than 10 s of right do not end."""
        onset: float | None = None
        right_s = 0.0
        for part in segments(list(self._blocks), self._is_off):
            loudness = loudness_of(part, _LEAST_RECENT_S)
            if loudness is None:
                continue  # silence is neither
            if not self._is_off(loudness):
                right_s += part[-1].end - part[0].start
            elif onset is None or right_s >= _BACK_S:
                onset, right_s = part[0].start, 0.0
            else:
                right_s = 0.0
        first = self._blocks[0].start
        if onset is None or (onset == first and not self._whole):
            # Each part is right, or wrong was what was dropped as right: it changed by little.
            onset = change_point(list(self._blocks))
        return first if onset is None else onset

    def _still_off(self, now: float) -> Iterator[Measure]:
        """While it is wrong: is it right again, and since when? Leaves open what is doubtful."""
        recent = loudness_of(self._since(now - _RECENT_S), _LEAST_RECENT_S)
        if recent is None:
            return
        if self._is_off(recent):
            yield from self._tell_off(now - _RECENT_S, now)  # after that it may be right already
            return
        candidates = self._since(max(self._told - _BACK_S, self._onset))
        since = candidates[0].start  # after a long gap there may be nothing else
        if since <= self._told:
            since = change_point(candidates) or now
        after = loudness_of([one for one in candidates if one.start >= since], _LEAST_RECENT_S)
        if now - since < _RECENT_S or after is None or self._is_off(after):
            return
        yield from self._tell_off(since, since)
        if now - since >= _BACK_S:
            self._off = False
            self._told = now
            self._forget(since)
            self._whole = True
        yield Measure(since, now, False, self._away(after))

    def _tell_off(self, end: float, now: float) -> Iterator[Measure]:
        """Tell what has not been told until `end`, by the loudness until `now`."""
        begin = max(self._onset, now - _WINDOW_S)
        blocks = [one for one in self._blocks if one.end > begin and one.start < now]
        loudness = loudness_of(blocks, _LEAST_RECENT_S)
        if end <= self._told or loudness is None or not self._is_off(loudness):
            return
        start, self._told = self._told, end
        evidence = {
            "loudness_lufs": round(loudness, 1),
            "target_lufs": self.settings.target,
        }
        yield Measure(start, end, True, self._away(loudness), evidence=evidence)

    def _since(self, begin: float) -> list[Heard]:
        return [block for block in self._blocks if block.end > begin]

    def _is_off(self, loudness: float) -> bool:
        return self._away(loudness) > self.threshold

    def _away(self, loudness: float) -> float:
        return round(abs(loudness - float(self.settings.target)), 2)
