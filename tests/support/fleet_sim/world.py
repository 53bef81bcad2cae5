"""What really happens on the streams: defects, with the truth of each.

Times are source time: true time as the source stamps it. Defects of one kind on one stream are far
enough apart that no outage of a simulation hides both the end of one and the onset of the next:
then it would be one defect to any observer.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

ALARMS_S: Mapping[tuple[str, str], float] = {
    ("video-black", "video:0"): 2.0,
    ("video-block-corruption", "video:0"): 0.2,
    ("audio-silence", "audio:0"): 2.0,
    ("audio-channel-loss", "audio:0"): 5.0,
}
"""What is watched for, detector and track, and how long it has to last: from the shortest to the
longest alarm duration that is common."""
CLEAR_S = 1.0
APART_S = 180.0
"""More than the longest outage and what it takes to recover."""

NEAR_BOUT = 0.5
NEAR_S = 90.0


@dataclass(frozen=True, slots=True)
class Defect:
    """One defect of one stream, `number` within the world."""

    number: int
    stream: str
    detector: str
    track: str
    onset: float
    end: float

    @property
    def alarm_s(self) -> float:
        return ALARMS_S[self.detector, self.track]

    def __str__(self) -> str:
        return (
            f"defect {self.number} ({self.stream} {self.detector}, "
            f"{self.onset:.1f} to {self.end:.1f} s)"
        )


class World:
    """All defects of all streams."""

    def __init__(
        self, defects: Iterable[Defect], weights: Mapping[str, float] | None = None
    ) -> None:
        self.weights = weights or {}
        """CPU cores that each stream uses."""
        self.defects = list(defects)
        self._by_kind: dict[tuple[str, str, str], list[Defect]] = {}
        for defect in sorted(self.defects, key=lambda one: one.onset):
            key = (defect.stream, defect.detector, defect.track)
            self._by_kind.setdefault(key, []).append(defect)

    def of(self, stream: str, detector: str, track: str) -> list[Defect]:
        """The defects of a kind on a stream, in order."""
        return self._by_kind.get((stream, detector, track), [])

    def at(self, stream: str, detector: str, track: str, time_s: float) -> Defect | None:
        """The defect that is there at a time, or None."""
        candidates = self.of(stream, detector, track)
        index = bisect_left(candidates, time_s, key=lambda one: one.end)
        if index < len(candidates) and candidates[index].onset - 1e-3 <= time_s:
            return candidates[index]
        return None


def make_world(
    random: Random,
    streams: Sequence[str],
    duration_s: float,
    per_hour: float,
    bouts: Sequence[float],
) -> World:
    """Scatter defects: `per_hour` on each stream at any time, and most where they matter.

    Around each of the `bouts` of faults that begin at these times, `NEAR_BOUT` of the streams have
    one more, which begins up to `NEAR_S` before or after.
    """
    defects: list[Defect] = []
    kinds = list(ALARMS_S)
    for stream in streams:
        onsets = [
            at + random.uniform(-NEAR_S, NEAR_S) for at in bouts if random.random() < NEAR_BOUT
        ]
        at = random.expovariate(per_hour / 3600)
        while at < duration_s:
            onsets.append(at)
            at += random.expovariate(per_hour / 3600)
        free_from = dict.fromkeys(kinds, 20.0)
        for onset in sorted(onsets):
            kind = random.choice(kinds)
            if free_from[kind] <= onset < duration_s:
                end = onset + _length(random, ALARMS_S[kind])
                defects.append(Defect(len(defects), stream, *kind, onset, end))
                free_from[kind] = end + APART_S
    weights = {stream: min(1.0, random.lognormvariate(-2.3, 0.5)) for stream in streams}
    return World(defects, weights)


def _length(random: Random, alarm_s: float) -> float:
    """Some are too short to be incidents, many end while an owner changes, some last."""
    return random.choice(
        (
            alarm_s * random.uniform(0.2, 0.9),
            alarm_s + random.uniform(0.1, 8.0),
            alarm_s + random.uniform(5.0, 60.0),
            random.uniform(60.0, 400.0),
        )
    )
