"""stream-unavailable: the source cannot be opened, or it went away.

Measure
    Seconds for which the source has been unreachable; present from the first.
Reads
    `Connection`, repeated while the source is away.
Not a defect
    A connection that is lost and made again within the alarm duration; the end of a file.
Limits
    Counts on the stream's clock, not in media time, which stands still meanwhile.
Source
    alarm after 2 s: longer than one reconnection (the first retries come after 0.5 s and 1 s),
    shorter than the 5 s after which players show an error.
"""

from __future__ import annotations

from collections.abc import Iterator

from streammonitor_worker.detectors.base import Detector, Measure
from streammonitor_worker.media import Connection


class StreamUnavailable(Detector[Connection]):
    """The source cannot be opened, or it went away."""

    name = "stream-unavailable"
    reads = Connection
    scope = "stream"
    unit = "s"
    severity = "critical"
    alarm_after = 2.0
    clear_after = 1.0

    _away_since: float | None = None

    @property
    def threshold(self) -> float:
        return 0.0

    def observe(self, connection: Connection) -> Iterator[Measure]:
        """Seconds away; present while the source is."""
        now = connection.time
        if connection.up:
            self._away_since = None
            yield Measure(now, now, False, 0.0)
            return
        if self._away_since is None:
            self._away_since = now
        yield Measure(
            now, now, True, now - self._away_since, evidence={"reason": connection.reason}
        )
