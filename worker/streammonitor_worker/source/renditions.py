"""The renditions of an address: one stream each, where all are wanted."""

from __future__ import annotations

from dataclasses import dataclass

from streammonitor_worker.source.connect import Connector
from streammonitor_worker.source.lost import LostError
from streammonitor_worker.source.options import SourceOptions, Wanted
from streammonitor_worker.source.transport import Transport
from streammonitor_worker.source.url import HTTP_SCHEMES, parse, redact
from streammonitor_worker.source.waiting import ANSWER_S, Waiting


@dataclass(frozen=True, slots=True)
class Rendition:
    """A stream of an address: the variant at a position of its master playlist, if it has one."""

    url: str
    position: int | None = None
    label: str = ""

    @property
    def name(self) -> str:
        """What to call it, without secrets: `https://host/live.m3u8#1280x720-2500k`."""
        shown = redact(self.url)
        return f"{shown}#{self.label}" if self.label else shown


def expand(url: str, options: SourceOptions, waiting: Waiting) -> list[Rendition]:
    """The streams that an address stands for: one, or one a variant where all are wanted.

    A source that does not answer in time, or until `waiting` is stopped, counts as one: it will
    be told as unavailable, and `Source.others` says what there is besides when it is back.

    Raises
    ------
    StreamMonitorError: for what no retry can help.
    """
    if options.renditions != "all":
        return [Rendition(url)]
    address = parse(url, local_files=options.local_files)
    if address.path is None and address.scheme not in HTTP_SCHEMES:
        return [Rendition(url)]  # no playlist, and a sender may serve one connection only
    attempt = Waiting()
    attempt.expect_by(attempt.now() + ANSWER_S)
    waiting.on_stop(attempt.stop)
    try:
        transport = Connector(address, redact(url), Wanted(), options, attempt).connect()
    except LostError:
        return [Rendition(url)]
    finally:
        waiting.forget(attempt.stop)
        attempt.expect_no_more()
    try:
        return renditions_of(url, transport) or [Rendition(url)]
    finally:
        transport.close()


def renditions_of(url: str, transport: Transport) -> list[Rendition]:
    """The variants of the master playlist at an address; none where there is no such playlist."""
    return [Rendition(url, position, label) for position, label in enumerate(transport.renditions)]
