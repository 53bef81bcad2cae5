"""From opened containers to items: one session lasts as long as its containers do.

Mostly there is one container. An HLS rendition whose sound comes in a playlist of its own has
two, which are read alternately, by time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

from streammonitor_worker.media import Failure, Format, Item, Packet
from streammonitor_worker.source.attention import Attention
from streammonitor_worker.source.cadence import Cadence
from streammonitor_worker.source.decode import Decoder, decoder_of
from streammonitor_worker.source.demux import Demuxer
from streammonitor_worker.source.opening import Opening
from streammonitor_worker.source.picture_format import PictureFormats
from streammonitor_worker.source.timeline import LONGEST_S, Timeline, unwrapped
from streammonitor_worker.source.tracks import Track

Anchor = Callable[[Timeline, float, Demuxer], None]
"""Says where the first sample (raw seconds) of a session belongs in media time."""

DAMAGE_S = 1.0
"""How long after a loss a gap is put down to it: tracks are interleaved within 1 s, and each tells
of the loss when its own next packet comes."""
LAG_S = 10.0
"""How far containers that are read together may end apart: a segment."""


class Session:
    """Items of one or several containers that are opened together.

    formats: those of the stream's tracks as last told, kept up to date, as are the cadences of its
    pictures. breaks_off: the end of
    the bytes, where it is a loss, comes in the middle of a picture.
    """

    def __init__(
        self,
        demuxers: list[Demuxer],
        timeline: Timeline,
        anchor: Anchor,
        *,
        attention: Attention,
        formats: dict[str, Format],
        cadences: dict[str, Cadence],
        max_pixels: int,
        live: bool,
        breaks_off: bool,
    ) -> None:
        self._demuxers = demuxers
        self._timeline = timeline
        self._anchor = anchor
        self._formats = formats
        self._live = live
        self._breaks_off = breaks_off
        self._damaged_until = -math.inf
        self._tracks = [track for demuxer in demuxers for track in demuxer.tracks]
        self._decoders: dict[str, Decoder] = {
            track.name: decoder_of(
                track,
                max_pixels,
                attention,
                _picture_formats(track, formats, cadences) if track.is_video else None,
            )
            for track in self._tracks
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
        packets = self._whole(self._packets())
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
            # One that was cut off, or is live, is lost and may come back.
            if demuxer.failure and not (self._live or demuxer.reader.failure):
                yield Failure(demuxer.tracks[0].name, self._timeline.end, 0.0, demuxer.failure)

    def close(self) -> None:
        for demuxer in self._demuxers:
            demuxer.close()

    def _whole(
        self, packets: Iterator[tuple[Demuxer, Track, Any]]
    ) -> Iterator[tuple[Demuxer, Track, Any]]:
        """The packets without the last of each track, where a connection cut it off: that a
        picture is not whole would be told as a defect of its own."""
        held: dict[str, tuple[Demuxer, Track, Any]] = {}
        for found in packets:
            demuxer, track, _ = found
            lost = self._breaks_off and demuxer.ended and (self._live or demuxer.reader.failure)
            if not lost:
                yield found
                continue
            if track.name in held:
                yield held[track.name]
            held[track.name] = found

    def _packets(self) -> Iterator[tuple[Demuxer, Track, Any]]:
        if len(self._demuxers) > 1:
            yield from self._merged()
            return
        demuxer = self._demuxers[0]
        for track, packet in demuxer.packets():
            yield demuxer, track, packet

    def _merged(self) -> Iterator[tuple[Demuxer, Track, Any]]:
        """Packets of several containers by time: the one that is furthest behind comes next.

        When one has ended the others go on only for as long as they may reasonably lag behind:
        they belong to the same discontinuity, or have lost the same server.
        """
        wrap_s = self._demuxers[0].wrap_s
        reached: float | None = None
        waiting: list[_Next] = []
        for demuxer in self._demuxers:
            following = _Next(demuxer, wrap_s)
            if following.read(reached):
                waiting.append(following)
                reached = following.at_s
        until_s = math.inf
        while waiting:
            following = min(waiting, key=lambda candidate: candidate.at_s)
            if following.at_s > until_s:
                return
            yield following.demuxer, following.track, following.packet
            reached = following.at_s
            if not following.read(reached):
                waiting.remove(following)
                if following.demuxer.reader.failure:
                    return
                until_s = min(until_s, reached + LAG_S)

    def _items_of(self, demuxer: Demuxer, track: Track, packet: Any) -> Iterator[Item]:
        base, shift_s = track.time_base, track.shift_s
        duration = (packet.duration or 0) * base
        if not 0 < duration <= LONGEST_S:
            duration = 0.0
        whole = self._is_whole(demuxer, packet)
        losses = demuxer.reader.continuity_errors(track.identifier, packet.pos)
        if losses:
            self._damaged_until = self._timeline.end + DAMAGE_S
        place = self._timeline.place(
            track.name,
            None if packet.pts is None else packet.pts * base + shift_s,
            None if packet.dts is None else packet.dts * base + shift_s,
            duration,
            key=packet.is_keyframe,
            whole=whole and not losses,
        )
        yield Packet(
            track.name,
            place.time,
            duration,
            packet.size,
            packet.is_keyframe,
            packet.is_corrupt,
            place.jump_s,
            losses,
        )
        decoder, taken_at = self._decoders[track.name], demuxer.taken_at
        demuxer.taken_at = None
        if len(self._demuxers) == 1:  # of several, others have been read and decoded meanwhile
            decoder.began = taken_at
        for item in decoder.decode(packet, place.time, duration):
            yield from self._told(item)

    def _is_whole(self, demuxer: Demuxer, packet: Any) -> bool:
        """Whether nothing was lost shortly before this packet, as far as can be known."""
        intact = self._timeline.end > self._damaged_until
        return intact and demuxer.reader.whole_before(packet.pos)

    def _told(self, item: Item) -> Iterator[Item]:
        """The item, unless it is a format that was told before."""
        if isinstance(item, Format):
            known = self._formats.get(item.track)
            if known is not None and known._replace(time=item.time) == item:
                return
            self._formats[item.track] = item._replace(was_fps=0.0)
        yield item


def _picture_formats(
    track: Track, formats: dict[str, Format], cadences: dict[str, Cadence]
) -> PictureFormats:
    cadence = cadences.setdefault(track.name, Cadence())
    return PictureFormats(track, formats.get(track.name), cadence)


class _Next:
    """The next packet of one of several containers, and when it is decoded."""

    def __init__(self, demuxer: Demuxer, wrap_s: float | None) -> None:
        self.demuxer = demuxer
        self._wrap_s = wrap_s
        self._packets = demuxer.packets()
        self.track: Track = demuxer.tracks[0]
        self.packet: Any = None
        self.at_s = 0.0

    def read(self, near_s: float | None) -> bool:
        """Read on; whether there is one. Its time is the one that is closest to `near_s`."""
        found = next(self._packets, None)
        if found is None:
            return False
        self.track, self.packet = found
        stamp = self.packet.dts if self.packet.dts is not None else self.packet.pts
        if stamp is not None:
            raw_s = stamp * self.track.time_base + self.track.shift_s
            self.at_s = raw_s if near_s is None else unwrapped(raw_s, near_s, self._wrap_s)
        return True
