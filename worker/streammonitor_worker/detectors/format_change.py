"""format-change: codec, size, frame rate or sound format changed while the stream ran.

Measure
    Number of properties that differ from the format before; present from 1.
Reads
    `Format`, sent at the start of a track and at each change; `Packet` for the passing of time.
Not a defect
    The first format of a track; another bit rate; the same format after a reconnection.
Source
    Each change counts: players rebuild their decoder on it. AWS MediaConnect and TAG report
    codec, size and rate mismatch as events.
"""

from __future__ import annotations

from collections.abc import Iterator

from streammonitor_worker.detectors.base import Detector, Measure, Settings
from streammonitor_worker.media import Format, Packet

_PROPERTIES = ("codec", "width", "height", "fps", "pixel_format", "rate", "channels")
_FPS_TOLERANCE = 0.01
"""Relative: 29.97 and 30 differ by 0.001 in how containers round them, 24 and 25 by 0.04."""


class FormatChange(Detector[Format | Packet]):
    """Codec, size, frame rate or sound format changed while the stream ran."""

    name = "format-change"
    reads = (Format, Packet)
    unit = "properties"
    severity = "warning"
    alarm_after = 0.0
    clear_after = 1.0

    def __init__(self, settings: Settings | None = None) -> None:
        super().__init__(settings)
        self._known: Format | None = None

    @property
    def threshold(self) -> float:
        return 1.0

    def observe(self, item: Format | Packet) -> Iterator[Measure]:
        """Number of changed properties; present at the change."""
        if isinstance(item, Packet):
            yield Measure(item.time, item.end, False, 0.0)
            return
        before, self._known = self._known, item
        if before is None:
            return
        changed = [name for name in _PROPERTIES if _differs(name, before, item)]
        if not changed:
            return
        yield Measure(
            item.time,
            item.time,
            True,
            float(len(changed)),
            evidence={
                "from": before.describe(),
                "to": item.describe(),
                "changed": changed,
            },
        )


def _differs(name: str, before: Format, now: Format) -> bool:
    old, new = getattr(before, name), getattr(now, name)
    if name == "fps":
        known = old > 0 and new > 0
        return known and abs(old - new) > _FPS_TOLERANCE * max(old, new)
    return bool(old != new)
