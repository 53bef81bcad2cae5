"""From opened containers to items: one session lasts as long as its containers do.

Mostly there is one container. An HLS rendition whose sound comes in a playlist of its own has
two, which are read alternately, by time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from streammonitor_worker.media import Failure, Format, Item, Packet
from streammonitor_worker.source.attention import Attention
from streammonitor_worker.source.decode import Decoder, decoder_of
from streammonitor_worker.source.demux import Demuxer
from streammonitor_worker.source.opening import Opening
from streammonitor_worker.source.timeline import Timeline, unwrapped
from streammonitor_worker.source.tracks import Track

Anchor = Callable[[Timeline, float, Demuxer], None]
"""Says where the first sample (raw seconds) of a session belongs in media time."""


class Session:
    """Items of one or several containers that are opened together.

    `formats` are the formats of the stream's tracks as last told, kept up to date.
    """

    def __init__(
        self,
        demuxers: list[Demuxer],
        timeline: Timeline,
        anchor: Anchor,
        *,
        attention: Attention,
        formats: dict[str, Format],
        max_pixels: int,
    ) -> None:
        self._demuxers = demuxers
        self._timeline = timeline
        self._anchor = anchor
        self._formats = formats
        self._tracks = [track for demuxer in demuxers for track in demuxer.tracks]
        self._decoders: dict[str, Decoder] = {
            track.name: decoder_of(track, max_pixels, attention) for track in self._tracks
        }

    @property
    def decode_s(self) -> float:
        """CPU seconds spent on decoding."""
        return sum(decoder.cpu_s for decoder in self._decoders.values())

    @property
    def demux_s(self) -> float:
        """CPU seconds spent on taking containers apart."""
        return sum(demuxer.cpu_s for demuxer in self._demuxers)

    @property
    def failure(self) -> str:
        """Why it ended before its time; empty at an honest end."""
        for demuxer in self._demuxers:
            if demuxer.reader.failure or demuxer.failure:
                return demuxer.reader.failure or demuxer.failure
        return ""

    @property
    def interrupted(self) -> bool:
        """Whether it was the reader that ended before its time, not its content."""
        return any(demuxer.reader.failure for demuxer in self._demuxers)

    @property
    def hopeless(self) -> str:
        """The whole message, where it ended and no retry can help."""
        return next((d.reader.hopeless for d in self._demuxers if d.reader.hopeless), "")

    def items(self) -> Iterator[Item]:
        """Everything in the order in which it comes; what decoders hold back at the end."""
        packets = self._packets()
        opening = Opening(self._tracks, self._demuxers[0].wrap_s)
        for demuxer, track, packet in packets:
            if opening.add(demuxer, track, packet):
                break
        first_s = opening.first_s
        self._anchor(self._timeline, 0.0 if first_s is None else first_s, self._demuxers[0])
        while opening.packets:
            yield from self._items_of(*opening.packets.popleft())
        for demuxer, track, packet in packets:
            yield from self._items_of(demuxer, track, packet)
        for decoder in self._decoders.values():
            for item in decoder.finish():
                yield from self._told(item)
        for demuxer in self._demuxers:
            if demuxer.failure:
                yield Failure(demuxer.tracks[0].name, self._timeline.end, 0.0, demuxer.failure)

    def close(self) -> None:
        for demuxer in self._demuxers:
            demuxer.close()

    def _packets(self) -> Iterator[tuple[Demuxer, Track, Any]]:
        if len(self._demuxers) > 1:
            yield from self._merged()
            return
        demuxer = self._demuxers[0]
        for track, packet in demuxer.packets():
            yield demuxer, track, packet

    def _merged(self) -> Iterator[tuple[Demuxer, Track, Any]]:
        """Packets of several containers by time: the one that is furthest behind comes next."""
        waiting: list[tuple[float, Demuxer, Track, Any, Iterator[tuple[Track, Any]]]] = []
        wrap_s = self._demuxers[0].wrap_s
        reached: float | None = None

        def wait(demuxer: Demuxer, source: Iterator[tuple[Track, Any]], before: float) -> None:
            found = next(source, None)
            if found is not None:
                track, packet = found
                stamp = packet.dts if packet.dts is not None else packet.pts
                at = before if stamp is None else stamp * track.time_base + track.shift_s
                near = at if reached is None else reached
                waiting.append((unwrapped(at, near, wrap_s), demuxer, track, packet, source))

        for demuxer in self._demuxers:
            wait(demuxer, demuxer.packets(), 0.0)
            reached = waiting[0][0] if waiting else None
        while waiting:
            position = min(range(len(waiting)), key=lambda index: waiting[index][0])
            reached, demuxer, track, packet, source = waiting.pop(position)
            yield demuxer, track, packet
            wait(demuxer, source, reached)

    def _items_of(self, demuxer: Demuxer, track: Track, packet: Any) -> Iterator[Item]:
        base, shift_s = track.time_base, track.shift_s
        duration = (packet.duration or 0) * base
        place = self._timeline.place(
            track.name,
            None if packet.pts is None else packet.pts * base + shift_s,
            None if packet.dts is None else packet.dts * base + shift_s,
            duration,
            key=packet.is_keyframe,
        )
        yield Packet(
            track.name,
            place.time,
            duration,
            packet.size,
            packet.is_keyframe,
            packet.is_corrupt,
            place.jump_s,
            demuxer.reader.continuity_errors(track.stream.id, packet.pos),
        )
        for item in self._decoders[track.name].decode(packet, place.time, duration):
            yield from self._told(item)

    def _told(self, item: Item) -> Iterator[Item]:
        """The item, unless it is a format that was told before."""
        if isinstance(item, Format):
            known = self._formats.get(item.track)
            if known is not None and known.describe() == item.describe():
                return
            self._formats[item.track] = item
        yield item
