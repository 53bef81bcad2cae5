"""`streammonitor demo`: a live stream with defects, watched on this machine, and the comparison.

Makes a live HLS stream on loopback, watches it as `streammonitor watch` would, and ends by itself
in about a minute with what was injected beside what was found. Needs no network, no cluster.
Exit code: 0 when everything was found and nothing else, 1 otherwise, 2 for bad usage.
"""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from streammonitor_api.errors import InputError
from streammonitor_api.events import Event
from streammonitor_api.incident import Incident
from streammonitor_api.plan import resolve_plan
from streammonitor_cli.interrupts import stopping
from streammonitor_cli.process import INCIDENTS, NO_INCIDENT, tell_error
from streammonitor_cli.watch import choose_display
from streammonitor_cli.wording import clock, counted

if TYPE_CHECKING:
    from streammonitor_cli.output import Output
    from streammonitor_worker.synth import Recipe, Truth
    from streammonitor_worker.synth.score import Hit

DEFECTS = (
    "video-black@4+4",
    "audio-silence@11+4",
    "video-freeze@18+4",
    "video-block-corruption@25+2",
    "audio-phase@30+4",
    "video-colour-bars@37+4",
    "stream-unavailable@45+5",
)
"""One after another, each for as long as its alarm needs and a little more."""
STREAM_S = 54.0
"""Room for the last defect to end and for its incident to be closed."""
SEGMENT_S = 1.0
"""Short, so that an incident is shown soon after it began."""
_PLAYABLE_S = 20.0
"""How long the first segment is waited for, on a slow machine."""


def register(commands: Any) -> None:
    """Add the sub-command."""
    parser = commands.add_parser(
        "demo",
        help="watch a live stream with defects, made here: about a minute",
        description="Makes a live stream with defects on this machine, watches it, and compares "
        "what was found with what was injected. Ends by itself in about a minute.",
        epilog="Exit code: 0 all found and nothing else, 1 otherwise, 2 usage.",
    )
    parser.add_argument("--seed", type=int, default=1, help="of the pictures and sounds")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Make the stream, watch it, compare; returns the exit code."""
    from streammonitor_cli.output import Output
    from streammonitor_worker.synth.live import LiveStream

    stop = threading.Event()
    output = Output(sys.stdout, stop)
    with LiveStream(_recipe(arguments.seed), segment_s=SEGMENT_S) as live:
        output.write_line(
            f"A live stream with {len(DEFECTS)} defects, on {live.url}: {STREAM_S:.0f} s\n"
        )
        try:
            truth = live.wait_until_playable(_PLAYABLE_S)
        except TimeoutError as error:
            raise InputError(f"demo: {error}; is this machine very busy?") from None
        incidents = _watch(live.url, output, stop)
    output.check()
    if stop.is_set():
        return INCIDENTS
    return _compare(truth, incidents, output)


def _recipe(seed: int) -> Recipe:
    from streammonitor_worker.synth import Recipe, parse_injection

    return Recipe(
        duration_s=STREAM_S,
        width=640,
        height=360,
        fps=Fraction(25),
        gop_s=SEGMENT_S,
        seed=seed,
        injections=[parse_injection(text) for text in DEFECTS],
    )


def _watch(url: str, output: Output, stop: threading.Event) -> list[Incident]:
    """Watch until the stream ends; the incidents as they were when they were closed."""
    from streammonitor_worker.host import Watch, WatchOptions

    closed: list[Incident] = []

    def note(event: Event) -> None:
        if event.kind == "closed":
            closed.append(event.incident)

    sinks: list[Callable[[Event], None]] = [note]
    watch = Watch([url], resolve_plan(), WatchOptions(), sinks, on_failure=tell_error)
    display = choose_display("table", output, watch)
    sinks.append(display.show)
    with stopping(stop), output.held(), display.held():
        summaries = watch.run(stop)
    display.close(summaries, watch.statuses())
    return closed


def _compare(truth: Truth, incidents: list[Incident], output: Output) -> int:
    """Write the table of injected against found."""
    from streammonitor_worker.synth.score import score

    result = score(truth, incidents)
    rows: list[tuple[float, str]] = [(hit.defect.onset_s, _hit_line(hit)) for hit in result.hits]
    rows += [
        (
            missed.onset_s,
            _line(missed.detector, _times(missed.onset_s, missed.recovery_s), "missed"),
        )
        for missed in result.missed
    ]
    rows += [
        (found.onset.media_s, _line(found.detector, "", _found_times(found), "false alarm"))
        for found in result.false_alarms
    ]
    output.write_line("")
    output.write_line(_line("DEFECT", "INJECTED", "FOUND", "OFF BY"))
    for _, line in sorted(rows):
        output.write_line(line)
    output.write_line(
        f"\n{len(result.hits)} of {counted(len(truth.defects), 'defect')} found, "
        f"{counted(len(result.false_alarms), 'false alarm')}."
    )
    return NO_INCIDENT if result.perfect else INCIDENTS


def _hit_line(hit: Hit) -> str:
    """What is wrong with the server is noticed a segment late at worst: no matter of pictures."""
    on_server = hit.defect.track == "stream"
    off = "a segment" if on_server else f"{hit.onset_error_s * 1000:+.0f} ms"
    return _line(
        hit.defect.detector,
        _times(hit.defect.onset_s, hit.defect.recovery_s),
        _found_times(hit.incident),
        off,
    )


def _found_times(incident: Incident) -> str:
    recovery = incident.recovery
    return _times(incident.onset.media_s, None if recovery is None else recovery.media_s)


def _times(onset_s: float, recovery_s: float | None) -> str:
    return f"{clock(onset_s)} to {'the end' if recovery_s is None else clock(recovery_s)}"


def _line(detector: str, injected: str, found: str, off: str = "") -> str:
    return f"{detector:<23}{injected:<23}{found:<23}{off:>10}".rstrip()
