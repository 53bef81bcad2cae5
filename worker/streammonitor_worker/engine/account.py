"""What a stream costs and how it is doing, from its renditions: the numbers of `StreamStats`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from streammonitor_api.fidelity import Fidelity
from streammonitor_worker.engine.messages import StreamStats
from streammonitor_worker.engine.rendition import WatchedRendition
from streammonitor_worker.engine.weight import SMOOTHING_S, Weight, thread_cpu_s
from streammonitor_worker.status import StreamStatus

USUAL_FPS = 30.0
"""Pictures a second where a stream does not say."""
_ORDER = list(Fidelity)


class Account:
    """Of one stream, over all its openings."""

    def __init__(self, stream: str, wall: Callable[[], float]) -> None:
        self._stream = stream
        self._wall = wall
        self._weight = Weight()
        self._full_cores: float | None = None
        self._full_since: float | None = -math.inf
        self._closed_cpu_s = 0.0
        self._before: tuple[int, float] = (0, 0.0)
        self._last_media: float | None = None

    def begin_media(self) -> None:
        """The first picture is there."""
        self._last_media = self._wall()

    def close(self, runs: Iterable[WatchedRendition]) -> None:
        """These are watched no longer; what they cost stays."""
        self._closed_cpu_s += sum(run.cpu_s for run in runs)

    def stats(self, now: float, runs: Sequence[WatchedRendition], wanted: Fidelity) -> StreamStats:
        """How the stream is doing at `now` (monotonic); `wanted` is the closest fidelity."""
        statuses = [run.pipeline.status() for run in runs]
        self._weight.measure(now, self._cpu_s(runs))
        pictures = sum(one.pictures for one in statuses)
        media_s = sum(one.media_s for one in statuses)
        if (pictures, media_s) != self._before and media_s:
            self._before, self._last_media = (pictures, media_s), self._wall()
        fidelity = max((_ORDER.index(Fidelity(one.fidelity)) for one in statuses), default=0)
        self._note_full_weight(now, full=fidelity <= _ORDER.index(wanted))
        return StreamStats(
            stream=self._stream,
            state=statuses[0].state if statuses else "opening",
            fidelity=_ORDER[fidelity],
            lag_s=round(max((one.lag_s for one in statuses), default=0.0), 3),
            cores=self._weight.cores,
            full_cores=self._full_cores,
            pixel_rate=_pixel_rate(statuses),
            last_media=self._lasts_until(runs),
            pictures=pictures,
            media_s=round(media_s, 3),
            cpu_s=_summed(one.cpu_s for one in statuses),
            reconnects=sum(one.reconnects for one in statuses),
            error=next((one.error for one in statuses if one.error), None),
        )

    def _cpu_s(self, runs: Iterable[WatchedRendition]) -> float:
        used = self._closed_cpu_s
        for run in runs:
            run.cpu_s = thread_cpu_s(run.thread) or run.cpu_s
            used += run.cpu_s
        return used

    def _note_full_weight(self, now: float, *, full: bool) -> None:
        """Remember what it costs as closely as is wanted; the weight follows the fidelity late."""
        if not full:
            self._full_since = None
            return
        if self._full_since is None:
            self._full_since = now
        if self._full_cores is None or now - self._full_since >= 2 * SMOOTHING_S:
            self._full_cores = self._weight.cores

    def _lasts_until(self, runs: Iterable[WatchedRendition]) -> float | None:
        """Until when media was watched: a segment that comes at once lasts until the next."""
        if self._last_media is None:
            return None
        cadence_s = max((run.pipeline.source.cadence_s for run in runs), default=0.0)
        return min(self._wall(), self._last_media + cadence_s)


def _summed(spent: Iterable[Mapping[str, float]]) -> dict[str, float]:
    total: dict[str, float] = {}
    for one in spent:
        for stage, seconds in one.items():
            total[stage] = round(total.get(stage, 0.0) + seconds, 6)
    return total


def _pixel_rate(statuses: Sequence[StreamStatus]) -> float | None:
    """How many pixels a second all renditions have together; None before any is known."""
    known = [one for one in statuses if one.video is not None or one.media_s > 0]
    if not known:
        return None
    videos = [one.video for one in known if one.video is not None]
    return sum(one.width * one.height * (one.fps or USUAL_FPS) for one in videos)
