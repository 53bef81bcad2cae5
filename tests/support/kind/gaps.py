"""How long streams were unwatched, from what workers tell of the pictures they decoded. Pure.

A worker tells twice a second when it last decoded a picture of a stream, and how many seconds of
the stream it has watched in all. It has watched all the time between two such words if these
seconds are as many as have passed: also where it was busy and said nothing for a while, or was
behind and caught up.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

SEGMENT_S = 1.0
"""Of the streams here. Pictures come a segment at a time: less than one is not to be told from
none at all."""

Claim = tuple[str, int]
"""A worker, and the epoch at which it watches a stream."""
Span = tuple[float, float]


@dataclass(frozen=True)
class Sighting:
    """What a worker told of a stream. Times are Unix times."""

    worker: str
    epoch: int
    state: str
    picture: float
    """When it last decoded a picture."""
    media_s: float
    """Seconds of the stream that it has watched."""
    seen: float


def longest_gap_s(sightings: Iterable[Sighting], since: float, until: float) -> float:
    """The longest time that touches [since, until] in which nobody watched."""
    spans = sorted(_watched(sightings))
    if not spans or spans[0][0] > since:
        spans.insert(0, (since, since))
    if max(end for _, end in spans) < until:
        spans.append((until, until))
    longest, end = 0.0, spans[0][1]
    for begin, span_end in spans:
        if begin > since and end < until:
            longest = max(longest, begin - end)
        end = max(end, span_end)
    return longest


def unwatched_s(sightings: Iterable[Sighting], since: float, until: float) -> float:
    """The same, where a segment or more was missed; else 0."""
    gap = longest_gap_s(sightings, since, until)
    return gap if gap > SEGMENT_S else 0.0


def first_picture_of_others(
    sightings: Iterable[Sighting], gone: Claim, since: float
) -> Sighting | None:
    """The first picture after `since` that was not decoded under a claim that is gone.

    The worker of that claim may come back in its place, and watch at a higher epoch.
    """
    others = (one for one in sightings if (one.worker, one.epoch) != gone)
    found = [one for one in others if one.picture > since]
    return min(found, key=lambda one: one.picture, default=None)


def is_at_rest(sightings: Iterable[Sighting], for_s: float) -> bool:
    """Whether one worker alone has watched a stream, under one claim, for so long."""
    rows = sorted(sightings, key=lambda one: one.seen)
    last = rows[-1]
    lately = [one for one in rows if one.seen > last.seen - for_s]
    claims = {(one.worker, one.epoch, one.state) for one in lately}
    return claims == {(last.worker, last.epoch, "watching")} and last.seen - rows[0].seen > for_s


def was_reopened(sightings: Iterable[Sighting], since: float) -> bool:
    """Whether a stream was opened again after `since`, or taken from who had it.

    A worker counts the seconds that it has watched from each opening on.
    """
    rows = sorted(sightings, key=lambda one: one.seen)
    before = [one for one in rows if one.seen <= since]
    rows = [*before[-1:], *rows[len(before) :]]
    return any(
        (one.worker, one.epoch) != (later.worker, later.epoch) or later.media_s < one.media_s
        for one, later in pairwise(rows)
    )


def _watched(sightings: Iterable[Sighting]) -> Iterator[Span]:
    """Times in which a worker watched."""
    workers = defaultdict(list)
    for one in sightings:
        workers[one.worker].append(one)
    for rows in workers.values():
        rows.sort(key=lambda one: one.seen)
        ahead_s = -math.inf
        later: Sighting | None = None
        for one in reversed(rows):
            if later is not None and later.media_s >= one.media_s:
                ahead_s = max(ahead_s, later.media_s - later.picture)
                if (one.media_s - one.picture) - ahead_s <= SEGMENT_S:
                    yield one.picture, later.picture
            else:
                ahead_s = -math.inf  # it was opened again
            later = one
        yield from ((one.picture, one.picture) for one in rows)
