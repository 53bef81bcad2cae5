"""`streammonitor fleet DIR`: runs StreamMonitor files on this machine, without Kubernetes."""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streammonitor_api.errors import InputError
from streammonitor_cli.fleet_address import DEFAULT_NAME
from streammonitor_cli.interrupts import stopping
from streammonitor_cli.local.state import DEFAULT_STATE
from streammonitor_cli.output import Output

if TYPE_CHECKING:
    from streammonitor_cli.fleet_view import FleetView
    from streammonitor_cli.local.fleet import LocalFleet

MOST_WORKERS = 64
_LOOK_S = 0.1


def register(commands: Any) -> None:
    """Add the sub-command."""
    parser = commands.add_parser(
        "fleet",
        help="run StreamMonitor files on this machine",
        description="Runs the StreamMonitors of a folder on this machine: the operator that a "
        "cluster would have, workers, and a Redis. Files can be changed meanwhile. Ctrl-C ends it; "
        "started again, it continues.",
        epilog="Exit code: 0 when it was told to end, 2 for bad input.",
    )
    add = parser.add_argument
    add("folder", metavar="DIR", type=Path, help="folder of StreamMonitor files: YAML or JSON")
    add("--workers", metavar="N", type=_workers, default=2, help="worker processes (default: 2)")
    add("--redis", metavar="URL", help="one's own Redis (default: an embedded one)")
    add(
        "--state",
        metavar="DIR",
        type=Path,
        default=DEFAULT_STATE,
        help=f"what a restart continues from (default: {DEFAULT_STATE}/)",
    )
    add("--name", default=DEFAULT_NAME, help=f"of the fleet in its Redis (default: {DEFAULT_NAME})")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run until told to stop. Raises InputError, UnavailableError, FencedError."""
    from streammonitor_api.fleet.connect import RedisSettings
    from streammonitor_api.names import fleet_name
    from streammonitor_cli.fleet_view import choose_view, operator_noted
    from streammonitor_cli.local.fleet import FleetOptions, LocalFleet

    redis = None
    if arguments.redis is not None:
        redis = RedisSettings.from_environment(url=arguments.redis)
    if not arguments.folder.is_dir():
        raise InputError(f"{arguments.folder}: no such folder; name one of StreamMonitor files")
    options = FleetOptions(
        folder=arguments.folder,
        state=arguments.state,
        workers=arguments.workers,
        name=fleet_name(arguments.name),
        redis=redis,
    )
    stop = threading.Event()
    output = Output(sys.stdout, stop)
    view = choose_view(output)
    fleet = LocalFleet(options, view.note)
    with stopping(stop), output.held(), operator_noted(view):
        try:
            fleet.start()
            view.note(f"state in {fleet.state.path}; `streammonitor status` shows it elsewhere")
            look_after(fleet, view, stop.is_set)
            view.note("ending")
        finally:
            fleet.stop()
    output.check()
    return 0


def look_after(fleet: LocalFleet, view: FleetView, is_over: Callable[[], bool]) -> None:
    """See to the fleet and show it until `is_over`; once at least."""
    pause = threading.Event()
    with view.following(fleet.reader):
        while True:
            fleet.look()
            if is_over():
                return
            pause.wait(_LOOK_S)


def _workers(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:6]) <= MOST_WORKERS:
        raise argparse.ArgumentTypeError(
            f'"{text}" is not a number of workers; write 1 to {MOST_WORKERS}'
        )
    return int(text)
