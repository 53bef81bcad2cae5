"""Finds out when a container's first sample is presented, before any is decoded.

Packets come in the order in which they are decoded: the first picture presented may not be the
first one that comes, sound may begin before the picture but be stored after it, and a codec's
priming samples are decoded but not presented. So the first packets are held back, compressed,
until every track has shown its first.
"""

from __future__ import annotations

import struct
from collections import deque
from typing import Any

from streammonitor_worker.source.demux import Demuxer
from streammonitor_worker.source.timeline import unwrapped
from streammonitor_worker.source.tracks import Track

HOLD_S = 2.0
"""How far one track is read while another has not come: broadcast multiplexes interleave within
1 s."""
HOLD_PACKETS = 1000
HOLD_BYTES = 8 << 20
"""What is held at most, whatever the timestamps say: 2 s of 30 Mb/s."""

LONGEST_PRIMING_S = 1.0
"""More samples to skip are not believed: AAC has 0.06 s of them, Opus 0.08 s."""


class Opening:
    """The held-back beginning of a container."""

    def __init__(self, tracks: list[Track], wrap_s: float | None) -> None:
        self.packets: deque[tuple[Demuxer, Track, Any]] = deque()
        self._wrap_s = wrap_s
        self._reference: float | None = None
        self._latest = 0.0
        self._size = 0
        self._awaited = {track.name for track in tracks}
        self._firsts: dict[str, float] = {}
        self._any: dict[str, float] = {}

    def add(self, demuxer: Demuxer, track: Track, packet: Any) -> bool:
        """Hold a packet; whether enough is known."""
        self.packets.append((demuxer, track, packet))
        self._size += packet.size
        presented = self._presented(track, packet)
        if presented is not None:
            if track.is_video:
                self._add_picture(track.name, presented, key=packet.is_keyframe)
            else:
                self._add_sound(track.name, presented)
        return (
            not self._awaited
            or self._is_late()
            or len(self.packets) >= HOLD_PACKETS
            or self._size >= HOLD_BYTES
        )

    @property
    def first_s(self) -> float | None:
        """Raw presentation time of the first sample; None where there are no timestamps."""
        # Without any key picture or sound, whatever came first.
        return min((self._firsts or self._any).values(), default=None)

    def _presented(self, track: Track, packet: Any) -> float | None:
        """Raw time at which a packet is presented, without priming; None where it is not."""
        stamp = packet.pts if packet.pts is not None else packet.dts
        if stamp is None:
            return None
        time = stamp * track.time_base + track.shift_s
        if self._reference is None:
            self._reference = time
        time = unwrapped(time, self._reference, self._wrap_s)
        if packet.has_sidedata("skip_samples"):
            return time + _skipped_s(packet, track)
        return None if packet.is_discard else time

    def _add_picture(self, name: str, presented: float, *, key: bool) -> None:
        """The first is a key picture, or one of those decoded after it but shown before it."""
        self._any[name] = min(presented, self._any.get(name, presented))
        self._latest = max(self._latest, presented)
        known = self._firsts.get(name)
        if known is None:
            if key:
                self._firsts[name] = presented
        elif presented < known:
            self._firsts[name] = presented
        else:
            self._awaited.discard(name)

    def _add_sound(self, name: str, presented: float) -> None:
        self._latest = max(self._latest, presented)
        self._firsts.setdefault(name, presented)
        self._awaited.discard(name)

    def _is_late(self) -> bool:
        return self._reference is not None and self._latest - self._reference > HOLD_S


def _skipped_s(packet: Any, track: Track) -> float:
    """Seconds of priming: the first field of AV_PKT_DATA_SKIP_SAMPLES, in samples."""
    data = bytes(packet.get_sidedata("skip_samples"))
    if len(data) < 4 or track.is_video or not track.decoder.sample_rate:
        return 0.0
    skipped = float(struct.unpack_from("<I", data)[0] / track.decoder.sample_rate)
    return skipped if skipped <= LONGEST_PRIMING_S else 0.0
