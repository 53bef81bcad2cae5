"""format-change: codec, size, frame rate or sound format changed while the stream ran.

Measure
    Number of properties that differ from the format before; present from 1.
Reads
    `Format`, sent at the start of a track and at each change.
Not a defect
    The first format of a track; another bit rate; the same format after a reconnection.
Source
    Each change counts: players rebuild their decoder on it. AWS MediaConnect and TAG report
    codec, size and rate mismatch as events.
"""

from __future__ import annotations

from collections.abc import Iterable

from streammonitor_worker.detectors.base import Detector, Measure, Settings
from streammonitor_worker.media import Format

_PROPERTIES = ("codec", "width", "height", "fps", "pixel_format", "rate", "channels")
_FPS_TOLERANCE = 0.01
"""Relative: 29.97 and 30 differ by 0.001 in how containers round them, 24 and 25 by 0.04."""


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
        self._known: Format | None = None

    @property
    def threshold(self) -> float:
        return 1.0

    def observe(self, now: Format) -> Iterable[Measure]:
        """Number of changed properties; present at the change."""
        before, self._known = self._known, now
        if before is None:
            return ()
        changed = [name for name in _PROPERTIES if _differs(name, before, now)]
        if not changed:
            return ()
        evidence = {"from": before.describe(), "to": now.describe(), "changed": changed}
        return (Measure(now.time, now.time, True, float(len(changed)), evidence=evidence),)


def _differs(name: str, before: Format, now: Format) -> bool:
    old, new = getattr(before, name), getattr(now, name)
    if name == "fps":
        return min(old, new) > 0 and bool(abs(old - new) > _FPS_TOLERANCE * max(old, new))
    return bool(old != new)
