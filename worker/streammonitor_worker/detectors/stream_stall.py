"""stream-stall: connected, but no media comes; or one track has stopped while others go on.

Measure
    Seconds without media beyond the interval at which this kind of source delivers it (a target
    duration for HLS, 0 for continuous sources); present above `gap`.
Reads
    `Idle`, of the whole live stream (on its clock) and of each track (in media time).
Not a defect
    The burst rhythm of segments; a long picture that a slide show declares as such; the end of a
    file. A source that is away altogether is stream-unavailable.
Source
    alarm after 5 s: DESIGN; AWS MediaConnect and Volicon alarm after 10 s and more.
    ETSI TR 101 290 calls a PID missing after 5 s by default (table 5.0a, 1.6 PID_error).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from streammonitor_worker.detectors.base import Detector, Measure, Settings, setting
from streammonitor_worker.media import Idle


@dataclass(frozen=True, kw_only=True)
class StreamStallSettings(Settings):
    gap: float = setting(
        1.0,
        what="time without media from which it is counted as missing",
        source="above the 0.7 s between timestamps that ETSI TR 101 290 2.5 allows",
        unit="s",
        minimum=0.1,
        maximum=60.0,
    )


class StreamStall(Detector[Idle]):
    """No media comes although the source is there, or one track has stopped."""

    name = "stream-stall"
    reads = Idle
    unit = "s"
    severity = "critical"
    alarm_after = 5.0
    clear_after = 1.0
    settings_type = StreamStallSettings

    @property
    def threshold(self) -> float:
        return float(self.settings.gap)

    def observe(self, idle: Idle) -> Iterator[Measure]:
        """Seconds without media; present at or above `gap`."""
        now, missing = idle.time, idle.idle_s
        present = missing >= self.settings.gap
        yield Measure(now, now, present, missing, since=now - missing if present else None)
