"""Draws docs/images/watch.svg: the table of `streammonitor watch`, as it really looked.

    python docs/images/draw_watch.py

Makes four clips with defects, watches them at the speed at which they play, and keeps what the
table shows after `SECONDS`. Nothing is made up; run it again when the table has changed.
"""

from __future__ import annotations

import io
import os
import re
import tempfile
import threading
from fractions import Fraction
from pathlib import Path

from rich.console import Console

from streammonitor_api.events import Event
from streammonitor_api.plan import resolve_plan
from streammonitor_cli.drawing import draw
from streammonitor_worker.host import Watch, WatchOptions
from streammonitor_worker.source import SourceOptions
from streammonitor_worker.synth import Recipe, parse_injection, write_clip

SECONDS = 16.0
WIDTH, HEIGHT = 112, 26
CLIPS = {
    "news.ts": Recipe(
        30,
        width=640,
        height=360,
        fps=Fraction(25),
        injections=[parse_injection("video-freeze@9+9")],
    ),
    "sports.ts": Recipe(
        30,
        width=640,
        height=360,
        fps=Fraction(50),
        picture="pan",
        injections=[parse_injection("video-black@3+4")],
    ),
    "kids.mp4": Recipe(30, width=480, height=270, picture="cuts", sound="music"),
    "radio.mkv": Recipe(
        30, picture=None, sound="speech", injections=[parse_injection("audio-silence@11+8")]
    ),
}


def main() -> None:
    target = Path(__file__).with_name("watch.svg")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for name, recipe in CLIPS.items():
            write_clip(recipe, Path(name))
        newest: dict[str, Event] = {}
        options = WatchOptions(duration_s=SECONDS, source=SourceOptions(realtime=True))
        watch = Watch(list(CLIPS), resolve_plan(), options, [lambda event: note(event, newest)])
        stop = threading.Event()
        watcher = threading.Thread(target=watch.run, args=(stop,))
        watcher.start()
        watcher.join(SECONDS - 0.5)
        console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
        statuses = watch.statuses()
        left = {
            status.stream: None if status.duration_s is None else status.duration_s - status.media_s
            for status in statuses
        }
        picture = draw(
            statuses,
            list(reversed(newest.values())),
            time_left=left,
            elapsed_s=SECONDS - 0.5,
            width=WIDTH,
            height=HEIGHT,
        )
        console.print(picture)
        stop.set()
        watcher.join()
    svg = console.export_svg(title="streammonitor watch")
    # No fonts from elsewhere: the reader's own will do.
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    svg = re.sub("Fira Code,? ?", "", svg)
    lines = (line.rstrip() for line in svg.splitlines())
    target.write_text("\n".join(line for line in lines if line) + "\n", encoding="utf-8")


def note(event: Event, newest: dict[str, Event]) -> None:
    newest.pop(event.incident.id, None)
    newest[event.incident.id] = event


if __name__ == "__main__":
    main()
