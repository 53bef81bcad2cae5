"""What watching costs on top of decoding: CPU, memory, density, start, and FFmpeg beside it.

    python bench/suite.py [--clip FILE] [--runs 5] [--seconds 30]

Prints one line a figure, with the target beside it, and writes nothing but the clip.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parent
PYTHON = sys.executable
WATCH = [PYTHON, "-m", "streammonitor_cli.main", "watch", "--output", "jsonl"]
FILTERS_VIDEO = "freezedetect,blackdetect,signalstats,blockdetect,blurdetect"
FILTERS_AUDIO = "silencedetect,ebur128,astats,aphasemeter=video=0"


class Run:
    """CPU seconds and peak memory of a finished command."""

    def __init__(self, command: Sequence[str], *, one_core: bool = False) -> None:
        process = subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=_pin if one_core else None,
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in (0, 1):
            raise SystemExit(f"{' '.join(command)}: exit code {process.returncode}")
        self.cpu_s = usage.ru_utime + usage.ru_stime
        self.peak_mb = usage.ru_maxrss / 1024


def _pin() -> None:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def best(runs: list[Run]) -> Run:
    return min(runs, key=lambda run: run.cpu_s)


def in_turn(
    commands: dict[str, list[str]], times: int, *, one_core: bool = False
) -> dict[str, Run]:
    """Run the commands in turn, several times; the cheapest run of each."""
    runs: dict[str, list[Run]] = {name: [] for name in commands}
    for _ in range(times):
        for name, command in commands.items():
            runs[name].append(Run(command, one_core=one_core))
    return {name: best(found) for name, found in runs.items()}


def make_clip(folder: Path, seconds: float) -> Path:
    clip = folder / "reference.mp4"
    subprocess.run(
        [
            PYTHON, "-m", "streammonitor_cli.main", "generate", str(clip),
            "--duration", str(seconds), "--size", "1920x1080", "--fps", "30",
            "--codec", "h264", "--bitrate", "5000000", "--sound", "programme",
        ],
        check=True,
    )  # fmt: skip
    return clip


def copies(clip: Path, count: int, folder: Path) -> list[str]:
    """Links under different names: each is a stream of its own."""
    paths = []
    for number in range(count):
        path = folder / f"stream-{number}{clip.suffix}"
        if not path.exists():
            path.symlink_to(clip.resolve())
        paths.append(str(path))
    return paths


def report(name: str, value: str, target: str) -> None:
    print(f"{name:<58} {value:>12}   {target}", flush=True)


def cpu_and_memory(clip: Path, folder: Path, times: int) -> dict[str, Run]:
    decode = [PYTHON, str(HERE / "decode_alone.py")]
    one, three = copies(clip, 1, folder), copies(clip, 3, folder)
    runs = in_turn({"decode": [*decode, *one], "watch": [*WATCH, *one]}, times)
    ratio = runs["watch"].cpu_s / runs["decode"].cpu_s
    report("decoding alone, CPU s", f"{runs['decode'].cpu_s:.2f}", "")
    report("all detectors, CPU s", f"{runs['watch'].cpu_s:.2f}", "")
    report("all detectors / decoding alone", f"{ratio:.3f}", "<= 1.10")
    many = Run([*WATCH, *three])
    report("peak memory with one stream, MiB", f"{runs['watch'].peak_mb:.0f}", "<= 150")
    report("peak memory, decoding alone, MiB", f"{runs['decode'].peak_mb:.0f}", "")
    further = (many.peak_mb - runs["watch"].peak_mb) / 2
    report("each further stream, MiB", f"{further:.0f}", "<= 45")
    return runs


def density(clip: Path, folder: Path, times: int) -> None:
    commands = {
        "one": [*WATCH, *copies(clip, 1, folder)],
        "eight": [*WATCH, *copies(clip, 8, folder)],
        "decode one": [PYTHON, str(HERE / "decode_alone.py"), *copies(clip, 1, folder)],
        "decode eight": [PYTHON, str(HERE / "decode_alone.py"), *copies(clip, 8, folder)],
    }
    runs = in_turn(commands, times, one_core=True)
    loss = 1 - 8 * runs["one"].cpu_s / runs["eight"].cpu_s
    plain = 1 - 8 * runs["decode one"].cpu_s / runs["decode eight"].cpu_s
    report("8 streams on one core: throughput lost against one", f"{loss:.1%}", "<= 5 %")
    report("the same for decoding alone", f"{plain:.1%}", "")


def against_ffmpeg(clip: Path, watch: Run) -> None:
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        report("FFmpeg's filters / all detectors, CPU", "skipped", "ffmpeg is not installed")
        return
    command = [ffmpeg, "-v", "error", "-threads", "1", "-filter_threads", "1", "-i", str(clip)]
    command += ["-vf", FILTERS_VIDEO, "-af", FILTERS_AUDIO, "-f", "null", "-"]
    run = Run(command)
    report("FFmpeg with nine filters, CPU s", f"{run.cpu_s:.1f}", "")
    report("FFmpeg's filters / all detectors, CPU", f"{run.cpu_s / watch.cpu_s:.1f}", ">= 10")


def start(clip: Path, times: int, runs: dict[str, Run]) -> None:
    """What starting costs, and the ratio of what comes after it: that of a stream that stays."""
    first = in_turn(
        {
            "watch": [*WATCH, "--duration", "0.04", str(clip)],
            "decode": [PYTHON, str(HERE / "decode_alone.py"), "--first", str(clip)],
        },
        times,
    )
    after = {name: runs[name].cpu_s - first[name].cpu_s for name in first}
    ratio = after["watch"] / after["decode"]
    report("the same after the start", f"{ratio:.3f}", "<= 1.10")
    cpu_s = first["watch"].cpu_s
    report("start to first measured picture of a file, CPU s", f"{cpu_s:.2f}", "<= 1")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--clip", type=Path, help="the clip to watch, instead of a generated one")
    parser.add_argument("--runs", type=int, default=5, help="runs of each command (default 5)")
    parser.add_argument("--seconds", type=float, default=30.0, help="length of the generated clip")
    args = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        clip = args.clip or make_clip(folder, args.seconds)
        runs = cpu_and_memory(clip, folder, args.runs)
        start(clip, args.runs, runs)
        density(clip, folder, max(1, args.runs // 2))
        against_ffmpeg(clip, runs["watch"])


if __name__ == "__main__":
    main()
