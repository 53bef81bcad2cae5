"""Playlists as a live origin shows them: what of the stream is to be seen at the moment.

The muxer writes a playlist of more segments than players should see. A view shows the newest of
them, or those that were the newest when the origin stalled. Source: RFC 8216.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from streammonitor_worker.synth.recipe import Recipe

_SEQUENCE = "#EXT-X-MEDIA-SEQUENCE:"
_END = "#EXT-X-ENDLIST"


@dataclass(frozen=True)
class View:
    """How much of a playlist is shown.

    window: number of segments at most. newest: number of the last segment to be seen; None for no
    limit. discontinuities: numbers of the segments before which the format changes.
    """

    window: int
    newest: int | None = None
    discontinuities: frozenset[int] = frozenset()


def show(text: str, view: View) -> str | None:
    """Give the playlist as it is seen; None where no segment is."""
    head, entries, ended = _parse(text)
    first = int(next(line for line in head if line.startswith(_SEQUENCE)).removeprefix(_SEQUENCE))
    numbered = list(enumerate(entries, first))
    seen = [(n, entry) for n, entry in numbered if view.newest is None or n <= view.newest]
    if not seen:
        return None
    complete = len(seen) == len(numbered)
    seen = seen[-view.window :]
    lines = [_count_from(line, seen[0][0]) for line in head]
    past = sum(number < seen[0][0] for number in view.discontinuities)
    if past:
        lines.append(f"#EXT-X-DISCONTINUITY-SEQUENCE:{past}")
    for number, entry in seen:
        if number in view.discontinuities:
            lines.append("#EXT-X-DISCONTINUITY")
        lines += entry
    if ended and complete:
        lines.append(_END)
    return "\n".join(lines) + "\n"


def _count_from(line: str, number: int) -> str:
    return f"{_SEQUENCE}{number}" if line.startswith(_SEQUENCE) else line


def _parse(text: str) -> tuple[list[str], list[list[str]], bool]:
    """Split into the head, the lines of each segment, and whether the stream has ended."""
    head: list[str] = []
    entries: list[list[str]] = []
    open_entry: list[str] | None = None
    for line in text.splitlines():
        if line.startswith("#EXTINF"):
            open_entry = []
        if open_entry is not None:
            open_entry.append(line)
            if not line.startswith("#"):
                entries.append(open_entry)
                open_entry = None
        elif line and line != _END:
            head.append(line)
    return head, entries, _END in text


def master_playlist(variants: Iterable[tuple[str, Recipe, int]], sound: str | None) -> str:
    """Write a master playlist of variants (URI, recipe, bits a second).

    sound: URI of the audio rendition that all of them share; None where each has its own sound.
    """
    lines = ["#EXTM3U", "#EXT-X-VERSION:6"]
    group = ""
    if sound is not None:
        lines.append(
            '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="sound",NAME="Sound",DEFAULT=YES,AUTOSELECT=YES,'
            f'URI="{sound}"'
        )
        group = ',AUDIO="sound"'
    for uri, recipe, rate in variants:
        size = f",RESOLUTION={recipe.width}x{recipe.height},FRAME-RATE={float(recipe.fps):.3f}"
        shown = size if recipe.picture is not None else ""
        lines += [f"#EXT-X-STREAM-INF:BANDWIDTH={rate}{shown}{group}", uri]
    return "\n".join(lines) + "\n"
