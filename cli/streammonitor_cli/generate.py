"""`streammonitor generate`: makes test streams whose defects are known.

Writes a file, or serves live HLS until it is stopped; the truth about it goes to a JSON file. What
can be made is in the worker's `synth` package, which is imported only when it is used.
"""

from __future__ import annotations

import argparse
import re
import sys
import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streammonitor_api.errors import InputError
from streammonitor_cli.arguments import UsageError, address, duration, names
from streammonitor_cli.interrupts import stopping

if TYPE_CHECKING:
    from streammonitor_worker.synth import Recipe, Truth

_FILE_S = 20.0
"""Length of a file unless it is given: long enough for two defects, made in a few seconds."""

_ENDLESS_S = 366 * 86_400.0
"""A year: how long a live stream goes on unless it is stopped."""

_POLL_S = 0.2
"""How often it is looked whether a signal has come or the stream has ended."""

_LINGER_SEGMENTS = 3
"""Served after the end: RFC 8216, 6.3.3, lets players be that far behind."""

_BROADCAST_RATES = {"23.976": 24, "23.98": 24, "29.97": 30, "47.95": 48, "59.94": 60, "119.88": 120}
"""Written short for these times 1000/1001."""


def register(commands: Any) -> None:
    """Add the sub-command."""
    parser = commands.add_parser(
        "generate",
        help="make test streams with known defects, as files or live HLS",
        description="Makes a test stream, with defects at known times: a file, or live HLS.",
        epilog="Example: streammonitor generate clip.ts --inject video-freeze@5+3 "
        "--inject audio-silence@12+4 --truth truth.json",
    )
    add = parser.add_argument
    add("out", metavar="OUT", nargs="?", help="the file; its name says the container (.ts, .mp4)")
    add(
        "--serve", metavar="HOST:PORT", nargs="?", type=address, const=("127.0.0.1", 0),
        help="serve live HLS instead, until SIGINT or --duration (default: on loopback)",
    )  # fmt: skip
    add("--list", action="store_true", help="list pictures, sounds, codecs and defects, and end")
    add(
        "--inject", metavar="DEFECT@AT+LASTS", action="append", default=[],
        help="put in a defect, times in seconds, options as ,name=value; may be repeated",
    )  # fmt: skip
    add("--truth", metavar="FILE", type=Path, help="write when which defect is there, as JSON")
    add("--seed", type=int, default=0, help="of all that is random (default: 0)")
    add("--duration", type=duration, help="default: 20s for a file, endless for a live stream")
    _add_stream_options(parser.add_argument_group("picture and sound").add_argument)
    _add_live_options(parser.add_argument_group("live").add_argument)
    parser.set_defaults(run=run)


def _add_stream_options(add: Any) -> None:
    add("--picture", default="testcard", metavar="NAME", help="or none (default: testcard)")
    add("--sound", default=["programme"], type=names, metavar="NAME",
        help="or none; several tracks with commas between them (default: programme)")  # fmt: skip
    add("--size", type=size, default=(1280, 720), metavar="WxH", help="default: 1280x720")
    add("--fps", type=rate, default=Fraction(30), help="such as 25, 29.97 or 30000/1001")
    add("--codec", default="h264", help="of the picture (default: h264)")
    add("--audio-codec", default="aac", help="of the sound (default: aac)")
    add("--bitrate", type=int, metavar="BITS", help="of the picture, a second")
    add("--crf", type=int, help="constant quality of the picture, instead of a bit rate")
    add("--preset", help="of the encoder (default: a quick one)")
    add("--gop", type=duration, default=2.0, help="from key picture to key picture (default: 2s)")
    add("--slices", type=int, default=1, help="a picture is coded in so many parts (h264)")
    add("--pix-fmt", default="yuv420p", help="or yuvj420p (full range), yuv420p10le")
    add("--full-range", action="store_true", help="luma from 0 to 255 instead of 16 to 235")
    add("--interlaced", action="store_true", help="two fields a picture, upper first")
    add("--variable-rate", action="store_true", help="leave out three of ten pictures")
    add("--audio-rate", type=int, default=48000, metavar="HZ", help="default: 48000")
    add("--layout", default="stereo", help="or mono, 5.1 (default: stereo)")
    add("--first-timestamp", type=float, default=0.0, metavar="SECONDS",
        help="what the clock of MPEG-TS says at the start; it wraps at 95443.7")  # fmt: skip


def _add_live_options(add: Any) -> None:
    add("--segment", type=duration, default=2.0, help="length of a segment (default: 2s)")
    add("--window", type=int, default=6, help="segments in the playlist (default: 6)")
    add("--rendition", type=size, action="append", default=[], metavar="WxH",
        help="a further size in a master playlist; may be repeated")  # fmt: skip
    add("--separate-sound", action="store_true", help="sound as a rendition of its own")
    add("--fmp4", action="store_true", help="MP4 segments instead of MPEG-TS")


def size(text: str) -> tuple[int, int]:
    """Read WIDTHxHEIGHT."""
    match = re.fullmatch(r"([0-9]{1,5})x([0-9]{1,5})", text)
    if match is None:
        raise argparse.ArgumentTypeError(f'"{text}" is no size; write WxH, such as 1280x720')
    return int(match[1]), int(match[2])


def rate(text: str) -> Fraction:
    """Read pictures a second: a number, or a fraction; 29.97 is what broadcasters mean by it."""
    if text in _BROADCAST_RATES:
        return Fraction(_BROADCAST_RATES[text] * 1000, 1001)
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?(/[0-9]{1,6})?", text):
        raise argparse.ArgumentTypeError(f'"{text}" is no rate; write 25, 29.97 or 30000/1001')
    number, _, divisor = text.partition("/")
    if divisor and not int(divisor):
        raise argparse.ArgumentTypeError(f'"{text}" divides by 0; write such as 30000/1001')
    return Fraction(number) / int(divisor or 1)


def run(arguments: argparse.Namespace) -> int:
    """Make the stream; returns 0. Raises InputError for what cannot be made."""
    if arguments.list:
        sys.stdout.write("".join(f"{line}\n" for line in _catalogue()))
        return 0
    if (arguments.out is None) == (arguments.serve is None):
        problem = "nowhere to put it" if arguments.out is None else "both a file and live"
        raise UsageError(f"generate: {problem}; give a file such as clip.ts, or --serve")
    recipe = _recipe(arguments)
    if arguments.serve is not None:
        return _serve(recipe, arguments)
    from streammonitor_worker.synth import write_clip

    truth = write_clip(recipe, arguments.out)
    _tell(f"{arguments.out}: {_describe(recipe)}", truth, arguments.truth)
    return 0


def _recipe(arguments: argparse.Namespace) -> Recipe:
    from streammonitor_worker.synth import Recipe, parse_injection

    sounds = [] if arguments.sound == ["none"] else arguments.sound
    return Recipe(
        duration_s=arguments.duration or (_FILE_S if arguments.serve is None else _ENDLESS_S),
        width=arguments.size[0],
        height=arguments.size[1],
        fps=arguments.fps,
        picture=None if arguments.picture == "none" else arguments.picture,
        sound=sounds[0] if sounds else None,
        extra_sounds=sounds[1:],
        video_codec=arguments.codec,
        audio_codec=arguments.audio_codec,
        video_bitrate=arguments.bitrate,
        crf=arguments.crf,
        preset=arguments.preset,
        gop_s=arguments.gop,
        pix_fmt=arguments.pix_fmt,
        full_range=arguments.full_range,
        interlaced=arguments.interlaced,
        slices=arguments.slices,
        variable_rate=arguments.variable_rate,
        audio_rate=arguments.audio_rate,
        audio_layout=arguments.layout,
        first_timestamp_s=arguments.first_timestamp,
        seed=arguments.seed,
        injections=[parse_injection(text) for text in arguments.inject],
    )


def _serve(recipe: Recipe, arguments: argparse.Namespace) -> int:
    """Serve until a signal or the stream's end; the URL is told when it can be played."""
    from streammonitor_worker.synth.live import LiveStream

    host, port = arguments.serve
    stop = threading.Event()
    live = LiveStream(
        recipe,
        host=host,
        port=port,
        segment_s=arguments.segment,
        window=arguments.window,
        sizes=arguments.rendition,
        separate_sound=arguments.separate_sound,
        fragmented=arguments.fmp4,
    )
    with stopping(stop), live:
        while not (live.is_playable or live.wait(0) or stop.wait(_POLL_S)):
            pass
        if live.is_playable:
            _tell(live.url, live.truth(), arguments.truth)
        while not (live.wait(0) or stop.wait(_POLL_S)):
            pass
        stop.wait(_LINGER_SEGMENTS * live.segment_s)
    return 0


def _tell(first_line: str, truth: Truth, path: Path | None) -> None:
    """Print what was made, and write the truth where it is wanted."""
    if path is not None:
        try:
            truth.write(path)
        except OSError as error:
            raise InputError(f"{path}: cannot be written ({error.strerror})") from error
    lines = [first_line]
    for defect in truth.defects:
        ends = "the end" if defect.recovery_s is None else f"{defect.recovery_s:.3f} s"
        lasts = "" if defect.recovery_s == defect.onset_s else f" to {ends}"
        lines.append(f"  {defect.detector:24}{defect.track:10}{defect.onset_s:.3f} s{lasts}")
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def _describe(recipe: Recipe) -> str:
    parts = [f"{recipe.duration_s:g} s"]
    if recipe.picture is not None:
        fps = f"{float(recipe.fps):.5g} fps"
        parts.append(f"{recipe.picture} {recipe.width}x{recipe.height} {fps} {recipe.video_codec}")
    if recipe.sounds:
        parts.append(f"{' + '.join(recipe.sounds)} {recipe.audio_layout} {recipe.audio_codec}")
    return ", ".join(parts)


def _catalogue() -> Iterator[str]:
    """List what there is to choose from."""
    from streammonitor_worker.synth.catalogue import catalogue

    for heading, entries in catalogue().items():
        yield f"{heading}:"
        yield from (f"  {entry}" for entry in entries)
