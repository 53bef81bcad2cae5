"""From the timestamps of packets to media time. Pure.

Media time is 0 at the first presented sample of the stream, is the same for all its tracks and
only moves on. Timestamps are not like that: they begin anywhere, wrap, jump when an encoder
restarts or a splice is badly made, or are absent. All values here are seconds; "raw" ones are the
container's, with wraps undone.

Timestamps of decoding, where there are any, are judged: unlike those of presentation they do not
go back and forth when pictures are reordered.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

REANCHOR_S = 10.0
"""A longer way forward is a new beginning, not a loss: FFmpeg's dts_delta_threshold. A shorter
one is passed on as a gap, unless nothing can have been lost."""
CLOCK_JUMP_S = 0.7
"""A way forward from which on it is the clock that has jumped, if nothing was lost: no packets
have timestamps farther apart (ETSI TR 101 290, 2.5 PTS_error)."""
JITTER_S = 0.2
"""Departures up to this are no jump: several pictures at 25/s, and more than containers round."""
REORDER_S = 1.0
"""The same where a timestamp of decoding is missing: 16 pictures, the most that H.264 reorders,
at 16/s."""
LONGEST_S = 3600.0
"""No picture lasts longer: a duration beyond is damage, not believed."""
WRAP_PLAUSIBLE_S = 60.0
"""A timestamp is taken for wrapped only if that brings it this close to the one before."""


class Place(NamedTuple):
    """Where a packet belongs in media time; by how much it departed from what was expected."""

    time: float
    jump_s: float


@dataclass(slots=True)
class _Track:
    offset: float
    """Media time is raw time plus this."""
    end: float | None = None
    """Raw decoding time at which the last packet ended."""
    presented: float = -math.inf
    """Media time up to which there are pictures or sound."""
    step: float = 0.0
    """Duration of the last packet; its distance to the one before where it does not say."""
    last: float = 0.0
    """Raw decoding time of the last packet."""
    loose: bool = False
    """The last packet had no timestamp of decoding."""
    others: dict[str, float] = field(default_factory=dict)
    """Where the other tracks ended when this one's last packet came."""


def unwrapped(raw: float, near: float, wrap_s: float | None) -> float:
    """The time that `raw` means if it is known modulo `wrap_s`: the one closest to `near`."""
    return raw if wrap_s is None else raw + round((near - raw) / wrap_s) * wrap_s


class Timeline:
    """One for the life of a stream; `begin` or `resume` it for each container that is opened."""

    def __init__(self) -> None:
        self.end = 0.0
        """Media time at which the latest sample of any track ends."""
        self._begun_at_s = 0.0
        self._offset = 0.0
        self._wrap_s: float | None = None
        self._turns_s = 0.0
        self._sparse = False
        self._last_raw: float | None = None
        self._hole = (0.0, 0.0)
        """Raw times between which all tracks pause: the last gap that was told and passed on."""
        self._jump_s = 0.0
        """Departure that the next packet is to tell."""
        self._tracks: dict[str, _Track] = {}

    def raw_time(self, media_s: float) -> float | None:
        """The container's own timestamp of a media time; None before there is any."""
        if self._last_raw is None:
            return None
        raw = media_s - self._offset
        return raw if self._wrap_s is None else raw % self._wrap_s

    def media_time(self, raw: float) -> float | None:
        """The media time of a container's timestamp: of all that it may stand for, the one
        closest to the present."""
        if self._last_raw is None:
            return None
        return unwrapped(raw, self._last_raw, self._wrap_s) + self._offset

    def begin(
        self, first_s: float, *, at_s: float, wrap_s: float | None = None, sparse: bool = False
    ) -> None:
        """Start with a container whose first presented sample, at raw `first_s`, is at `at_s`.

        wrap_s: period after which its timestamps start again at 0; None for never. sparse: a lone
        track may pause without a word, as pictures of variable frame rate do in a file.
        """
        self._wrap_s, self._sparse = wrap_s, sparse
        self._turns_s = self._jump_s = 0.0
        self._hole = (0.0, 0.0)
        self._last_raw = first_s
        self._begun_at_s = at_s
        self._offset = at_s - first_s
        self._tracks = {}

    def resume(
        self, first_s: float, *, outage_s: float, wrap_s: float | None = None, sparse: bool = False
    ) -> None:
        """Go on after an outage of about `outage_s`, by the timestamps where they are plausible.

        Plausible is a first sample that is not before the end and not much later than the outage
        explains; otherwise media time goes on by the clock.
        """
        near = first_s if self._last_raw is None else self._last_raw
        raw = unwrapped(first_s, near, wrap_s)
        gap = raw + self._offset - self.end
        plausible = self._last_raw is not None and -JITTER_S <= gap <= outage_s + REANCHOR_S
        at_s = self.end + (gap if plausible else outage_s)
        self.begin(raw, at_s=at_s, wrap_s=wrap_s, sparse=sparse)
        # Without an outage this is one stream of bytes, whose clock has jumped.
        self._jump_s = 0.0 if outage_s or abs(gap) <= JITTER_S else gap
        self._turns_s = raw - first_s

    def place(
        self,
        track: str,
        pts: float | None,
        dts: float | None,
        duration: float,
        *,
        key: bool,
        whole: bool = False,
    ) -> Place:
        """Place the next packet of a track.

        duration: 0 where the container does not say. whole: nothing was lost before it, which
        makes a jump forward one of the clock: media time goes on as if there were none.
        """
        state = self._tracks.get(track)
        if state is None:
            state = self._tracks[track] = _Track(self._offset)
        pts, dts = self._credible(state, pts, dts)
        decoding = self._decoding_time(state, pts if dts is None else dts)
        presentation = decoding if pts is None else unwrapped(pts, decoding, self._wrap_s)
        jump_s, self._jump_s = self._jump_s, 0.0
        if state.end is None:
            early_s = self._begun_at_s - REANCHOR_S - (presentation + state.offset)
            state.offset += early_s + REANCHOR_S if early_s > 0 else 0.0
        else:
            loose = dts is None or state.loose
            jump_s = jump_s or self._judge(track, state, decoding - state.end, loose=loose)
            longest_gap_s = CLOCK_JUMP_S if whole else REANCHOR_S
            if jump_s < 0 or jump_s > longest_gap_s:
                self._anchor(state, decoding, presentation if key else None)
            if 0 < decoding - state.last <= REANCHOR_S:
                state.step = decoding - state.last
        if 0 < duration <= LONGEST_S:
            state.step = duration
        state.last, state.end = decoding, decoding + state.step
        state.presented = max(state.presented, presentation + state.step + state.offset)
        state.loose = dts is None
        state.others = {name: other.last for name, other in self._tracks.items()}
        self._last_raw = decoding
        self.end = max(self.end, state.presented)
        return Place(presentation + state.offset, jump_s)

    def _credible(
        self, state: _Track, pts: float | None, dts: float | None
    ) -> tuple[float | None, float | None]:
        """The timestamps without the one that is damaged, where they cannot both be right."""
        if pts is None or dts is None:
            return pts, dts
        if abs(unwrapped(pts, dts, self._wrap_s) - dts) <= REANCHOR_S:
            return pts, dts
        near = state.end if state.end is not None else self._last_raw
        if near is None:
            return pts, None
        off = [abs(unwrapped(stamp, near, self._wrap_s) - near) for stamp in (pts, dts)]
        return (pts, None) if off[0] <= off[1] else (None, dts)

    def _decoding_time(self, state: _Track, stamp: float | None) -> float:
        near = state.end if state.end is not None else self._last_raw
        if near is None:
            return stamp or 0.0
        if stamp is None:
            return near
        candidate = unwrapped(stamp, near, self._wrap_s)
        if abs(candidate - near) > WRAP_PLAUSIBLE_S:
            return stamp + self._turns_s
        self._turns_s = candidate - stamp
        return candidate

    def _judge(self, track: str, state: _Track, gap: float, *, loose: bool) -> float:
        """By how much a packet departs from where the one before ended; 0 where that is normal."""
        moved = self._offset - state.offset
        if moved and abs(gap + moved) < abs(gap) and abs(gap + moved) <= REANCHOR_S:
            state.offset = self._offset
            return 0.0
        tolerance = max(REORDER_S if loose else JITTER_S, 2 * state.step)
        if abs(gap) <= tolerance or 0 < gap <= tolerance + self._known_pause(track, state, gap):
            return 0.0
        if 0 < gap <= LONGEST_S and self._sparse and len(self._tracks) == 1:
            return 0.0
        if state.end is not None and 0 < gap <= REANCHOR_S:
            self._hole = (state.end, state.end + gap)
        return gap

    def _known_pause(self, track: str, state: _Track, gap: float) -> float:
        """How much of a gap is explained: the others moved on meanwhile, so that only this track
        paused, or it is the one that was told on another track, whose packets came earlier."""
        overlap = 0.0
        if state.end is not None:
            overlap = min(self._hole[1], state.end + gap) - max(self._hole[0], state.end)
        return max(self._progress_of_others(track, state), overlap)

    def _progress_of_others(self, track: str, state: _Track) -> float:
        """How far the others moved since this track's last packet: then only this one paused."""
        moved = (
            other.last - state.others[name]
            for name, other in self._tracks.items()
            if name != track and name in state.others
        )
        return max(moved, default=0.0)

    def _anchor(self, state: _Track, decoding: float, presentation: float | None) -> None:
        """Let media time go on where the packet before ended, for all tracks.

        A key picture is what is presented next; of any other only the decoding goes on.
        """
        if presentation is not None:
            state.offset = state.presented - presentation
        elif state.end is not None:
            state.offset += state.end - decoding
        self._offset = state.offset
