"""Keeps the pictures that show a defect: the first defective one and the last good one before.

An alarm comes seconds after the onset, so the pictures are held from the moment that a defect is
suspected, as references to the decoder's frames, and encoded only when it becomes an incident.
"""

from __future__ import annotations

import contextlib
from collections import deque
from pathlib import Path
from typing import Any

from streammonitor_worker.media import Picture
from streammonitor_worker.source.still import encode_jpeg

_HELD_PICTURES = 8
"""Pictures of a track that are held: some defects are only seen a few pictures after they began.
8 pictures of 1080p are 25 MB."""


class EvidenceKeeper:
    """Writes `<incident>-first.jpg` and `<incident>-last-good.jpg` to a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._recent: dict[str, deque[tuple[float, Any]]] = {}
        self._suspected: dict[tuple[str, str], tuple[Any | None, Any | None]] = {}

    def see(self, picture: Picture) -> None:
        """Hold this picture, as one of the latest of its track."""
        recent = self._recent.setdefault(picture.track, deque(maxlen=_HELD_PICTURES))
        recent.append((picture.time, picture.frame))

    def suspect(self, detector: str, track: str, onset_s: float) -> None:
        """A defect may have begun at `onset_s`: hold its pictures until `keep` or `drop`."""
        first = last_good = None
        for time, frame in self._recent.get(track, ()):
            if time < onset_s - 1e-6:
                last_good = frame
            elif first is None:
                first = frame
        self._suspected[detector, track] = (last_good, first)

    def drop(self, detector: str, track: str) -> None:
        """It was nothing."""
        self._suspected.pop((detector, track), None)

    def keep(self, detector: str, track: str, incident: str) -> dict[str, str]:
        """It is an incident: write its pictures and say where they are, or why they are not."""
        last_good, first = self._suspected.pop((detector, track), (None, None))
        written = {}
        for name, label, frame in (
            ("first_picture", "first", first),
            ("last_good_picture", "last-good", last_good),
        ):
            if frame is None:
                continue
            path = self._folder / f"{incident}-{label}.jpg"
            try:
                path.write_bytes(encode_jpeg(frame))
            except OSError as error:  # a full disk must not end the watching
                _remove(path)
                written[name] = f"not written: {path}: {error.strerror}"
            else:
                written[name] = str(path)
        return written


def _remove(path: Path) -> None:
    """Leave no picture of which the end is missing."""
    with contextlib.suppress(OSError):  # it was never there, or the whole folder is gone
        path.unlink()
