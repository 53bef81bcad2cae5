"""Where a stream is: in media time, on the wall clock, and how far behind.

Pure bookkeeping on numbers that it is given; the pipeline owns one.
"""

from __future__ import annotations

TRACK_IDLE_S = 1.0
"""A track that is this far behind the others is looked at; less is ordinary interleaving."""
WALL_STEP_S = 0.1
"""The wall clock is followed where it is off by more: it stepped, or drifted for hours."""


class Pace:
    """Follows one stream.

    `now` is always seconds on the stream's clock: monotonic, 0 when the watching began.
    `wall_start` is the wall-clock time (seconds since 1970) of that moment.
    """

    def __init__(self, wall_start: float) -> None:
        self._wall_start = wall_start
        self._ends: dict[str, float] = {}
        self._arrived_at = 0.0
        self._waited_s = 0.0
        self._caught_up: tuple[float, float] | None = None
        self.media_s = 0.0
        """Media time that has been reached, over all tracks."""
        self.lag_s = 0.0

    def wall(self, now: float) -> float:
        """Wall-clock time, seconds since 1970, of a moment of the stream's clock."""
        return self._wall_start + now

    def correct(self, wall_start: float) -> None:
        """The wall clock says now that the watching began then."""
        if abs(wall_start - self._wall_start) > WALL_STEP_S:
            self._wall_start = wall_start

    def wall_of_media(self, media_s: float, *, live: bool) -> float:
        """Wall-clock time of a media time: of a file, as if it were played from the beginning of
        the watching; of a live stream, when it arrived."""
        if not live:
            return self.wall(media_s)
        return self.wall(self._arrived_at) - (self.media_s - media_s)

    def clock_at(self, wall_s: float) -> float:
        """The moment of the stream's clock of a wall-clock time."""
        return wall_s - self._wall_start

    def media_at(self, wall_s: float, *, live: bool) -> float:
        """The media time of a wall-clock time: `wall_of_media` backwards."""
        return self.media_s + wall_s - self.wall_of_media(self.media_s, live=live)

    def arrived(self, track: str, time: float, end: float, jump_s: float, now: float) -> None:
        """A packet of `track` from `time` to `end` is here."""
        if jump_s > 0 and track in self._ends:
            skipped = max(0.0, time - self._ends[track])
            self._ends = {name: known + skipped for name, known in self._ends.items()}
        self._ends[track] = max(end, self._ends.get(track, end))
        self._arrived_at = now
        self.media_s = max(self.media_s, end)

    def resume(self, media_s: float) -> None:
        """The source is back: no track is behind because it was away."""
        self._ends = {track: max(end, media_s) for track, end in self._ends.items()}

    def behind(self, media_s: float) -> list[tuple[str, float]]:
        """How far each track is behind `media_s`, in seconds, 0 for those that are not."""
        return [(track, max(0.0, media_s - end)) for track, end in self._ends.items()]

    def leave_out(self, seconds: float) -> None:
        """Nobody looked for so long, so that nothing came says nothing."""
        self._arrived_at += seconds

    def idle(self, now: float, cadence_s: float) -> float:
        """Seconds without media beyond the interval at which the source delivers, >= 0."""
        return max(0.0, now - self._arrived_at - cadence_s)

    def measure_lag(self, waited_s: float, now: float) -> float:
        """Update and return `lag_s`.

        `waited_s` is how long the stream has waited for media altogether. Whenever it had to
        wait it had caught up, so lag counts from there: how much less media than time has passed.
        """
        if self._caught_up is None or waited_s > self._waited_s:
            self._waited_s = waited_s
            self._caught_up = (now, self.media_s)
        since, media_then = self._caught_up
        self.lag_s = max(0.0, (now - since) - (self.media_s - media_then))
        return self.lag_s
