"""decode-error: the decoder refuses packets, or can show only parts of pictures.

Measure
    Packets and pictures that failed within the last second; present from `failures`.
Reads
    `Failure` (the decoder's refusals), `Picture.corrupt` (it concealed or missed parts).
Not a defect
    What precedes the first key picture of a stream joined in the middle: the source leaves it
    out.
Limits
    Says that the bitstream is damaged, not that a viewer sees it: video-block-corruption does.
Source
    Present from the first failure, as ETSI TR 101 290 counts transport errors.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from streammonitor_worker.detectors.base import Detector, Measure, Settings, setting
from streammonitor_worker.media import Failure, Picture

_WINDOW_S = 1.0


@dataclass(frozen=True, kw_only=True)
class DecodeErrorSettings(Settings):
    failures: int = setting(
        1,
        what="failed packets and pictures within a second that count as a defect",
        source="ETSI TR 101 290: every error counts",
        unit="failures/s",
        minimum=1,
        maximum=1000,
    )


class DecodeError(Detector[Picture | Failure]):
    """The decoder refuses packets, or can show only parts of pictures."""

    name = "decode-error"
    reads = (Picture, Failure)
    unit = "failures/s"
    severity = "warning"
    alarm_after = 0.0
    clear_after = 2.0
    bridge = 1.0
    momentary = True
    settings_type = DecodeErrorSettings

    def __init__(self, settings: Settings | None = None) -> None:
        super().__init__(settings)
        self._failed_at: deque[float] = deque(maxlen=1000)

    @property
    def threshold(self) -> float:
        return float(self.settings.failures)

    def observe(self, item: Picture | Failure) -> Iterable[Measure]:
        """Failures within the last second; present while they go on, from `failures`."""
        if isinstance(item, Failure):
            reason = item.reason
        elif item.corrupt:
            reason = "parts of the picture are missing or concealed"
        else:
            return ()
        failed = self._failed_at
        failed.append(item.time)
        while item.time - failed[0] > _WINDOW_S:
            failed.popleft()
        if len(failed) < self.settings.failures:
            return ()
        end = item.time + item.duration
        return (Measure(item.time, end, True, float(len(failed)), evidence={"reason": reason}),)
