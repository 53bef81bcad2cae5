"""A small clip as servers send it, and what a whole watch of it looks like."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from streammonitor_worker.synth import Injection, Recipe, write_clip
from tests.support.watching import Watched, times

SECONDS = 3
PICTURES = 25 * SECONDS
DATAGRAM = 188 * 7


def make(path: Path, **recipe: Any) -> bytes:
    fields: dict[str, Any] = {
        "duration_s": SECONDS,
        "width": 96,
        "height": 64,
        "fps": Fraction(25),
        "gop_s": 0.5,
        "injections": (Injection("video-black", 1.0, 0.52),),
        **recipe,
    }
    write_clip(Recipe(**fields), path)
    return path.read_bytes()


def is_whole(watched: Watched) -> None:
    assert len(watched.pictures) == PICTURES
    assert watched.jumps == []
    assert watched.failures == []
    begin, end = watched.black_s()
    assert begin == pytest.approx(1.0, abs=0.03)
    assert end - begin == pytest.approx(0.52, abs=0.001)


# Live streams


def paced(clip: bytes, send: Callable[[bytes], None], stop: threading.Event, speed: float) -> None:
    """Send a clip at a multiple of its own speed."""
    step_s = SECONDS / speed / (len(clip) / DATAGRAM)
    for begin in range(0, len(clip), DATAGRAM):
        send(clip[begin : begin + DATAGRAM])
        if stop.wait(step_s):
            return


@contextmanager
def background(work: Callable[[threading.Event], None]) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=work, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def enough(watched: Watched) -> bool:
    return len(watched.pictures) >= PICTURES // 2


def is_live(watched: Watched) -> None:
    assert watched.source.live is True
    assert watched.source.progress is None
    assert watched.failures == []
    assert watched.losses == 0
    assert times(watched.pictures) == sorted(times(watched.pictures))
