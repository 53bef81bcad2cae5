"""`streammonitor operator`: follows StreamMonitors in Kubernetes. What the operator's pod runs.

Exit codes: 0 ended by SIGTERM or SIGINT, 1 another operator has taken over, 2 bad input or usage.
"""

from __future__ import annotations

import argparse
import logging
import os
import re
import socket
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from streammonitor_api.errors import FencedError, InputError
from streammonitor_cli.arguments import address, number
from streammonitor_cli.interrupts import stopping
from streammonitor_cli.process import tell_error

if TYPE_CHECKING:
    from streammonitor_operator.main import OperatorOptions

_VARIABLE = "STREAMMONITOR_"
_DEFAULT_FLEET = "default"
_DEFAULT_LISTEN = ":8080"
REPLACED = 1


def register(commands: Any) -> None:
    """Add the sub-command."""
    parser = commands.add_parser(
        "operator",
        help="follow StreamMonitors in Kubernetes, give their streams to workers",
        description="Follows StreamMonitors in Kubernetes and gives their streams to workers, "
        "until SIGTERM. It reaches Kubernetes as its pod's account, or by KUBECONFIG.",
        epilog="Every option can be given as a variable, such as STREAMMONITOR_FLEET; those of "
        "Redis are STREAMMONITOR_REDIS_URL, _PASSWORD, … Credentials of streams need "
        "STREAMMONITOR_FLEET_KEY or STREAMMONITOR_FLEET_KEY_FILE. "
        "Exit code: 0 ended, 1 replaced by another operator, 2 bad input.",
    )
    add = parser.add_argument
    add("--redis", metavar="URL", help="the fleet's Redis (default: redis://127.0.0.1:6379/0)")
    add("--fleet", metavar="NAME", help=f"name of the fleet (default: {_DEFAULT_FLEET})")
    add(
        "--namespaces",
        metavar="NAME,…",
        help="follow the StreamMonitors of these only (default: of all namespaces)",
    )
    add("--worker-namespace", metavar="NAME", help="where the worker pods are (default: its own)")
    add("--worker-selector", metavar="LABELS", help="labels that the worker pods have")
    add(
        "--watch-nodes",
        metavar="true|false",
        help="fail over from nodes that are removed (default: true, where that is allowed)",
    )
    add(
        "--worker-capacity",
        metavar="CORES",
        help="what a worker gives, while there is none to be asked (default: 2)",
    )
    add(
        "--head-room",
        metavar="FACTOR",
        help="workers to call for at /demand, for each that the streams fill (default: 1.2)",
    )
    add(
        "--listen",
        metavar="HOST:PORT",
        help=f"serve /demand, /metrics, /healthz and /readyz here (default: {_DEFAULT_LISTEN})",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Be the operator until the end; returns the exit code. Raises InputError for bad input."""
    stop = threading.Event()
    with stopping(stop), _everything_logged():
        options = read_options(arguments, os.environ)

        from streammonitor_operator.main import Operator

        try:
            Operator(options).run(stop)
        except FencedError as error:
            tell_error(str(error))
            return REPLACED
    return 0


def read_options(arguments: argparse.Namespace, environment: Mapping[str, str]) -> OperatorOptions:
    """What the options say, else the variables. Raises InputError."""
    from streammonitor_api.fleet.connect import RedisSettings
    from streammonitor_api.names import fleet_name
    from streammonitor_api.sealing import load_key
    from streammonitor_operator.cluster import ClusterOptions
    from streammonitor_operator.demand import CAPACITY_CORES, HEAD_ROOM
    from streammonitor_operator.handlers import WORKER_SELECTOR
    from streammonitor_operator.main import OperatorOptions

    def given(option: str, default: str = "") -> str:
        name = option.lstrip("-").replace("-", "_")
        text = getattr(arguments, name)
        return str(text or environment.get(f"{_VARIABLE}{name.upper()}") or default)

    host, port = _address(given("--listen", _DEFAULT_LISTEN))
    namespaces = [name.strip() for name in given("--namespaces").split(",") if name.strip()]
    _check_names("--namespaces", namespaces)
    return OperatorOptions(
        fleet=fleet_name(given("--fleet", _DEFAULT_FLEET)),
        redis=RedisSettings.from_environment(url=arguments.redis),
        key=load_key(environment),
        host=host,
        port=port,
        head_room=number("--head-room", given("--head-room")) or HEAD_ROOM,
        worker_capacity_cores=number("--worker-capacity", given("--worker-capacity"))
        or CAPACITY_CORES,
        cluster=ClusterOptions(
            namespaces=tuple(dict.fromkeys(namespaces)),
            home=given("--worker-namespace"),
            watch_nodes=_boolean("--watch-nodes", given("--watch-nodes", "true")),
            worker_selector=given("--worker-selector", WORKER_SELECTOR),
            name=environment.get(f"{_VARIABLE}POD") or f"{socket.gethostname()}-{os.getpid()}",
        ),
    )


def _check_names(option: str, names: Iterable[str]) -> None:
    for name in names:
        if not re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", name):
            raise InputError(
                f'{option}: "{name}" is not a name; write small letters, digits and dashes'
            )


def _boolean(option: str, text: str) -> bool:
    if text not in ("true", "false"):
        raise InputError(f'{option}: "{text}" is neither true nor false; write one of them')
    return text == "true"


def _address(text: str) -> tuple[str, int]:
    try:
        host, port = address(text)
    except argparse.ArgumentTypeError as error:
        raise InputError(f"--listen: {error}") from None
    return ("0.0.0.0" if text.startswith(":") else host), port  # noqa: S104  probes come from outside


@contextmanager
def _everything_logged() -> Iterator[None]:
    """What happens goes to standard error, a line each: the log of the pod."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    root, ours = logging.getLogger(), logging.getLogger("streammonitor")
    before = root.handlers[:], root.level, ours.level
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    ours.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.handlers[:], level, our_level = before
        root.setLevel(level)
        ours.setLevel(our_level)
