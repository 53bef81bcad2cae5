"""`streammonitor worker`: watches the streams that the operator assigns to it. What pods run.

Exit codes: 0 drained, 1 another process took its place, 2 bad input or usage. SIGTERM drains: the
streams are watched until other workers have taken over, 90 s at most. A second signal, and SIGINT,
leave everything to the others at once.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streammonitor_api.errors import InputError
from streammonitor_cli.arguments import address, duration, make_folder, number
from streammonitor_cli.process import tell_error, version

if TYPE_CHECKING:
    from streammonitor_api.events import Event
    from streammonitor_worker.sinks.lines import JsonLines
    from streammonitor_worker.supervisor.settings import WorkerSettings
    from streammonitor_worker.supervisor.worker import Worker

VARIABLE = "STREAMMONITOR_"
DEFAULT_FLEET = "default"
DEFAULT_LISTEN = "127.0.0.1:0"


def register(commands: Any) -> None:
    """Add the sub-command."""
    parser = commands.add_parser(
        "worker",
        help="watch the streams that a fleet's operator assigns to it",
        description="Watches the streams that a fleet's operator assigns to it, until SIGTERM.",
        epilog="Every option can be given as a variable, such as STREAMMONITOR_WORKER_ID; those "
        "of Redis are STREAMMONITOR_REDIS_URL, _PASSWORD, … Credentials of streams need "
        "STREAMMONITOR_FLEET_KEY or STREAMMONITOR_FLEET_KEY_FILE. "
        "Exit code: 0 drained, 1 replaced by another process, 2 bad input.",
    )
    add = parser.add_argument
    add("--redis", metavar="URL", help="the fleet's Redis (default: redis://127.0.0.1:6379/0)")
    add("--fleet", metavar="NAME", help=f"name of the fleet (default: {DEFAULT_FLEET})")
    add("--worker-id", metavar="NAME", help="its own name (default: the host's, and the process')")
    add("--capacity", metavar="CORES", help="CPU cores to use (default: what it is allowed to)")
    add("--engines", metavar="N", help="processes that watch (default: one a core)")
    add(
        "--listen",
        metavar="HOST:PORT",
        help="serve /healthz, /readyz, /metrics and /streams here (default: a free port)",
    )
    add("--spool", metavar="DIR", help="keep events here while Redis is away (default: in memory)")
    add("--events", metavar="FILE", help="write each event there, a line of JSON; - prints them")
    add("--drain", metavar="TIME", help="how long SIGTERM waits for others at most (default: 90s)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Be a worker until the end; returns the exit code. Raises InputError for bad input."""
    from streammonitor_api.fleet.connect import RedisSettings
    from streammonitor_api.fleet.reader_store import ReaderStore
    from streammonitor_api.fleet.scripts import Scripts
    from streammonitor_api.fleet.worker_store import WorkerStore
    from streammonitor_api.names import new_incarnation
    from streammonitor_worker.notify.sending import Notifications
    from streammonitor_worker.serve import HttpServer
    from streammonitor_worker.supervisor.worker import Worker
    from streammonitor_worker.telemetry.configuration import read_configuration
    from streammonitor_worker.telemetry.sending import with_sending
    from streammonitor_worker.telemetry.session import Telemetry

    settings = read_settings(arguments, os.environ)
    listen = _address(arguments, os.environ)
    redis = RedisSettings.from_environment(url=arguments.redis)
    scripts = Scripts.open(redis)
    store = WorkerStore(scripts, settings.fleet, settings.worker, new_incarnation())
    history = ReaderStore(scripts, settings.fleet)
    configuration = read_configuration(os.environ, exposed=True)
    lines = _lines(arguments, os.environ)

    def listen_to(event: Event) -> None:
        telemetry.note(event)
        if lines is not None:
            lines.put(event)

    worker = Worker(settings, store, history, listen=listen_to)
    notifications = Notifications(
        scripts, settings.fleet, settings.worker, settings.key, worker.clock.wall
    )
    telemetry = Telemetry(configuration, lambda: list(worker.reporter.statuses()), version())
    telemetry.observe_worker(
        lambda: with_sending(worker.reporter.status(), worker.sink.status, notifications.status)
    )
    server = HttpServer(listen, worker.reporter, telemetry.exposition)
    worker.reporter.http_port = server.port
    tell_error(
        f"worker {settings.worker}: http on {listen[0]}:{server.port}, {settings.engines} engines "
        f"on {settings.capacity_cores:g} cores, fleet {settings.fleet} at {redis.address}"
    )
    try:
        with _signals(worker), notifications:
            return worker.run()
    finally:
        server.close()
        telemetry.close()


def read_settings(arguments: argparse.Namespace, environment: Mapping[str, str]) -> WorkerSettings:
    """What the options say, else the variables, else the machine. Raises InputError."""
    from streammonitor_api.names import fleet_name, worker_id
    from streammonitor_api.sealing import load_key
    from streammonitor_worker.capacity import available_cores
    from streammonitor_worker.supervisor.settings import DRAIN_S, WorkerSettings

    def given(option: str) -> str | None:
        name = option.lstrip("-").replace("-", "_")
        return getattr(arguments, name) or environment.get(f"{VARIABLE}{name.upper()}") or None

    capacity = number("--capacity", given("--capacity"))
    cores = available_cores() if capacity is None else capacity
    engines = number("--engines", given("--engines"))
    if engines is not None and (engines < 1 or not engines.is_integer()):
        raise InputError(f"--engines {engines:g}: not a number of processes; write 1 or more")
    spool, drain = given("--spool"), given("--drain")
    return WorkerSettings(
        worker=worker_id(given("--worker-id") or _own_name(environment)),
        fleet=fleet_name(given("--fleet") or DEFAULT_FLEET),
        capacity_cores=cores,
        engines=max(1, round(cores)) if engines is None else int(engines),
        drain_s=DRAIN_S if drain is None else _duration(drain),
        key=load_key(environment),
        spool=None if spool is None else make_folder("--spool", Path(spool)),
        host=socket.gethostname(),
        pod=environment.get(f"{VARIABLE}POD", ""),
        node=environment.get(f"{VARIABLE}NODE", ""),
    )


def _own_name(environment: Mapping[str, str]) -> str:
    """The pod's name; elsewhere one that several workers of a machine do not share."""
    pod = environment.get(f"{VARIABLE}POD")
    return pod or f"{socket.gethostname().lower().replace('_', '-')}-{os.getpid()}"


def _duration(text: str) -> float:
    try:
        return duration(text)
    except argparse.ArgumentTypeError as error:
        raise InputError(f"--drain: {error}") from None


def _address(arguments: argparse.Namespace, environment: Mapping[str, str]) -> tuple[str, int]:
    text = arguments.listen or environment.get(f"{VARIABLE}LISTEN") or DEFAULT_LISTEN
    try:
        return address(text)
    except argparse.ArgumentTypeError as error:
        raise InputError(f"--listen: {error}") from None


def _lines(arguments: argparse.Namespace, environment: Mapping[str, str]) -> JsonLines | None:
    from streammonitor_worker.sinks.lines import JsonLines

    name = arguments.events or environment.get(f"{VARIABLE}EVENTS")
    if not name:
        return None
    if name == "-":
        return JsonLines(sys.stdout)
    try:
        return JsonLines(Path(name).open("a", encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"--events {name}: cannot be written, {error.strerror}; name another file"
        ) from None


@contextmanager
def _signals(worker: Worker) -> Iterator[None]:
    """Drain at SIGTERM, end at once at SIGINT or the second signal.

    Handlers of Python run in the middle of anything; what they call here only puts something into
    a queue, which is made for that.
    """
    received: list[int] = []

    def take(number: int, _frame: object) -> None:
        received.append(number)
        if number == signal.SIGINT or len(received) > 1:
            worker.quit()
        else:
            worker.drain()

    before = {one: signal.signal(one, take) for one in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
