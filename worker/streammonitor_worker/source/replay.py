"""Recognises a file that is sent anew at every connection, and so would be watched for ever.

A server that sends a file without its length cannot be told from one of a live stream, where the
format does not tell either (MPEG-TS). A live stream is never as far as before when it is
connected to again, and does not come faster than it plays.
"""

from __future__ import annotations

SAME_S = 0.001
"""Timestamps that differ by less are the same; containers round to 1 ms at worst."""
FASTER = 1.2
"""From this speed on it is no live stream. These begin in a burst of some seconds, which together
with the other condition is not enough to be taken for a file."""


class RepeatedError(Exception):
    """A file is sent once more, from its beginning."""


class Replay:
    """Follows the connections of one source. Times are seconds, `now` monotonic."""

    def __init__(self) -> None:
        self._first_s: float | None = None
        self._media_s = 0.0
        self._began = 0.0

    def check(self, first_s: float, media_s: float, away_s: float, now: float) -> None:
        """Note a connection. Raises RepeatedError where it only repeats the one before.

        first_s: its first timestamp. media_s: media time reached before it. away_s: for how long
        nothing came before it.
        """
        watched_s, took_s = media_s - self._media_s, now - away_s - self._began
        same = self._first_s is not None and abs(first_s - self._first_s) < SAME_S
        self._first_s, self._media_s, self._began = first_s, media_s, now
        if same and watched_s > FASTER * took_s:
            raise RepeatedError
