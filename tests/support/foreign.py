"""Clips that this project had no hand in making: sources and encoders of FFmpeg's own program."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

needs_ffmpeg = pytest.mark.skipif(
    shutil.which("ffmpeg") is None,
    reason="ffmpeg is not installed: only it makes clips that this project had no hand in",
)
_LONGEST_S = 60.0


def encode(
    path: Path, *, video: str = "", audio: str = "", seconds: float, options: Sequence[str] = ()
) -> Path:
    """Encode what filter graphs of FFmpeg make. `options` are those of its output."""
    graphs = [word for graph in (video, audio) if graph for word in ("-f", "lavfi", "-i", graph)]
    command = ["ffmpeg", "-nostdin", "-loglevel", "error", "-y", *graphs, "-t", str(seconds)]
    subprocess.run([*command, *options, str(path)], check=True, timeout=_LONGEST_S)
    return path
