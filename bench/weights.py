"""What a stream weighs: CPU cores by codec, size, rate and fidelity, for sizing.

    python bench/weights.py [--seconds 20] [--runs 2]

Prints a table in Markdown, as docs/operations.md has it. A weight is the CPU time of the whole
pipeline, all detectors, over the media time; the start is not counted.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from streammonitor_api.fidelity import Fidelity
from streammonitor_api.plan import resolve_plan
from streammonitor_worker.pipeline import Pipeline
from streammonitor_worker.source import Source, SourceOptions

FORMATS = [
    ("h264", "640x360", "25", 1.0),
    ("h264", "1280x720", "30", 3.0),
    ("h264", "1920x1080", "30", 5.0),
    ("h264", "1920x1080", "60", 8.0),
    ("hevc", "1920x1080", "30", 4.0),
    ("hevc", "3840x2160", "30", 12.0),
    ("mpeg2video", "720x576", "25", 4.0),
]
"""Codec, size, pictures a second, Mb/s: what ladders of live services are made of."""


def make_clip(folder: Path, codec: str, size: str, fps: str, mbits: float, seconds: float) -> Path:
    clip = folder / f"{codec}-{size}-{fps}.ts"
    subprocess.run(
        [
            sys.executable, "-m", "streammonitor_cli.main", "generate", str(clip),
            "--duration", str(seconds), "--size", size, "--fps", fps, "--codec", codec,
            "--bitrate", str(round(mbits * 1e6)), "--sound", "programme",
        ],
        check=True,
    )  # fmt: skip
    return clip


def cores(clip: Path, fidelity: Fidelity, seconds: float) -> float:
    """CPU seconds a second of media, of a pipeline in this process."""
    source = Source(str(clip), SourceOptions())
    pipeline = Pipeline("clip", source, resolve_plan(), lambda _: None, fidelity=fidelity)
    began = time.process_time()
    pipeline.run()
    return (time.process_time() - began) / seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=20.0, help="length of each clip")
    parser.add_argument("--runs", type=int, default=2, help="runs of each, of which the least")
    args = parser.parse_args()
    modes = tuple(Fidelity)
    print("| stream | " + " | ".join(f"`{mode}`, cores" for mode in modes) + " | a core watches |")
    print("|---" * (len(modes) + 2) + "|")
    with tempfile.TemporaryDirectory() as folder:
        for codec, size, fps, mbits in FORMATS:
            clip = make_clip(Path(folder), codec, size, fps, mbits, args.seconds)
            found = [
                min(cores(clip, mode, args.seconds) for _ in range(args.runs)) for mode in modes
            ]
            named = f"{codec} {size} {fps}/s, {mbits:g} Mb/s"
            weights = " | ".join(f"{one:.3f}" for one in found)
            print(f"| {named} | {weights} | {1 / found[0]:.0f} |", flush=True)


if __name__ == "__main__":
    main()
