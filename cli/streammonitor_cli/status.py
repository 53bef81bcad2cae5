"""`streammonitor status`: the monitors, streams and workers of a fleet, now."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from streammonitor_cli.arguments import one_of
from streammonitor_cli.fleet_address import add_fleet_options, find_fleet


def register(commands: Any) -> None:
    """Add the sub-command."""
    parser = commands.add_parser(
        "status",
        help="show the monitors, streams and workers of a fleet",
        description="Shows the monitors, streams and workers of a fleet as they are now.",
        epilog="Exit code: 0, whatever the state of the fleet; 2 where it cannot be read.",
    )
    add_fleet_options(parser)
    parser.add_argument(
        "--output", type=one_of("table", "json"), default="table", help="table (default) or json"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Read the fleet and show it. Raises InputError, UnavailableError."""
    from streammonitor_cli.snapshot import take_snapshot

    fleet = find_fleet(arguments)
    written = {} if fleet.state is None else fleet.state.read_monitors()
    snapshot = take_snapshot(fleet.reader, written)
    if arguments.output == "json":
        sys.stdout.write(json.dumps(snapshot.as_json(), ensure_ascii=False, indent=2) + "\n")
        return 0
    from rich.console import Console

    from streammonitor_cli.fleet_drawing import draw_fleet, draw_monitors

    console = Console()
    width = console.width if console.is_terminal else 1000
    console = Console(width=width, highlight=False)
    console.print(draw_monitors(snapshot.monitors))
    events = [one.event for one in snapshot.incidents]
    console.print(draw_fleet(snapshot, events, width=width), soft_wrap=not console.is_terminal)
    for problem in snapshot.broken.values():
        console.print(problem, style="red", markup=False)
    return 0
