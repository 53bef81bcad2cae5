"""Watches several sources in one process until all have ended: `streammonitor watch`.

Each stream is a thread that reads, decodes and measures; decoding releases the interpreter's
lock. The caller's thread ticks them and ends them: a thread that blocks in a source is left
behind, its incidents closed for it, so that stopping never waits for the network.
"""

from __future__ import annotations

import logging
import math
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, count
from pathlib import Path

from streammonitor_api.errors import StreamMonitorError
from streammonitor_api.events import Event, Summary
from streammonitor_api.fidelity import Fidelity
from streammonitor_api.plan import Plan
from streammonitor_worker.pipeline import Pipeline
from streammonitor_worker.pipeline.evidence import EvidenceKeeper
from streammonitor_worker.source import (
    Rendition,
    Source,
    SourceOptions,
    Waiting,
    expand,
    redact,
)
from streammonitor_worker.status import StreamStatus

logger = logging.getLogger(__name__)

TICK_S = 0.1
"""How often streams are looked at from outside: the precision of alarms that only the clock can
raise, and of `duration_s`."""
STOP_S = 1.0
"""How long threads are waited for when the watch is stopped; half of the 2 s promised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchOptions:
    """How to watch. `duration_s` is wall-clock time for live streams, media time for files."""

    fidelity: Fidelity = Fidelity.FULL
    duration_s: float | None = None
    evidence_folder: Path | None = None
    source: SourceOptions = field(default_factory=SourceOptions)


class Watch:
    """Several streams, watched together.

    `sinks` take every event, one at a time, in the order in which each stream told them.
    `on_failure` takes one line for each source that cannot be watched, as soon as that is known,
    from the thread of its stream.
    """

    def __init__(
        self,
        sources: Iterable[str],
        plan: Plan,
        options: WatchOptions,
        sinks: Sequence[Callable[[Event], None]],
        on_failure: Callable[[str], None] | None = None,
    ) -> None:
        self._urls = list(sources)
        self._plan = plan
        self._options = options
        self._sinks = sinks
        self._on_failure = on_failure
        self._opening = threading.Lock()
        self._emitting = threading.Lock()
        self._waiting = Waiting()
        """For finding renditions."""
        self._streams: list[list[Pipeline]] = [[] for _ in self._urls]
        self._threads: list[threading.Thread] = []
        self._failures: dict[str, str] = {}

    @property
    def failures(self) -> list[str]:
        """One line for each source that could not be watched at all."""
        return list(self._failures.values())

    def statuses(self) -> list[StreamStatus]:
        """How each stream is doing right now, in the order of the sources."""
        return [pipeline.status() for pipeline in self._pipelines()]

    def run(self, stop: threading.Event) -> list[Summary]:
        """Watch until all streams have ended, the duration has passed or `stop` is set."""
        self._begin()
        began = time.monotonic()
        while any(thread.is_alive() for thread in self._threads):
            if stop.wait(TICK_S):
                break
            for pipeline in self._pipelines():
                self._guard(pipeline, pipeline.tick)
            self._watch_others()
            if self._enough(time.monotonic() - began):
                break
        self._finish()
        return [_summary(status) for status in self.statuses()]

    def _pipelines(self) -> list[Pipeline]:
        return [pipeline for group in self._streams for pipeline in list(group)]

    def _begin(self) -> None:
        """Start a thread for each source. Where each is one stream they are named here, in their
        order, not in the one in which they are reached."""
        if self._options.source.renditions != "all":
            for position, url in enumerate(self._urls):
                self._add(position, [Rendition(url)])
            for pipeline in self._pipelines():
                self._start(pipeline.stream, partial(self._watch, pipeline))
            return
        for position, url in enumerate(self._urls):
            self._start(redact(url), partial(self._watch_renditions, position, url))

    def _start(self, name: str, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _watch_renditions(self, position: int, url: str) -> None:
        """Find the renditions; watch the first here and each other on its own thread."""
        try:
            renditions = expand(url, self._options.source, self._waiting)
        except StreamMonitorError as error:
            self._fail(redact(url), str(error))
            return
        pipelines = self._add(position, renditions)
        for pipeline in pipelines[1:]:
            self._start(pipeline.stream, partial(self._watch, pipeline))
        self._watch(pipelines[0])

    def _watch_others(self) -> None:
        """Watch the renditions that a source turned out to have when it could be reached."""
        for position, group in enumerate(self._streams):
            for source in [pipeline.source for pipeline in group]:
                others, source.others = source.others, []
                for pipeline in self._add(position, others):
                    self._start(pipeline.stream, partial(self._watch, pipeline))

    def _add(self, position: int, renditions: Iterable[Rendition]) -> list[Pipeline]:
        """Make a pipeline for each; stopped already, where the watch is."""
        added: list[Pipeline] = []
        with self._opening:
            for rendition in renditions:
                added.append(self._pipeline(Source(rendition, self._options.source)))
                self._streams[position].append(added[-1])
                if self._waiting.stopped:
                    added[-1].source.stop()
        return added

    def _pipeline(self, source: Source) -> Pipeline:
        folder, duration_s = self._options.evidence_folder, self._options.duration_s
        return Pipeline(
            self._unused_name(source.name),
            source,
            self._plan,
            self._emit,
            fidelity=self._options.fidelity,
            evidence=None if folder is None else EvidenceKeeper(folder),
            until_media_s=math.inf if duration_s is None else duration_s,
        )

    def _unused_name(self, name: str) -> str:
        """Tell apart what looks the same: one source twice, or several but for their secrets."""
        used = {pipeline.stream for pipeline in self._pipelines()}
        candidates = chain([name], (f"{name} ({number})" for number in count(2)))
        return next(candidate for candidate in candidates if candidate not in used)

    def _watch(self, pipeline: Pipeline) -> None:
        self._guard(pipeline, pipeline.run)

    def _guard(self, pipeline: Pipeline, work: Callable[[], None]) -> None:
        """Do it; what goes wrong ends this stream."""
        try:
            work()
        except StreamMonitorError as error:
            self._fail(pipeline.stream, str(error))
        except Exception as error:  # the end of a thread: no other stream may be disturbed
            logger.debug("%s: the watching failed", pipeline.stream, exc_info=True)
            message = f"{pipeline.stream}: internal error: {_describe(error)}; please report it"
            self._fail(pipeline.stream, message)
            pipeline.finish(message)

    def _fail(self, name: str, message: str) -> None:
        self._failures[name] = message
        if self._on_failure is not None:
            self._on_failure(message)

    def _emit(self, event: Event) -> None:
        with self._emitting:
            for sink in self._sinks:
                sink(event)

    def _enough(self, elapsed_s: float) -> bool:
        """Whether all that is left are live streams, watched for the duration asked for."""
        if self._options.duration_s is None or elapsed_s < self._options.duration_s:
            return False
        return all(p.ended or p.source.live is not False for p in self._pipelines())

    def _finish(self) -> None:
        self._waiting.stop()
        with self._opening:  # what is added from now on is stopped there
            pipelines = self._pipelines()
        for pipeline in pipelines:
            pipeline.source.stop()
        deadline = time.monotonic() + STOP_S
        for thread in list(self._threads):
            thread.join(max(0.0, deadline - time.monotonic()))
        for pipeline in self._pipelines():
            pipeline.finish()


def _describe(error: Exception) -> str:
    """A bug in one line: what was raised, and where."""
    (*_, raised_at) = traceback.extract_tb(error.__traceback__)
    return f"{error!r} in {Path(raised_at.filename).name}:{raised_at.lineno}"


def _summary(status: StreamStatus) -> Summary:
    return Summary(
        stream=status.stream,
        media_s=status.media_s,
        frames=status.pictures,
        cpu_s=sum(status.cpu_s.values()),
        incidents=status.incidents,
    )
