"""Follows what the pictures of a track are encoded as, and tells it when it changes.

Size and pixel format come with each picture; colour and the shape of pixels are the decoder's,
and are as of the last key picture that it took. The rate is measured (`cadence.py`). Interlacing
is judged only where the encoder has begun anew: encoders of interlaced video mark single pictures
as progressive as they see fit.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from streammonitor_worker.media import Format
from streammonitor_worker.source.cadence import Cadence
from streammonitor_worker.source.parameters import Parameters, configured, parameters_of
from streammonitor_worker.source.pictures import FULL_RANGE

if TYPE_CHECKING:
    from streammonitor_worker.source.tracks import Track

_TRANSFERS = {16: "pq", 18: "hlg"}
"""AVCOL_TRC_SMPTE2084 and AVCOL_TRC_ARIB_STD_B67. Others, and none, are standard range."""
_SURE = 5
"""Pictures in a row that are all interlaced, or all not, where that has changed."""
_WIDEST = 10.0
"""Pixels are not longer than this, either way: 4 is in use (anamorphic 1440 lines of old)."""
_EARLY_S = 1e-4
"""Timestamps of packets and pictures agree to a tick of 90 kHz."""


class _Look(NamedTuple):
    aspect: float = 1.0
    full_range: bool = False
    transfer: str = ""


class PictureFormats:
    """Of one track in one container.

    known: what was told of the track before; None for nothing. cadence: the track's own, which
    outlives the container.
    """

    def __init__(self, track: Track, known: Format | None, cadence: Cadence) -> None:
        self._track = track
        self._known = known
        self._context: Any = track.decoder
        self._cadence = cadence
        cadence.renew(configured(self._context.extradata))
        self._format: Format | None = None
        self._look = self._next_look = _Look()
        self._next_look_from = -math.inf
        self._anew_from: float | None = None
        """Where the encoder began anew, until it is known whether it is interlaced now."""
        self._scans: deque[bool] = deque(maxlen=_SURE)
        self._scans_before: set[bool] = set()

    def sent(self, packet: Any, at: float) -> Format | None:
        """A packet presented at media time `at` is about to be decoded: a change of the rate."""
        complete = at
        if packet.pts is not None and packet.dts is not None:
            complete -= (packet.pts - packet.dts) * self._track.time_base
        change = self._cadence.show(at, complete, self._parameters(packet))
        if self._cadence.began_anew and len(self._scans) == _SURE:
            self._anew_from, self._scans_before = at, set(self._scans)
            self._scans.clear()
        known = self._format
        if change is None or known is None:
            return None
        self._format = known._replace(fps=change.after, time=change.time, was_fps=0.0)
        return self._format._replace(was_fps=change.before)

    def decoded(self, at: float) -> None:
        """The key picture presented at `at` has gone through the decoder, which still has
        pictures to show that came before it."""
        context = self._context
        ratio = float(context.sample_aspect_ratio or 1.0)
        aspect = ratio if 1 / _WIDEST <= ratio <= _WIDEST else 1.0
        transfer = _TRANSFERS.get(int(context.color_trc), "")
        look = _Look(aspect, int(context.color_range) == FULL_RANGE, transfer)
        if look != self._next_look:
            self._next_look, self._next_look_from = look, at - _EARLY_S

    def shown(self, frame: Any, start: float) -> Format | None:
        """The next picture: what the track is encoded as, where that is news."""
        if start >= self._next_look_from:
            self._look = self._next_look
        look, pixel_format = self._look, str(frame.format.name)
        known = self._format
        found = Format(
            self._track.name,
            start,
            self._track.codec,
            frame.width,
            frame.height,
            self._first_rate(frame) if known is None else known.fps,
            pixel_format.replace("yuvj", "yuv"),
            look.aspect,
            look.full_range or pixel_format.startswith("yuvj"),
            look.transfer,
            bool(frame.interlaced_frame) if known is None else known.interlaced,
        )
        began = self._scan_changed(bool(frame.interlaced_frame), start)
        if began is not None:
            found = found._replace(time=began, interlaced=bool(frame.interlaced_frame))
        elif known is not None and known._replace(time=start) == found:
            return None
        self._format = found
        return found

    def _first_rate(self, frame: Any) -> float:
        """What the container says. Where nothing else has changed since the one before, what was
        measured is right: containers guess from their first second, and by fields or frames."""
        before = self._known
        if before is None or not before.fps or before.codec != self._track.codec:
            return self._track.fps
        same = (before.width, before.height) == (frame.width, frame.height)
        return before.fps if same else self._track.fps

    def _scan_changed(self, interlaced: bool, start: float) -> float | None:
        """When pictures became interlaced, or ceased to be; None where they did not."""
        anew = self._anew_from
        if anew is not None and start < anew - _EARLY_S:
            return None  # one of before, held back by the decoder
        self._scans.append(interlaced)
        if anew is None or len(self._scans) < _SURE:
            return None
        self._anew_from = None
        changed = self._scans_before == {not interlaced} and set(self._scans) == {interlaced}
        return anew if changed else None

    def _parameters(self, packet: Any) -> Parameters | None:
        if packet.has_sidedata("new_extradata"):
            return configured(bytes(packet.get_sidedata("new_extradata")))
        return parameters_of(self._track.codec, memoryview(packet)) if packet.is_keyframe else None
