"""format-change: codec, size, frame rate or sound format changed while the stream ran.

Measure
    Number of properties that differ from the format before: codec, width, height, aspect of the
    pixels, picture rate, pixel format (with its depth), colour range, transfer (SDR, PQ, HLG),
    interlacing; sample rate, channels and their layout. Present from 1.
Reads
    `Format`, sent at the start of a track and at each change. A change of rate inside a container
    is told 0.6 s after the picture at which it began: `source/cadence.py`.
Not a defect
    The first format of a track; another bit rate; the same format after a reconnection. Variable
    frame rate, pulldown, dropped pictures, jitter: a rate has changed if the encoder began anew
    and the pictures come evenly before and after.
Limits
    Not seen is a rate that changes although H.264, HEVC or MPEG-2 carry the same parameter sets,
    or inside one container in a codec that has none (VP8, VP9, AV1); nor fields that are packets
    of their own turning into frames at the same rate of packets. Two changes at once at a
    picture, of size and rate, are one incident.
Source
    Each change counts: players rebuild their decoder on it. AWS MediaConnect and TAG report
    codec, size and rate mismatch as events.
"""

from __future__ import annotations

from collections.abc import Iterable

from streammonitor_worker.detectors.base import Detector, Measure, Settings
from streammonitor_worker.media import Format
from streammonitor_worker.media.items import ASPECT_TOLERANCE

_PROPERTIES = (
    *("codec", "width", "height", "aspect", "fps", "pixel_format", "full_range", "transfer"),
    *("interlaced", "rate", "channels", "layout"),
)
_FPS_TOLERANCE = 0.01
"""Relative: 29.97 and 30 differ by 0.001 in how containers round them, 24 and 25 by 0.04."""
_AT_ONCE_S = 0.001
"""Formats closer than this belong to the same picture: its rate is known later than its size."""


class FormatChange(Detector[Format]):
    """Codec, size, frame rate or sound format changed while the stream ran."""

    name = "format-change"
    reads = Format
    unit = "properties"
    severity = "warning"
    alarm_after = 0.0
    clear_after = 1.0
    momentary = True

    def __init__(self, settings: Settings | None = None) -> None:
        super().__init__(settings)
        self._before: Format | None = None
        self._known: Format | None = None

    @property
    def threshold(self) -> float:
        return 1.0

    def observe(self, now: Format) -> Iterable[Measure]:
        """Number of changed properties; present at the change."""
        known, self._known = self._known, now
        if known is None:
            return ()
        if self._before is None or abs(now.time - known.time) > _AT_ONCE_S:
            self._before = known
        before = self._before
        if now.was_fps:
            before = before._replace(fps=now.was_fps)
        changed = [name for name in _PROPERTIES if _differs(name, before, now)]
        if not changed:
            return ()
        evidence = {"from": before.describe(), "to": now.describe(), "changed": changed}
        return (Measure(now.time, now.time, True, float(len(changed)), evidence=evidence),)


def _differs(name: str, before: Format, now: Format) -> bool:
    old, new = getattr(before, name), getattr(now, name)
    if name == "fps":
        return min(old, new) > 0 and bool(abs(old - new) > _FPS_TOLERANCE * max(old, new))
    if name == "aspect":
        return bool(abs(old - new) > ASPECT_TOLERANCE * max(old, new))
    if name == "layout":
        # Another number of channels has told it already; "2 channels" is one without a name.
        named = all(layout and not layout.endswith("channels") for layout in (old, new))
        return before.channels == now.channels and named and bool(old != new)
    return bool(old != new)
