"""`streammonitor watch`: watches sources here and now, without a cluster.

Exit codes: 0 no incident, 1 incidents, 2 bad input or usage.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streammonitor_api.errors import InputError
from streammonitor_api.events import Event
from streammonitor_api.fidelity import Fidelity
from streammonitor_api.plan import Plan, parse_adjustment, resolve_plan
from streammonitor_cli.arguments import address, duration, make_folder, names, one_of
from streammonitor_cli.display import Display
from streammonitor_cli.interrupts import stopping
from streammonitor_cli.process import BAD_INPUT, INCIDENTS, NO_INCIDENT, tell_error, version

if TYPE_CHECKING:
    from streammonitor_cli.output import Output
    from streammonitor_worker.host import Watch, WatchOptions

GIVE_UP_S = 30.0
"""How long a network source may be out of reach when no `--duration` bounds the watch."""

_MODES = {
    "full": Fidelity.FULL,
    "adaptive": Fidelity.ADAPTIVE,
    "keyframes": Fidelity.KEYFRAMES,
}


def register(commands: Any) -> None:
    """Add the sub-command."""
    parser = commands.add_parser(
        "watch",
        help="watch files and live streams, tell what is wrong with them",
        description="Watches files and live streams, and tells what is wrong with them.",
        epilog="Exit code: 0 no incident, 1 incidents, 2 bad input or usage.",
    )
    add = parser.add_argument
    add("sources", metavar="SOURCE", nargs="+", help="a file, or a URL: HTTP(S), HLS, UDP, RTP, …")
    add(
        "--output",
        type=one_of("table", "jsonl"),
        default="table",
        metavar="table|jsonl",
        help="a live table for people (the default), or one JSON object a line",
    )
    add(
        "--detectors",
        type=names,
        action="extend",
        metavar="NAME,…",
        help="run only these; `streammonitor detectors` lists them",
    )
    add(
        "--set",
        action="append",
        default=[],
        dest="adjustments",
        metavar="DETECTOR.PARAM=VALUE",
        help="change a setting, such as video-black.alarmAfter=5s; may be repeated",
    )
    add("--profile", type=Path, metavar="FILE", help="YAML with the settings of detectors")
    add(
        "--mode",
        type=one_of(*_MODES),
        default="full",
        metavar="|".join(_MODES),
        help="how much of the video to decode (default: full)",
    )
    add("--reference", metavar="SOURCE", help="compare with this stream (not available yet)")
    add(
        "--duration",
        type=duration,
        metavar="TIME",
        help="watch for so long, such as 90s; without it to the end, or until interrupted",
    )
    add("--realtime", action="store_true", help="read files at the speed at which they play")
    add(
        "--renditions",
        type=one_of("highest", "lowest", "all"),
        default="highest",
        metavar="highest|lowest|all",
        help="which rendition of a stream with several (default: highest)",
    )
    add("--evidence", type=Path, metavar="DIR", help="keep pictures of incidents here, as JPEG")
    add(
        "--metrics",
        type=address,
        metavar="HOST:PORT",
        help="serve metrics to Prometheus here, at /metrics",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Watch until the end; returns the exit code. Raises InputError for bad input."""
    if arguments.reference is not None:
        raise InputError(
            "--reference: comparing with a reference stream is not available yet; leave it out"
        )
    if not all(arguments.sources):
        raise InputError("watch: an empty SOURCE; name a file or a URL")
    stop = threading.Event()
    with stopping(stop):  # from here on, as what follows takes a while to import
        plan = _plan(arguments)
        if arguments.evidence is not None:
            make_folder("--evidence", arguments.evidence)
        return _run(arguments, plan, stop)


def _run(arguments: argparse.Namespace, plan: Plan, stop: threading.Event) -> int:
    options = _options(arguments)

    from streammonitor_cli.output import Output
    from streammonitor_worker.host import Watch

    output = Output(sys.stdout, stop)
    sinks: list[Callable[[Event], None]] = []
    watch = Watch(arguments.sources, plan, options, sinks, on_failure=tell_error)
    with _telemetry(arguments.metrics, watch) as telemetry_sinks:
        sinks += telemetry_sinks
        display = choose_display(arguments.output, output, watch)
        sinks.append(display.show)
        with output.held(), display.held():
            summaries = watch.run(stop)
        display.close(summaries, watch.statuses())
    output.check()
    if watch.failures:
        return BAD_INPUT
    return INCIDENTS if any(summary.incidents for summary in summaries) else NO_INCIDENT


def choose_display(kind: str, output: Output, watch: Watch) -> Display:
    """A table on a terminal, plain lines elsewhere, JSON lines where asked for."""
    from streammonitor_cli.lines import JsonLines, PlainLines

    if kind == "jsonl":
        return JsonLines(output)
    if not sys.stdout.isatty() or os.environ.get("TERM", "dumb") == "dumb":
        return PlainLines(output)

    from rich.console import Console

    from streammonitor_cli.table import LiveTable

    return LiveTable(Console(file=sys.stdout), watch.statuses)


@contextmanager
def _telemetry(
    address: tuple[str, int] | None, watch: Watch
) -> Iterator[list[Callable[[Event], None]]]:
    """Tell metrics and traces while this lasts, where they are asked for; gives the sinks."""
    from streammonitor_worker.telemetry.configuration import read_configuration

    configuration = read_configuration(os.environ, address)
    if not configuration.wanted:
        yield []
        return

    from streammonitor_worker.telemetry.session import Telemetry

    telemetry = Telemetry(configuration, watch.statuses, version())
    try:
        yield [telemetry.note]
    finally:
        telemetry.close()


def _plan(arguments: argparse.Namespace) -> Plan:
    profile = []
    if arguments.profile is not None:
        from streammonitor_api.profile import read_profile  # pydantic costs 15 MB: only if needed

        profile = read_profile(arguments.profile)
    return resolve_plan(
        profile=profile,
        only=arguments.detectors,
        adjustments=[parse_adjustment(text) for text in arguments.adjustments],
    )


def _options(arguments: argparse.Namespace) -> WatchOptions:
    from streammonitor_worker.host import WatchOptions
    from streammonitor_worker.source import SourceOptions

    return WatchOptions(
        fidelity=_MODES[arguments.mode],
        duration_s=arguments.duration,
        evidence_folder=arguments.evidence,
        source=SourceOptions(
            renditions=arguments.renditions,
            realtime=arguments.realtime,
            give_up_after_s=GIVE_UP_S if arguments.duration is None else None,
        ),
    )
