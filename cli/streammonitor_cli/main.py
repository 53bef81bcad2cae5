"""`streammonitor`: finds the sub-command, and turns whatever goes wrong into one line.

Exit codes: what the sub-command says; 2 for bad input or usage; 130 when interrupted before it
could handle that itself.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

from streammonitor_api.errors import StreamMonitorError, suggestion
from streammonitor_cli.arguments import Parser, UsageError
from streammonitor_cli.process import (
    BAD_INPUT,
    INTERRUPTED,
    log_told,
    open_streams,
    tell_error,
    version,
)

_COMMANDS = (
    *("watch", "fleet", "status", "incidents", "demo", "generate"),
    *("detectors", "crd", "operator", "worker"),
)
"""Each is a module of its own, imported when it is asked for."""
_EXTRAS = {
    **dict.fromkeys(("av", "numpy", "cryptography", "rich", "opentelemetry", "redis"), "worker"),
    **dict.fromkeys(("aiohttp", "kopf", "kubernetes", "prometheus_client"), "operator"),
}
"""Which extra brings which package; a missing one is told rather than traced."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code. Nothing but a bug leaves here as an exception."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    # Streams are what runs in parallel; threads of the linear algebra would only wait for them.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        with log_told():
            return _run(given)
    except StreamMonitorError as error:
        tell_error(str(error))
        return BAD_INPUT
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in _EXTRAS:
            raise
        tell_error(
            f'the package "{package}" is not installed; install what belongs to this command: '
            f"pip install 'streammonitor[{_EXTRAS[package]}]'"
        )
        return BAD_INPUT
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone. Python would try to flush once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return INTERRUPTED


def _run(given: list[str]) -> int:
    if not given:
        _parser(_COMMANDS).print_help(sys.stderr)
        return BAD_INPUT
    _check_command(given[0])
    parser = _parser(given[:1] if given[0] in _COMMANDS else _COMMANDS)
    try:
        namespace = parser.parse_args(given)
    except SystemExit as done:  # --help and --version, which have printed
        sys.stdout.flush()
        return int(done.code or 0)
    code: int = namespace.run(namespace)
    sys.stdout.flush()
    return code


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        sys.stdout.write(f"streammonitor {version()}\n")
        parser.exit()


def _parser(names: Sequence[str]) -> Parser:
    """The command line, as far as it concerns these commands."""
    parser = Parser(
        prog="streammonitor",
        description="Watches live video: tells what is wrong with a stream, since when, till when.",
        epilog="`streammonitor COMMAND --help` tells more about a command.",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    commands = parser.add_subparsers(
        metavar="COMMAND", required=True, parser_class=Parser, title="commands"
    )
    for name in names:
        import_module(f"streammonitor_cli.{name}").register(commands)
    return parser


def _check_command(first: str) -> None:
    """Say what was meant where the first word is neither a command nor an option."""
    if first in (*_COMMANDS, "-h", "--help", "--version"):
        return
    if first.startswith("-"):
        raise UsageError(f'no option "{first}" before the command; see `streammonitor --help`')
    if "://" in first or os.path.exists(first):  # noqa: PTH110  # any text, also one that is no path
        raise UsageError("no command given; to watch a source write `streammonitor watch SOURCE`")
    raise UsageError(f'no command "{first}"; {suggestion(first, list(_COMMANDS))}')


def run_process() -> NoReturn:
    """Be the command as a process: run it and end.

    Without the interpreter's own way of ending: a thread that blocks in a resolver or a media
    library may be left behind, and taking the interpreter apart around it can crash.
    """
    open_streams()
    code = main()
    with contextlib.suppress(OSError):  # the reader has gone
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    run_process()
