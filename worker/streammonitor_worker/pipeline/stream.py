"""One stream: source → detectors → trackers → events.

A function call per item and detector, on memory that is already there; nothing but events leaves.
The thread that runs the pipeline reads, decodes and measures. A second one, the host's, ticks it:
only so is a source noticed that blocks. A lock keeps the two apart.

Items are measured a few pictures at a time. Decoding a picture empties the processor's caches of
the code and the tables of measuring, and the other way round: taken singly, each picture costs a
third more to measure.

Media time stands still while nothing comes, so the detectors of connection and stall count on
the stream's clock, seconds since the watching began; all others count in media time.
"""

from __future__ import annotations

import math
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable

import numpy as np

from streammonitor_api.errors import StreamMonitorError
from streammonitor_api.events import Event, OpenIncident
from streammonitor_api.fidelity import Fidelity
from streammonitor_api.incident import Incident, Moment, wall_time
from streammonitor_api.plan import Plan
from streammonitor_worker.media import (
    STREAM_TRACK,
    Connection,
    Format,
    Idle,
    Item,
    Packet,
    Picture,
    Sound,
)
from streammonitor_worker.pipeline.evidence import EvidenceKeeper
from streammonitor_worker.pipeline.fidelity import FidelityControl
from streammonitor_worker.pipeline.pace import TRACK_IDLE_S, Pace
from streammonitor_worker.pipeline.telling import CLOCK_TRUST_S
from streammonitor_worker.pipeline.watchers import Watchers
from streammonitor_worker.source import Source
from streammonitor_worker.status import StreamState, StreamStatus

ALERT_S = 10.0
"""At adaptive fidelity every picture is decoded for this long after something was suspicious:
twice the longest alarm duration of a picture defect, and two groups of pictures of 5 s."""
PAUSED_S = 1.0
"""Ticks that come this late come to a process that was stopped, or to a machine that was: ten
times the interval at which they are due."""
BATCH_PICTURES = 4
"""Pictures that are measured together. With 8 no less time is spent; each holds 3 MB of 1080p."""
BATCH_ITEMS = 32
"""The same where there are few pictures or none: 0.4 s of sound, packets and all."""
HELD_S = 0.25
"""Longest that an item waits for others to be measured with, give or take a tick."""
_SILENT_DBFS = -120.0


class Pipeline:
    """Watches one stream until it ends.

    Parameters
    ----------
    stream: its name in events.
    source: where its items come from.
    plan: the detectors to run, with their settings.
    emit: takes every event, in order, from either thread.
    fidelity: the highest fidelity to watch at.
    evidence: keeps pictures of incidents, or None.
    until_media_s: where to stop in a source that has an end.
    held: it may have another owner, so nothing is told before `own`.
    clock: monotonic seconds.
    wall: the time of day, seconds since 1970, which is followed where it is corrected; without it
        this machine's, as it was at the beginning.
    """

    def __init__(
        self,
        stream: str,
        source: Source,
        plan: Plan,
        emit: Callable[[Event], None],
        *,
        fidelity: Fidelity = Fidelity.FULL,
        evidence: EvidenceKeeper | None = None,
        until_media_s: float = math.inf,
        held: bool = False,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] | None = None,
    ) -> None:
        self.source = source
        self.stream = stream
        self._evidence = evidence
        # Not for secrets: it only spreads trials in time.
        self._control = FidelityControl(fidelity, random.random)
        source.set_fidelity(fidelity)
        self._until_media_s = until_media_s
        self._lock = threading.Lock()
        self._clock = clock
        self._began = clock()
        self._wall = wall
        wall_start = (wall or time.time)()
        self._session = wall_time(wall_start)
        self._pace = Pace(wall_start)
        self._watchers = Watchers(plan, self, emit, evidence, held=held)
        self._formats: dict[str, Format] = {}
        self._seen: dict[str, Picture] = {}
        self._heard: dict[str, Sound] = {}
        """The last picture and the last block of each track."""
        self._down: Connection | None = None
        self._up: Connection | None = None
        self._ticked_at = 0.0
        self._idling: set[str] = set()
        self._looked_at_tracks_s = 0.0
        self._pictures = 0
        self._held: deque[tuple[float, Item]] = deque()
        """Items that have not been measured, and when they came."""
        self._held_pictures = 0
        self._detect_s = 0.0
        self._state: StreamState = "opening"
        self._error: str | None = None

    @property
    def ended(self) -> bool:
        return self._state in ("ended", "failed")

    def run(self) -> None:
        """Watch until the source ends or is stopped; then close what is open.

        Raises StreamMonitorError where the source can never be watched.
        """
        try:
            self.watch()
        except StreamMonitorError as error:
            self.finish(str(error))
            raise
        self.finish()

    def watch(self) -> None:
        """Watch until the source ends or is stopped, and leave open what is open.

        Raises StreamMonitorError where the source can never be watched.
        """
        try:
            for item in self.source.items():
                if item.time >= self._until_media_s and not self.source.live:
                    return
                if not self._hold(item):
                    continue
                with self._lock:
                    if self.ended:
                        return
                    self._take_held()
        finally:
            with self._lock:
                if not self.ended:
                    self._take_held()

    def tick(self) -> None:
        """Notice what only the clock can tell: that nothing comes. Call some times a second."""
        with self._lock:
            if self.ended:
                return
            now = self._now()
            if self._wall is not None:
                self._pace.correct(self._wall() - now)
            if self._state == "watching":
                self._watchers.expire()
            since_s, self._ticked_at = now - self._ticked_at, now
            if since_s > PAUSED_S:
                self._pace.leave_out(since_s)
            if self._held and now - self._held[0][0] >= HELD_S:
                self._take_held()
            if self._down is None and self.source.away:
                self._go_down(self.source.away)
            elif self._down is not None:
                self._observe(Connection(STREAM_TRACK, now, False, self._down.reason))
            elif self._state == "watching" and self.source.live:
                self._observe(Connection(STREAM_TRACK, now, True))
                self._look_at(STREAM_TRACK, now, self._pace.idle(now, self.source.cadence_s))

    def finish(self, error: str | None = None) -> None:
        """Close what is open and take nothing more. May be called from any thread, and again."""
        with self._lock:
            if self.ended:
                return
            if error is None:
                self._take_held()
            self._held.clear()
            self._state = "failed" if error else "ended"
            self._error = error
            self._watchers.finish()

    def own(self, left_open: Iterable[OpenIncident], closed: Iterable[Incident]) -> None:
        """The stream is ours: tell what is found, and go on with what the owner before left open.
        `closed` are the incidents that it closed lately."""
        with self._lock:
            self._watchers.own(left_open, closed)

    def change(self, plan: Plan, fidelity: Fidelity) -> None:
        """Watch by another plan, at most at this fidelity, without opening the source again."""
        with self._lock:
            self._watchers.change(plan)
            if fidelity is not self._control.ceiling:
                self._control.limit(fidelity)
                self.source.set_fidelity(self._control.fidelity)

    def cancel(self, reason: str) -> None:
        """End it as no longer wanted: what is open is closed, without a recovery."""
        with self._lock:
            if not self.ended:
                self._state = "ended"
                self._watchers.cancel(reason)

    def release(self) -> tuple[OpenIncident, ...]:
        """End it for another owner; returns what that one is to continue."""
        with self._lock:
            if self.ended:
                return ()
            self._state = "ended"
            return self._watchers.left_open

    def lose(self, reason: str) -> None:
        """Go on as a stream whose source is away, for a source that has given up."""
        with self._lock:
            if not self.ended:
                self._go_down(reason)

    def status(self) -> StreamStatus:
        """How it is doing right now."""
        with self._lock:
            video = [track for track in self._formats if track.startswith("video:")]
            audio = [track for track in self._formats if track.startswith("audio:")]
            return StreamStatus(
                stream=self.stream,
                state=self._state,
                video=self._formats[video[0]] if video else None,
                audio=self._formats[audio[0]] if audio else None,
                media_s=self._pace.media_s,
                duration_s=self.source.duration_s,
                progress=self.source.progress,
                lag_s=self._pace.lag_s,
                fidelity=self._control.fidelity,
                levels_dbfs=_levels_dbfs(self._heard.get(audio[0])) if audio else (),
                pictures=self._pictures,
                cpu_s={**self.source.cpu_s, "detect": self._detect_s},
                reconnects=self.source.reconnects,
                open_incidents=self._watchers.open_incidents,
                incidents=self._watchers.opened,
                error=self._error or (self._down.reason if self._down else None),
            )

    def _now(self) -> float:
        return self._clock() - self._began

    def _hold(self, item: Item) -> bool:
        """Keep the item until there are enough; whether there are."""
        self._held.append((self._now(), item))
        if isinstance(item, Picture):
            self._held_pictures += 1
        awaited = self._down is not None or STREAM_TRACK in self._idling
        if awaited or isinstance(item, Connection):
            return True
        return self._held_pictures >= BATCH_PICTURES or len(self._held) >= BATCH_ITEMS

    def _take_held(self) -> None:
        began = time.thread_time()
        self._held_pictures = 0
        for _ in range(len(self._held)):
            self._take(*self._held.popleft())
        self._detect_s += time.thread_time() - began

    def _take(self, now: float, item: Item) -> None:
        if isinstance(item, Connection):
            self._connection(item)
            return
        if isinstance(item, Packet):
            self._packet(item, now)
        elif isinstance(item, Picture):
            self._picture(item)
            return
        elif isinstance(item, Sound):
            self._heard[item.track] = item
        elif isinstance(item, Format):
            self._formats[item.track] = item
        self._observe(item)

    def _picture(self, picture: Picture) -> None:
        self._pictures += 1
        before, self._seen[picture.track] = self._seen.get(picture.track), picture
        if before is not None and not picture.fresh:
            picture.follow(before)
        if self._evidence is not None:
            self._evidence.see(picture)
        self._observe(picture)
        picture.forget_previous()

    def _connection(self, item: Connection) -> None:
        """Going away counts at once; coming back when the first media is here."""
        if item.up:
            self._up = item
            return
        self._up = None
        self._go_down(item.reason)

    def _go_down(self, reason: str) -> None:
        """The source is away: from the very beginning, if it never was there."""
        since = 0.0 if self._state == "opening" else self._now()
        self._state = "reconnecting"
        self._down = Connection(STREAM_TRACK, since, False, reason)
        self._observe(self._down)

    def _packet(self, packet: Packet, now: float) -> None:
        self._pace.arrived(packet.track, packet.time, packet.end, packet.jump_s, now)
        self._state = "watching"
        self._watchers.pass_time(packet.end)
        if self._down is not None or self._up is not None:
            self._down = self._up = None
            self._pace.resume(packet.time)
            self._observe(Connection(STREAM_TRACK, now, True))
        if STREAM_TRACK in self._idling:
            self._look_at(STREAM_TRACK, now, 0.0)
        if packet.track in self._idling and self._pace.media_s - packet.end < TRACK_IDLE_S:
            self._look_at(packet.track, packet.time, 0.0)
        if packet.time - self._looked_at_tracks_s >= TRACK_IDLE_S:
            self._looked_at_tracks_s = packet.time
            for track, idle_s in self._pace.behind(packet.time):
                self._look_at(track, packet.time, idle_s)
        if self.source.live:
            lag_s = self._pace.measure_lag(self.source.waited_s, now)
            before = self._control.fidelity
            if self._control.choose(lag_s, now) is not before:
                self.source.set_fidelity(self._control.fidelity)

    def _look_at(self, track: str, now: float, idle_s: float) -> None:
        """Tell how long a track has given nothing; `_idling` are those that are looked at again
        as soon as they give something."""
        if idle_s >= TRACK_IDLE_S:
            self._idling.add(track)
        else:
            self._idling.discard(track)
        self._observe(Idle(track, now, idle_s))

    def _observe(self, item: Item) -> None:
        suspicious = self._watchers.observe(item)
        if suspicious and self._control.fidelity is Fidelity.ADAPTIVE:
            self.source.alert(self._pace.media_s + ALERT_S)

    # What incidents have to know, see `telling.Clock`

    @property
    def session(self) -> str:
        return "" if self.source.live is False else self._session

    def wall_now(self) -> str:
        return wall_time(self._pace.wall(self._now()))

    def media_moment(self, media_s: float) -> Moment:
        live = self.source.live is not False
        return Moment(media_s, wall_time(self._pace.wall_of_media(media_s, live=live)))

    def clock_moment(self, now: float) -> Moment:
        return Moment(self._pace.media_s, wall_time(self._pace.wall(now)))

    def reached(self) -> tuple[float, float]:
        return self._pace.media_s, self._now()

    def source_time(self, media_s: float) -> float | None:
        return self.source.raw_time(media_s)

    def clock_at(self, wall_s: float) -> float:
        return self._pace.clock_at(wall_s)

    def media_at(self, wall_s: float, source_s: float | None) -> float:
        by_clock = self._pace.media_at(wall_s, live=self.source.live is not False)
        by_source = None if source_s is None else self.source.media_time(source_s)
        if by_source is None or abs(by_source - by_clock) > CLOCK_TRUST_S:
            return by_clock
        return by_source


def _levels_dbfs(sound: Sound | None) -> tuple[float, ...]:
    if sound is None:
        return ()
    powers = np.maximum(sound.powers.mean(axis=1), 10 ** (_SILENT_DBFS / 10))
    return tuple((10 * np.log10(powers)).tolist())
