"""What goes wrong with the server of a live stream, and when: the plan, without any network.

Times are seconds since the stream's first picture. The stream goes on while its server fails:
what a fault hides is there again afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import ceil, floor

from streammonitor_worker.synth.recipe import Injection, Recipe
from streammonitor_worker.synth.truth import Defect

_SLACK = 1e-6
"""Of a segment: times that were typed meet the edges of segments in spite of rounding."""


class ServerFaults:
    """The faults of a recipe, for segments of a length in seconds."""

    def __init__(self, recipe: Recipe, segment_s: float) -> None:
        self._segment_s = segment_s
        self._stalls = _of(recipe, "stream-stall")
        self.absences = _of(recipe, "stream-unavailable")
        """When connections are refused, in order."""
        self._lost = frozenset(
            number
            for injection in _of(recipe, "segment-error")
            for number in self._segments(injection)
        )
        self._losses = _of(recipe, "segment-error")

    def _segments(self, injection: Injection) -> range:
        """Number the segments of which any part is within an injection."""
        first = floor(injection.at_s / self._segment_s + _SLACK)
        return range(first, max(first + 1, ceil(injection.end_s / self._segment_s - _SLACK)))

    @property
    def longest_s(self) -> float:
        """For how long a fault hides new segments at most."""
        return max((i.duration_s for i in self._stalls + self.absences), default=0.0)

    def newest(self, elapsed_s: float) -> int | None:
        """Number the last segment that the playlist shows at that time; None for no limit."""
        for stall in self._stalls:
            if stall.at_s <= elapsed_s < stall.end_s:
                return floor(stall.at_s / self._segment_s + _SLACK) - 1
        return None

    def is_lost(self, segment: int) -> bool:
        """Whether a request for that segment is answered by 404."""
        return segment in self._lost

    def defects(self) -> Iterator[tuple[Defect, bool]]:
        """Tell what is wrong when, and whether a watcher has to find it.

        A stall begins where the media ends that could still be loaded. An absence is noticed by
        the next request, which may be a segment's length later.
        """
        for stall in self._stalls:
            ended = floor(stall.at_s / self._segment_s + _SLACK) * self._segment_s
            yield Defect("stream-stall", "stream", ended, stall.end_s), True
        for absence in self.absences:
            away = Defect("stream-unavailable", "stream", absence.at_s, absence.end_s)
            yield away, True
            yield replace(away, detector="stream-stall"), False
        for loss in self._losses:
            numbers = self._segments(loss)
            start, end = numbers[0] * self._segment_s, numbers[-1] * self._segment_s
            lost = Defect("segment-error", "stream", start, end + self._segment_s)
            yield lost, True
            for detector in ("timestamp-jump", "continuity-error", "stream-stall"):
                yield replace(lost, detector=detector), False


def _of(recipe: Recipe, detector: str) -> list[Injection]:
    found = (injection for injection in recipe.injections if injection.detector == detector)
    return sorted(found, key=lambda injection: injection.at_s)
