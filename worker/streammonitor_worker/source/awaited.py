"""Notices pictures that never come, where the decoder says nothing about them. Pure.

FFmpeg's decoder of HEVC drops what it cannot make sense of without a word: the packet is taken,
no picture comes of it. Pictures come in the order in which they are presented, so one that has not
come when a later one does was dropped. All that precedes the first picture is left out: a stream
joined in the middle begins with pictures that refer to what was before.

Not for codecs whose packets need not be pictures: fields apart (H.264, MPEG-2), pictures that are
only referred to (VP8, VP9, AV1).
"""

from __future__ import annotations

from heapq import heappop, heappush

SILENT_CODECS = frozenset({"hevc"})
_MOST = 64
"""Packets kept: four times as many as HEVC reorders."""


class AwaitedPictures:
    """Of one track, by timestamp."""

    def __init__(self) -> None:
        self._sent: list[int] = []
        self._begun = False

    def send(self, stamp: int) -> None:
        """A packet with this timestamp goes to the decoder."""
        heappush(self._sent, stamp)
        if len(self._sent) > _MOST:
            heappop(self._sent)

    def show(self, stamp: int) -> list[int]:
        """A picture with this timestamp has come: those before it that never will."""
        dropped = []
        while self._sent and self._sent[0] <= stamp:
            earlier = heappop(self._sent)
            if self._begun and earlier < stamp:
                dropped.append(earlier)
        self._begun = True
        return dropped

    def forget(self) -> None:
        """The decoder is emptied: what it has not shown it was not asked for."""
        self._sent.clear()
