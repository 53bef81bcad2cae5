"""A small clip in segments, and what a whole watch of it looks like."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from streammonitor_worker.synth import Injection, Recipe, write_clip
from tests.support.hls_server import (
    ScriptedServer,
)
from tests.support.watching import Watched

SECONDS = 4
INJECTIONS = (Injection("video-black", 1.0, 0.52), Injection("audio-silence", 1.0, 0.52))
BEGIN_S, END_S = 1.0213, 1.5413
"""Where they are in media time: AAC begins with 1024 samples of priming."""


@dataclass(frozen=True)
class Cut:
    """A clip in segments of a second."""

    segments: list[bytes]
    header: bytes = b""

    @property
    def names(self) -> list[str]:
        return [f"s{number}.ts" for number in range(len(self.segments))]

    def route(self, server: ScriptedServer, prefix: str = "") -> None:
        for name, data in zip(self.names, self.segments, strict=True):
            server.routes[prefix + name] = data
        server.routes[f"{prefix}init.mp4"] = self.header


def cut(folder: Path, kind: str = "mpegts", **recipe: Any) -> Cut:
    fields: dict[str, Any] = {
        "duration_s": SECONDS,
        "width": 96,
        "height": 64,
        "fps": Fraction(25),
        "gop_s": 1.0,
        "injections": INJECTIONS,
        **recipe,
    }
    path = folder / "index.m3u8"
    options = {"hls_time": "1", "hls_list_size": "0", "hls_segment_type": kind}
    write_clip(Recipe(**fields), path, options)
    names = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    header = folder / "init.mp4"
    return Cut(
        [(folder / name).read_bytes() for name in names],
        header.read_bytes() if header.exists() else b"",
    )


def is_whole(watched: Watched) -> None:
    """All of the clip came, with its defects where they are."""
    assert len(watched.pictures) == 25 * SECONDS
    assert watched.jumps == []
    assert watched.losses == 0
    assert watched.failures == []
    assert watched.connections == []
    assert watched.black_s() == pytest.approx((BEGIN_S, END_S), abs=0.001)
    assert watched.silence_s() == pytest.approx((BEGIN_S, END_S), abs=0.02)
