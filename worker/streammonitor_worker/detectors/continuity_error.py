"""continuity-error: MPEG-TS packets were lost, repeated or reordered on the way.

Measure
    Continuity-counter errors within the last second, over all PIDs; present from `errors`.
Reads
    `Packet.continuity_errors`, counted by the source on the raw transport stream.
Not a defect
    One repetition of a packet, packets without payload, an announced discontinuity, the start of
    an HLS segment.
Source
    ISO/IEC 13818-1, 2.4.3.3; ETSI TR 101 290, 1.4 Continuity_count_error.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from streammonitor_worker.detectors.base import Detector, Measure, Settings, setting
from streammonitor_worker.media import Packet

_WINDOW_S = 1.0


@dataclass(frozen=True, kw_only=True)
class ContinuityErrorSettings(Settings):
    errors: int = setting(
        1,
        what="continuity errors within a second that count as a defect",
        source="ETSI TR 101 290 1.4: every error counts",
        unit="errors/s",
        minimum=1,
        maximum=1_000_000,
    )


class ContinuityError(Detector[Packet]):
    """MPEG-TS packets were lost, repeated or reordered on the way."""

    name = "continuity-error"
    reads = Packet
    scope = "stream"
    unit = "errors/s"
    severity = "warning"
    alarm_after = 0.0
    clear_after = 2.0
    bridge = 1.0
    momentary = True
    settings_type = ContinuityErrorSettings

    def __init__(self, settings: Settings | None = None) -> None:
        super().__init__(settings)
        self._errors: deque[tuple[float, int]] = deque()

    @property
    def threshold(self) -> float:
        return float(self.settings.errors)

    def observe(self, packet: Packet) -> Iterable[Measure]:
        """Errors within the last second; present at the packets that carry them."""
        if packet.continuity_errors == 0:
            return ()
        self._errors.append((packet.time, packet.continuity_errors))
        while packet.time - self._errors[0][0] > _WINDOW_S:
            self._errors.popleft()
        count = sum(errors for _, errors in self._errors)
        if count < self.settings.errors:
            return ()
        evidence = {"errors": packet.continuity_errors, "track": packet.track}
        return (Measure(packet.time, packet.end, True, float(count), evidence=evidence),)
