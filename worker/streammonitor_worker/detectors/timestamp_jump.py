"""timestamp-jump: the presentation clock jumps forward or back.

Measure
    Seconds by which a packet's timestamp departs from where the packet before it ended; present
    from `jump` in either direction, from there to the packet: an instant, where media time goes
    on over the jump, or the gap, where that is kept.
Reads
    `Packet.jump_s`, of all tracks.
Not a defect
    Reordered pictures, long pictures of variable frame rate, the wrap of 33-bit timestamps, an
    HLS discontinuity that the playlist announces.
Source
    ETSI TR 101 290, 2.5 PTS_error: more than 0.7 s between presentation timestamps.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from streammonitor_worker.detectors.base import Detector, Measure, Settings, setting
from streammonitor_worker.media import Packet


@dataclass(frozen=True, kw_only=True)
class TimestampJumpSettings(Settings):
    jump: float = setting(
        0.7,
        what="departure from the expected timestamp, forward or back",
        source="ETSI TR 101 290 2.5 PTS_error",
        unit="s",
        minimum=0.01,
        maximum=3600.0,
    )


class TimestampJump(Detector[Packet]):
    """The presentation clock jumps forward or back."""

    name = "timestamp-jump"
    reads = Packet
    scope = "stream"
    unit = "s"
    severity = "warning"
    alarm_after = 0.0
    clear_after = 1.0
    momentary = True
    settings_type = TimestampJumpSettings

    def __init__(self, settings: Settings | None = None) -> None:
        super().__init__(settings)
        self._ends: dict[str, float] = {}
        """Where the packets of each track have ended so far."""

    @property
    def threshold(self) -> float:
        return float(self.settings.jump)

    def observe(self, packet: Packet) -> Iterable[Measure]:
        """Size of the jump in seconds; present from `jump`, until the packet that jumped."""
        before = self._ends.get(packet.track, packet.time)
        self._ends[packet.track] = max(before, packet.end)
        size = abs(packet.jump_s)
        if size < self.settings.jump:
            return ()
        evidence = {"jump_s": round(packet.jump_s, 3), "track": packet.track}
        return (Measure(min(before, packet.time), packet.time, True, size, evidence=evidence),)
