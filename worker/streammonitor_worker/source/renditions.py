"""The renditions of an address: one stream each, where all are wanted."""

from __future__ import annotations

from dataclasses import dataclass

from streammonitor_worker.source.connect import Connector
from streammonitor_worker.source.hls.transport import HlsTransport, Wanted, label_of
from streammonitor_worker.source.lost import LostError
from streammonitor_worker.source.options import SourceOptions
from streammonitor_worker.source.url import parse, redact
from streammonitor_worker.source.waiting import Waiting


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

    A source that cannot be reached right now, or until `waiting` is stopped, counts as one: it
    will be told as unavailable.

    Raises
    ------
    StreamMonitorError: for what no retry can help.
    """
    if options.renditions != "all":
        return [Rendition(url)]
    address = parse(url, local_files=options.local_files)
    attempt = Waiting()
    attempt.expect_by(attempt.now() + options.open_timeout_s)
    waiting.on_stop(attempt.stop)
    try:
        transport = Connector(address, redact(url), Wanted(), options, attempt).connect()
    except LostError:
        return [Rendition(url)]
    finally:
        waiting.forget(attempt.stop)
        attempt.expect_no_more()
    try:
        variants = transport.variants if isinstance(transport, HlsTransport) else ()
    finally:
        transport.close()
    return [
        Rendition(url, position, label_of(variant)) for position, variant in enumerate(variants)
    ] or [Rendition(url)]
