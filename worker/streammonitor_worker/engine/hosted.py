"""One stream in an engine: watched for as long as it is wanted, whatever becomes of its source.

A source that gives up (no media, a refused protocol, an end that a live stream should not have)
is told as unavailable and opened again after a while. Whatever is opened again, be it because its
address changed, continues the incidents that were open.
"""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from streammonitor_api.errors import StreamMonitorError
from streammonitor_api.events import Event, OpenIncident
from streammonitor_api.fidelity import Fidelity
from streammonitor_api.incident import Incident, wall_time
from streammonitor_worker.detectors.registry import detector_types
from streammonitor_worker.engine.account import Account
from streammonitor_worker.engine.messages import (
    Begun,
    Ended,
    OwnOrder,
    Report,
    Seen,
    StreamStats,
    Told,
    WatchOrder,
)
from streammonitor_worker.engine.rendition import WatchedRendition
from streammonitor_worker.pipeline import Pipeline
from streammonitor_worker.source import Rendition, Source, SourceOptions, Waiting, expand

logger = logging.getLogger(__name__)

AGAIN_S = 5.0
"""A source that has given up is opened again after so long, then after twice as long and so on: it
needs somebody to change something, so minutes do not matter and its server does."""
LONGEST_S = 60.0
ORPHAN_S = 60.0
"""Incidents of a rendition that the stream does not have any longer are closed after so long."""
CLOSED_KEPT = 50
"""Incidents closed lately that are remembered for the next opening."""
_ORDER = list(Fidelity)


class Hosted:
    """One stream. `report` takes what is to be told, from several threads; `wall` tells the time
    of day, seconds since 1970."""

    def __init__(
        self,
        order: WatchOrder,
        report: Callable[[Report], None],
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.stream = order.stream
        self._order = order = _known(order)
        self._limit = Fidelity.FULL
        self._report = report
        self._wall = wall
        self._lock = threading.Lock()
        """Held where the runs change, and while an event is passed on."""
        self._runs: list[WatchedRendition] = []
        self._waiting = Waiting()
        self._owned = False
        self._left: list[OpenIncident] = []
        """Open incidents that wait for the rendition that they are of."""
        self._left_since: float | None = None
        self._ended = False
        self._told_seen = False
        self._closed: deque[Incident] = deque(maxlen=CLOSED_KEPT)
        self._account = Account(order.stream, wall)
        self._again_at: float | None = None
        self._again_s = AGAIN_S
        self._join_s = order.join_s
        self._open()

    def change(self, order: WatchOrder) -> None:
        """Go on by another order."""
        before, self._order = self._order, _known(order)
        if order.opening != before.opening:
            self._again_s = AGAIN_S
            self._reopen()
            return
        self._apply(self._order)

    def limit(self, fidelity: Fidelity) -> None:
        """Watch at most at this fidelity, whatever is wanted."""
        self._limit = fidelity
        self._apply(self._order)

    def own(self, order: OwnOrder) -> None:
        """Tell from now on what is found, and go on with what others left."""
        with self._lock:
            self._closed.extend(order.closed)
            self._owned = True
            self._left += order.left_open
            for run in self._runs:
                self._hand_over(run)

    def end(self, cancelled: str | None) -> None:
        """Stop. What is open is closed for the reason given; without one it is left open."""
        with self._lock:
            runs, self._runs = self._runs, []
        self._waiting.stop()
        for run in runs:
            if cancelled is None:
                run.pipeline.release()
            else:
                run.pipeline.cancel(cancelled)
            run.pipeline.source.stop()
        with self._lock:
            self._ended = True
        if cancelled is not None:
            self._close_left(cancelled)
        self._report(Ended(self.stream))

    def tick(self, now: float) -> None:
        """Notice what only the clock can tell. Call ten times a second; `now` is monotonic."""
        for run in list(self._runs):
            run.pipeline.tick()
            others, run.pipeline.source.others = run.pipeline.source.others, []
            for rendition in others:
                self._add(rendition)
        if not self._told_seen and any(run.has_media() for run in self._runs):
            self._told_seen = True
            self._again_s = AGAIN_S
            self._account.begin_media()
            self._report(Seen(self.stream))
        if self._again_at is not None and now >= self._again_at:
            self._reopen()
        if not (self._left and self._told_seen):
            self._left_since = None
        elif self._left_since is None:
            self._left_since = now
        elif now - self._left_since >= ORPHAN_S:
            self._close_left("its rendition is gone")

    def stats(self, now: float) -> StreamStats:
        """How it is doing; `now` is monotonic."""
        return self._account.stats(now, list(self._runs), self._order.fidelity)

    @property
    def fidelity(self) -> Fidelity:
        """The highest at which it may be watched now."""
        return max(self._order.fidelity, self._limit, key=_ORDER.index)

    def _apply(self, order: WatchOrder) -> None:
        for run in list(self._runs):
            run.pipeline.change(order.plan, self.fidelity)

    def _hand_over(self, run: WatchedRendition) -> None:
        """Give a run what is of its rendition."""
        own = [one for one in self._left if run.is_of(one.incident)]
        self._left = [one for one in self._left if one not in own]
        run.own(own, [one for one in self._closed if run.is_of(one)])

    def _close_left(self, reason: str) -> None:
        left, self._left = self._left, []
        for one in left:
            evidence = {**one.incident.evidence, "cancelled": reason}
            incident = replace(one.incident, recovery=None, duration_s=None, evidence=evidence)
            wall = wall_time(self._wall())
            self._report(Told(self.stream, Event("closed", wall, incident, one.revision + 1)))

    def _reopen(self) -> None:
        """Open it anew and continue what is open."""
        self._join_s = 0.0  # it was watched until now, or was not there
        with self._lock:
            runs, self._runs = self._runs, []
            self._again_at = None
        self._account.close(runs)
        self._left += [one for run in runs for one in run.release()]
        for run in runs:
            run.pipeline.source.stop()
        self._open()

    def _open(self) -> None:
        if self._order.renditions != "all":
            self._add(Rendition(self._order.url))
            return
        threading.Thread(target=self._find, name=self.stream, daemon=True).start()

    def _find(self) -> None:
        order = self._order
        try:
            found = expand(order.url, self._options(), self._waiting)
        except StreamMonitorError:
            found = [Rendition(order.url)]  # says why when it is opened
        if order is not self._order:
            return  # changed meanwhile, and opened by then
        for rendition in found:
            self._add(rendition)

    def _options(self) -> SourceOptions:
        return SourceOptions(
            renditions=self._order.renditions,
            realtime=True,
            give_up_after_s=None,
            local_files=False,
            fidelity=self.fidelity,
            headers=self._order.headers,
            query=self._order.query,
            join_s=self._join_s,
        )

    def _add(self, rendition: Rendition) -> None:
        source = Source(rendition, self._options())
        run = WatchedRendition(rendition.label, self._emit)
        run.pipeline = Pipeline(
            self.stream,
            source,
            self._order.plan,
            run.emit,
            fidelity=self.fidelity,
            held=True,
            wall=self._wall,
        )
        run.thread = threading.Thread(
            target=self._watch, args=(run,), name=self.stream, daemon=True
        )
        with self._lock:
            if self._ended or self._waiting.stopped:
                return
            self._runs.append(run)
            if self._owned:
                self._hand_over(run)
        run.thread.start()

    def _watch(self, run: WatchedRendition) -> None:
        self._report(Begun(self.stream, threading.get_ident()))
        try:
            run.pipeline.watch()
            reason = "the stream has ended"
        except StreamMonitorError as error:
            reason = str(error)
        except Exception as error:  # the end of a thread: no other stream may be disturbed
            logger.exception("%s: the watching failed; please report it", self.stream)
            reason = f"internal error: {_describe(error)}; please report it"
        with self._lock:
            if run not in self._runs:
                return
            run.pipeline.lose(reason)
            if self._again_at is None:
                self._again_at = time.monotonic() + self._again_s
                self._again_s = min(2 * self._again_s, LONGEST_S)

    def _emit(self, event: Event) -> None:
        if event.kind == "closed" and event.incident.recovery is not None:
            self._closed.append(event.incident)
        self._report(Told(self.stream, event))


def _known(order: WatchOrder) -> WatchOrder:
    """The order without detectors that this release does not have: the operator may be newer."""
    plan = {name: one for name, one in order.plan.items() if name in detector_types()}
    if len(plan) < len(order.plan):
        unknown = ", ".join(sorted(set(order.plan) - set(plan)))
        logger.warning("%s: no detector %s here; upgrade the workers", order.stream, unknown)
    return replace(order, plan=plan)


def _describe(error: Exception) -> str:
    (*_, raised_at) = traceback.extract_tb(error.__traceback__)
    return f"{error!r} in {Path(raised_at.filename).name}:{raised_at.lineno}"
