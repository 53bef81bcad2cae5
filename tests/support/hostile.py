"""Inputs that mean harm: made from a seed, and watched in a process of their own.

Run as `python -m tests.support.hostile FOLDER COUNT`, where the folder holds honest clips to
start from. Prints one JSON object a line: what became of each input, and at the end the peak of
resident memory.
"""

from __future__ import annotations

import json
import random
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from streammonitor_api.errors import StreamMonitorError
from streammonitor_worker.media import Picture
from streammonitor_worker.source import Source

ADDRESS_SPACE = 4 << 30
"""So that an input that wants everything is stopped; the test looks at what was resident."""
TOO_LONG_S = 25.0

WORDS = [
    "#EXTM3U", "#EXTINF:1,", "#EXT-X-ENDLIST", "#EXT-X-STREAM-INF:BANDWIDTH=1", "hello", "<html>",
    "ffconcat version 1.0", "file /etc/passwd", "concat:/etc/passwd", "file:///etc/passwd",
    "data:,x", "[playlist]", "v=0", "input.m3u8", "../..", "\u0000",
]  # fmt: skip


def flip_bits(data: bytearray, chance: random.Random) -> bytes:
    for _ in range(chance.choice([1, 10, 100, 2000])):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(data)


def spoil_header(data: bytearray, chance: random.Random) -> bytes:
    """Where sizes, counts and durations are declared."""
    end = min(2000, len(data))
    begin = 0 if chance.random() < 0.5 else len(data) - end
    for _ in range(chance.choice([1, 3, 10, 30])):
        data[begin + chance.randrange(end)] = chance.choice([0, 0x7F, 0x80, 0xFF])
    return bytes(data)


def declare_huge(data: bytearray, chance: random.Random) -> bytes:
    """Numbers of four bytes that ask for everything."""
    end = min(3000, len(data) - 4)
    begin = 0 if chance.random() < 0.5 else len(data) - 4 - end
    at = begin + chance.randrange(end)
    data[at : at + 4] = chance.choice([b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x40\0\0\0"])
    return bytes(data)


def truncate(data: bytearray, chance: random.Random) -> bytes:
    return bytes(data[: chance.randrange(len(data))])


def shuffle(data: bytearray, chance: random.Random) -> bytes:
    first, second = sorted(chance.randrange(len(data)) for _ in range(2))
    return bytes(data[:first] + data[second:] + data[first:second])


def random_bytes(data: bytearray, chance: random.Random) -> bytes:
    return chance.randbytes(chance.randrange(100_000))


def random_text(data: bytearray, chance: random.Random) -> bytes:
    words = [chance.choice(WORDS) for _ in range(chance.randrange(1, 200))]
    begin = chance.choice(["", "#EXTM3U\n"])
    return (begin + chance.choice([" ", "\n"]).join(words)).encode()


def raw_video(data: bytearray, chance: random.Random) -> bytes:
    width, height = (chance.choice([0, 1, 99_999, 2**31 - 1]) for _ in range(2))
    rate = chance.choice(["0:0", "1:0", "1000000:1", "1:1000000"])
    return f"YUV4MPEG2 W{width} H{height} F{rate} C420\nFRAME\n".encode() + bytes(1000)


SPOILERS: list[Callable[[bytearray, random.Random], bytes]] = [
    flip_bits, spoil_header, declare_huge, truncate, shuffle, random_bytes, random_text, raw_video,
]  # fmt: skip


def make(seed: int, clips: list[bytes]) -> tuple[str, bytes]:
    """The hostile input of a seed, and what was done to it."""
    chance = random.Random(seed)
    spoil = SPOILERS[seed % len(SPOILERS)]
    return spoil.__name__, spoil(bytearray(chance.choice(clips)), chance)


def watch(path: Path) -> dict[str, object]:
    source = Source(str(path))
    timer = threading.Timer(TOO_LONG_S, source.stop)
    timer.start()
    began, items = time.monotonic(), 0
    message = ""
    try:
        for item in source.items():
            items += 1
            if isinstance(item, Picture):
                item.small.max()
            if not -3600 < item.time < 1e8:
                message = f"media time {item.time}"
                break
            del item
    except StreamMonitorError as error:
        message = str(error)
    finally:
        timer.cancel()
    return {"items": items, "message": message, "seconds": time.monotonic() - began}


def main(folder: Path, count: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    clips = [path.read_bytes() for path in sorted(folder.iterdir())]
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "hostile"
        for seed in range(count):
            kind, content = make(seed, clips)
            path.write_bytes(content)
            _tell({"seed": seed, "kind": kind, **watch(path)})
    # Not `ru_maxrss`, which begins with that of the process which started this one.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak = next(int(line.split()[1]) << 10 for line in status.splitlines() if "VmHWM" in line)
    _tell({"peak_bytes": peak})


def _tell(found: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
