"""A source as the pipeline sees it: items, whatever they come from and however it behaves."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from functools import partial

from streammonitor_api.errors import SourceError
from streammonitor_api.fidelity import Fidelity
from streammonitor_worker.media import STREAM_TRACK, Connection, Format, Item, Packet
from streammonitor_worker.source.absence import Absence
from streammonitor_worker.source.attention import Attention
from streammonitor_worker.source.backoff import Backoff
from streammonitor_worker.source.cadence import Cadence
from streammonitor_worker.source.connect import Connector
from streammonitor_worker.source.demux import Demuxer, Limits
from streammonitor_worker.source.lost import LostError, problem_of
from streammonitor_worker.source.options import SourceOptions, Wanted
from streammonitor_worker.source.renditions import Rendition, renditions_of
from streammonitor_worker.source.replay import RepeatedError, Replay
from streammonitor_worker.source.session import Session
from streammonitor_worker.source.timeline import Timeline
from streammonitor_worker.source.transport import Join, Part, Transport
from streammonitor_worker.source.url import HTTP_SCHEMES, parse, redact
from streammonitor_worker.source.waiting import ANSWER_S, MEDIA_S, Waiting


class Source:
    """One stream.

    `items` is a generator for one thread; `stop`, `set_fidelity`, `alert` and the attributes may
    be used from others.
    """

    def __init__(
        self,
        spec: str | Rendition,
        options: SourceOptions | None = None,
        chance: random.Random | None = None,
    ) -> None:
        rendition = spec if isinstance(spec, Rendition) else Rendition(spec)
        self.name = rendition.name
        """Its address without secrets, and the rendition where there are several."""
        self.live: bool | None = None
        """None until it is known."""
        self.duration_s: float | None = None
        """Of a file, for showing progress."""
        self.cadence_s = 0.0
        """Interval at which media arrives: 0 for a continuous stream, a segment's for HLS."""
        self.reconnects = 0
        self.others: list[Rendition] = []
        """What is to be watched besides: all renditions are wanted, but which there are was only
        found out when this one was opened."""
        self._options = options if options is not None else SourceOptions()
        self._rendition = rendition
        self._waiting = Waiting()
        self._attention = Attention(self._options.fidelity)
        self._absence = Absence(self._options.give_up_after_s, Backoff(chance))
        self._timeline = Timeline()
        self._replay = Replay()
        self._formats: dict[str, Format] = {}
        self._cadences: dict[str, Cadence] = {}
        self._transport: Transport | None = None
        self._session: Session | None = None
        self._spent = {"demux": 0.0, "decode": 0.0}
        self._local = self._http = self._is_file = False
        self._seen = False
        """Whether any media has come."""
        self._begun = False
        self._progress: float | None = None
        self._paced_from: float | None = None

    @property
    def progress(self) -> float | None:
        """Share of a file that has been read, 0 to 1; None where that is not known."""
        if self.live or not self._begun:
            return None
        transport = self._transport
        by_bytes = self._progress if transport is None else transport.progress
        if by_bytes is not None:
            return by_bytes
        return min(1.0, self._timeline.end / self.duration_s) if self.duration_s else None

    @property
    def waited_s(self) -> float:
        """Seconds waited so far for media to come, or for the pace of playing."""
        return self._waiting.waited_s

    @property
    def cpu_s(self) -> dict[str, float]:
        """CPU seconds spent so far, by stage: `demux` and `decode`."""
        session = self._session
        if session is None:
            return dict(self._spent)
        return {
            "demux": self._spent["demux"] + session.demux_s,
            "decode": self._spent["decode"] + session.decode_s,
        }

    @property
    def away(self) -> str:
        """Why nothing comes at the moment, where no `Connection` tells it because the reading
        thread still waits or tries again; empty where all is well."""
        took_s = self._absence.attempted_s
        if self._seen or self._local or took_s is None:
            return self._waiting.trouble
        if self._transport is None and took_s >= ANSWER_S:
            return self._waiting.trouble or "it does not answer"
        if took_s >= MEDIA_S:
            return self._waiting.trouble or "nothing that can be watched comes"
        return self._waiting.trouble

    def raw_time(self, media_s: float) -> float | None:
        """The source's own timestamp (seconds) of a media time; None before there is any."""
        return self._timeline.raw_time(media_s)

    def media_time(self, raw_s: float) -> float | None:
        """The media time of one of the source's own timestamps; None before there is any."""
        return self._timeline.media_time(raw_s)

    def set_fidelity(self, fidelity: Fidelity) -> None:
        """Decode less from now on, or more from the next key picture on."""
        self._attention.fidelity = fidelity

    def alert(self, until_media_s: float) -> None:
        """At adaptive fidelity, decode every picture up to this media time."""
        self._attention.alert(until_media_s)

    def stop(self) -> None:
        """End `items` as soon as possible."""
        self._waiting.stop()

    def items(self) -> Iterator[Item]:
        """Everything there is to know about the stream, in order, until it ends.

        Raises
        ------
        StreamMonitorError: for what no retry can help: a missing file, a refused protocol, bytes
        that are no media. A network source that cannot be reached is told by `Connection` items
        and tried again.
        """
        try:
            connector = self._connector()
            while not self._waiting.stopped:
                try:
                    part = self._next_part(connector)
                    if part is None:
                        self._check_seen()
                        return
                    yield from self._play(part)
                except RepeatedError:
                    return
                except SourceError as error:
                    if self._waiting.stopped:
                        return  # what was cut off looks like anything
                    if error.permanent and not (self.live and self._begun):
                        raise
                    if self._local and not self._seen:
                        problem = f"{self.name}: {problem_of(error)}; check the source"
                        raise SourceError(problem, permanent=True) from error
                    if self._absence.begin(problem_of(error)) and not self._waiting.stopped:
                        reason = self._absence.reason
                        yield Connection(STREAM_TRACK, self._timeline.end, False, reason)
                    if not self._try_again():
                        return
        finally:
            self._waiting.expect_no_more()
            self._drop_transport()

    def _connector(self) -> Connector:
        rendition = self._rendition
        address = parse(rendition.url, local_files=self._options.local_files)
        self._local = address.path is not None
        self._http = address.scheme in HTTP_SCHEMES
        wanted = Wanted(self._options.renditions, rendition.position)
        return Connector(address, redact(rendition.url), wanted, self._options, self._waiting)

    def _next_part(self, connector: Connector) -> Part | None:
        self._absence.attempt()
        until = self._waiting.now() + self._options.open_timeout_s
        self._waiting.expect_by(min(until, self._absence.gives_up_at))
        if self._transport is None:
            self._transport = connector.connect()
        part = self._transport.next_part()
        self.live = self._transport.live and not self._is_file
        self.duration_s = self._transport.duration_s or self.duration_s
        self.cadence_s = self._transport.cadence_s
        if part is None and self.live and not self._transport.persistent:
            raise LostError(self.name, "the connection was closed")
        return part

    def _other_renditions(self) -> list[Rendition]:
        rendition, transport = self._rendition, self._transport
        alone = self._options.renditions != "all" or rendition.position is not None
        if alone or transport is None:
            return []
        found = renditions_of(rendition.url, transport)
        return [each for each in found if each.position != transport.position]

    def _check_seen(self) -> None:
        """Raises SourceError, permanent, where it ended before anything came of it."""
        if not (self._seen or self._waiting.stopped):
            problem = self._absence.reason or "it holds neither pictures nor sound"
            raise SourceError(f"{self.name}: {problem}; check the source", permanent=True)

    def _play(self, part: Part | None) -> Iterator[Item]:
        """Items of a part, and of those that its tracks changing makes of it."""
        while part is not None and not self._waiting.stopped:
            rest: Part | None = None
            try:
                session = self._open(part)
                yield from self._play_session(session)
                rest = part.rest()
            finally:
                if rest is None:
                    part.close()
            if session.hopeless:
                raise SourceError(session.hopeless, permanent=True)
            if session.failure and (self.live or session.interrupted):
                raise LostError(self.name, session.failure)
            part = rest

    def _play_session(self, session: Session) -> Iterator[Item]:
        self._session = session
        try:
            for item in session.items():
                if isinstance(item, Packet):
                    if self._absence.end():
                        self.reconnects += self._seen
                        yield Connection(STREAM_TRACK, item.time, True)
                    if not self._seen:
                        self._seen, self.others = True, self._other_renditions()
                    self._keep_pace(item)
                if self._waiting.stopped:
                    return
                yield item
        finally:
            self._spent = self.cpu_s
            self._session = None
            session.close()

    def _open(self, part: Part) -> Session:
        options = self._options
        limits = Limits(self.name, options.max_pixels, options.open_timeout_s)
        demuxers = part.open(limits)
        transport = self._transport
        breaks_off = transport is not None and not transport.persistent
        if self.live and breaks_off and demuxers[0].sparse and demuxers[0].duration_s:
            self.live, self._is_file = False, True  # although the server gave no length
        if self.duration_s is None and not self.live:
            self.duration_s = demuxers[0].duration_s
        return Session(
            demuxers,
            self._timeline,
            partial(self._anchor, part.join),
            attention=self._attention,
            formats=self._formats,
            cadences=self._cadences,
            max_pixels=self._options.max_pixels,
            live=bool(self.live),
            breaks_off=breaks_off,
        )

    def _anchor(self, join: Join, timeline: Timeline, first_s: float, demuxer: Demuxer) -> None:
        wrap_s, sparse = demuxer.wrap_s, demuxer.sparse
        away_s = self._absence.seconds
        if self.live and self._http and self._transport and not self._transport.persistent:
            self._replay.check(first_s, timeline.end, away_s, self._waiting.now())
        if self._begun and join is Join.RESUMES:
            timeline.resume(first_s, outage_s=away_s, wrap_s=wrap_s, sparse=sparse)
        else:
            timeline.begin(first_s, at_s=timeline.end, wrap_s=wrap_s, sparse=sparse)
        self._begun = True
        self._absence.opened()
        self._waiting.expect_no_more()

    def _try_again(self) -> bool:
        """Wait for the next attempt; whether there is to be one."""
        if self._begun and not self.live:
            return False  # a file whose server stayed away longer than its reader's patience
        if self._transport is not None and not self._transport.persistent:
            self._drop_transport()
        wait_s = self._absence.wait_s()
        if wait_s is not None:
            self._waiting.sleep(wait_s)
        return wait_s is not None and self._waiting.now() < self._absence.gives_up_at

    def _keep_pace(self, packet: Packet) -> None:
        if not self._options.realtime or self.live:
            return
        now = time.monotonic()
        if self._paced_from is None:
            self._paced_from = now - packet.time
        ahead_s = packet.time - (now - self._paced_from)
        if ahead_s > 0:
            self._waiting.sleep(ahead_s)

    def _drop_transport(self) -> None:
        if self._transport is not None:
            self._progress = self._transport.progress
            self._transport.close()
            self._transport = None
