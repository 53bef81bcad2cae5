"""How long each stream was wanted, and how long of that it was watched.

Kept as sums that change only when watching begins or ends, so a stream that is simply watched
costs nothing, and coverage at any instant is arithmetic. Times are Redis' clock in milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from streammonitor_api.fleet.records import CoverageTotal, Gap, StreamRow
from streammonitor_api.names import StreamKey
from streammonitor_operator.handover import Ownership, Phase

STARTING = "starting"
NO_WORKER = "no-worker"
WORKER_LOST = "worker-lost"
OPENING = "opening"
SOURCE_UNAVAILABLE = "source-unavailable"
QUARANTINED = "quarantined"
STALLED = "stalled"

_STATE_REASONS = {
    "opening": OPENING,
    "warming": OPENING,
    "reconnecting": SOURCE_UNAVAILABLE,
    "quarantined": QUARANTINED,
}


def reason_unwatched(
    ownership: Ownership,
    row: StreamRow | None,
    owner_lives: bool,
    before: str | None,
    *,
    is_stalled: bool = False,
) -> str | None:
    """Why a stream is not being watched now; None while it is.

    `row` is what its owner last told of it, `before` the reason of the gap that it is in: a stream
    that is being opened again after its worker died is still missing for that reason. One that is
    stalled has had no picture for longer than it should.
    """
    if owner_lives and row is not None and row.state == "watching":
        return STALLED if is_stalled else None
    if ownership.owner is None or ownership.phase is Phase.WAITING:
        return before or NO_WORKER
    if not owner_lives:
        return WORKER_LOST
    if row is None or _STATE_REASONS.get(row.state) == OPENING:
        return before or OPENING
    return _STATE_REASONS.get(row.state, before or OPENING)


@dataclass(slots=True)
class Watched:
    """The sums of one stream."""

    since_ms: int
    """From when on it is counted here."""
    wanted_before_s: float = 0.0
    watched_before_s: float = 0.0
    """What was counted before `since_ms`, by this operator or those before it."""
    missed_ms: int = 0
    """Sum of the gaps that are over, since `since_ms`."""
    gap_from_ms: int | None = None
    reason: str | None = None

    def total(self, now_ms: int) -> CoverageTotal:
        wanted_ms = max(0, now_ms - self.since_ms)
        missed_ms = self.missed_ms
        if self.gap_from_ms is not None:
            missed_ms += max(0, now_ms - self.gap_from_ms)
        watched_ms = max(0, wanted_ms - missed_ms)
        return CoverageTotal(
            self.wanted_before_s + wanted_ms / 1000, self.watched_before_s + watched_ms / 1000
        )


@dataclass(slots=True)
class Coverage:
    """The sums of all wanted streams, and the gaps that are to be written."""

    opened: dict[StreamKey, Gap] = field(default_factory=dict)
    closed: dict[StreamKey, int] = field(default_factory=dict)
    """When gaps ended. One that opened and ended before it was written stands in both."""
    missed_s: dict[str, float] = field(default_factory=dict)
    """Seconds unwatched by reason, of all gaps that are over."""
    _streams: dict[StreamKey, Watched] = field(default_factory=dict)

    def __getitem__(self, stream: StreamKey) -> Watched:
        return self._streams[stream]

    def __contains__(self, stream: StreamKey) -> bool:
        return stream in self._streams

    def __len__(self) -> int:
        return len(self._streams)

    def begin(
        self,
        stream: StreamKey,
        now_ms: int,
        total: CoverageTotal | None = None,
        gap: Gap | None = None,
    ) -> None:
        """A stream is wanted from now on; with what was counted of it before, if anything was.

        A gap that it was in before goes on; otherwise it is in one until it is first watched.
        """
        watched = self._streams[stream] = Watched(now_ms)
        if total is not None:
            watched.wanted_before_s, watched.watched_before_s = total.wanted_s, total.watched_s
        watched.gap_from_ms = now_ms
        watched.reason = STARTING if gap is None else gap.reason
        if gap is None:
            self.opened[stream] = Gap(stream, now_ms, None, STARTING)

    def end(self, stream: StreamKey) -> None:
        """A stream is not wanted any more; what Redis holds of it goes with the stream."""
        self._streams.pop(stream, None)
        self.opened.pop(stream, None)
        self.closed.pop(stream, None)

    def note(self, stream: StreamKey, reason: str | None, at_ms: int) -> None:
        """A stream is watched (`reason` None), or is not, from a time on."""
        watched = self._streams.get(stream)
        if watched is None:
            return
        if reason is None:
            self._watched(stream, watched, at_ms)
        elif watched.gap_from_ms is None:
            watched.gap_from_ms, watched.reason = max(at_ms, watched.since_ms), reason
            self.opened[stream] = Gap(stream, watched.gap_from_ms, None, reason)
        # A gap keeps the reason that it began with: what follows from it is no other gap.

    def _watched(self, stream: StreamKey, watched: Watched, at_ms: int) -> None:
        if watched.gap_from_ms is None:
            return
        end_ms = max(at_ms, watched.gap_from_ms)
        missed_ms = end_ms - watched.gap_from_ms
        watched.missed_ms += missed_ms
        reason = watched.reason or OPENING
        self.missed_s[reason] = self.missed_s.get(reason, 0.0) + missed_ms / 1000
        watched.gap_from_ms = watched.reason = None
        if not missed_ms and stream in self.opened:
            del self.opened[stream]  # it was never one
        else:
            self.closed[stream] = end_ms

    def totals(self, streams: Iterable[StreamKey], now_ms: int) -> dict[StreamKey, CoverageTotal]:
        """The sums of some streams up to now."""
        return {
            stream: self._streams[stream].total(now_ms)
            for stream in streams
            if stream in self._streams
        }

    def audit(self, noted: Iterable[Gap]) -> None:
        """Compare with the gaps that Redis has open: one that was written late, after its end,
        is ended where it began."""
        for gap in noted:
            watched = self._streams.get(gap.stream)
            if (watched is None or watched.gap_from_ms is None) and gap.stream not in self.closed:
                self.closed[gap.stream] = gap.from_ms

    def unwatched(self) -> int:
        """How many streams nobody watches now."""
        return sum(one.gap_from_ms is not None for one in self._streams.values())

    def sums(self, now_ms: int) -> tuple[float, float]:
        """Wanted and watched seconds of all streams that are wanted now."""
        totals = [one.total(now_ms) for one in self._streams.values()]
        return sum(one.wanted_s for one in totals), sum(one.watched_s for one in totals)

    def renew(self) -> None:
        """Have every gap that lasts written again: Redis lost them."""
        for stream, watched in self._streams.items():
            if watched.gap_from_ms is not None:
                reason = watched.reason or OPENING
                self.opened[stream] = Gap(stream, watched.gap_from_ms, None, reason)
