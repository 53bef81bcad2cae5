"""Reads the command line, and says what was meant when it is mistyped."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from streammonitor_api.durations import parse_duration
from streammonitor_api.errors import InputError, suggestion


class UsageError(InputError):
    """The command line cannot be understood."""


class _Help(argparse.HelpFormatter):
    """Names of options in one column, what they do in another."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=34)


class Parser(argparse.ArgumentParser):
    """A parser that raises UsageError where argparse prints its usage and exits.

    Sources and options may come in any order, and options cannot be shortened: what an
    abbreviation means would change with every new option.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(allow_abbrev=False, formatter_class=_Help, **settings)

    def parse_known_args(  # type: ignore[override]  # argparse has an overload for each namespace
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """As argparse does, but what comes after options joins the arguments before them."""
        found, rest = super().parse_known_args(args, namespace)
        if self._subparsers is not None:
            return found, rest
        self._refuse_options(rest)
        repeated = [action.dest for action in self._actions if action.nargs in ("+", "*")]
        if rest and not repeated:
            raise UsageError(f"{self._name}: too many arguments; see `{self.prog} --help`")
        for name in repeated[:1]:
            setattr(found, name, [*getattr(found, name), *rest])
        return found, []

    def error(self, message: str) -> NoReturn:
        text = re.sub(r"^argument ([^:]+): ", r"\1: ", message)
        advice = "" if "; " in text else f"; see `{self.prog} --help`"
        raise UsageError(f"{self._name}: {text}{advice}")

    @property
    def _name(self) -> str:
        """The sub-command, as messages begin with it."""
        return self.prog.rpartition(" ")[2]

    @property
    def options(self) -> list[str]:
        """All options that it knows, as they are written."""
        return [name for action in self._actions for name in action.option_strings]

    def _refuse_options(self, rest: Iterable[str]) -> None:
        for text in rest:
            if text.startswith("-") and text != "-":
                option = text.partition("=")[0]
                hint = suggestion(option, (name for name in self.options if len(name) > 2))
                raise UsageError(f'{self._name}: no option "{option}"; {hint}')


def one_of(*allowed: str) -> Callable[[str], str]:
    """Accept one of these words; name the nearest otherwise."""

    def read(text: str) -> str:
        if text not in allowed:
            raise argparse.ArgumentTypeError(
                f'"{text}" is not one of {", ".join(allowed)}; {suggestion(text, allowed)}'
            )
        return text

    return read


def names(text: str) -> list[str]:
    """Read names with commas between them."""
    return [name.strip() for name in text.split(",") if name.strip()]


def duration(text: str) -> float:
    """Read a duration above 0; here, where no other unit makes sense, bare seconds will do."""
    try:
        bare = re.fullmatch(r"[0-9]+(\.[0-9]+)?", text)
        seconds = parse_duration(f"{text}s" if bare else text)
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if seconds <= 0:
        raise argparse.ArgumentTypeError(f'"{text}" is no time at all; write for example "90s"')
    return seconds


def address(text: str) -> tuple[str, int]:
    """Read HOST:PORT; without a host it is this machine only."""
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") or "127.0.0.1"
    if not port.isascii() or not port.isdigit() or not 0 <= int(port[:6]) <= 65_535:
        raise argparse.ArgumentTypeError(
            f'"{text}" is not an address; write HOST:PORT, such as 127.0.0.1:9464'
        )
    return host, int(port)


def make_folder(option: str, folder: Path) -> Path:
    """Make a folder and write to it now, so that nothing is found out when it is needed.

    Raises InputError that names the option.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".streammonitor"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise InputError(
            f"{option} {folder}: cannot be written to, {error.strerror}; name another folder"
        ) from None
    return folder


def number(option: str, text: str | None) -> float | None:
    """A number above 0; None where nothing is given. Raises InputError."""
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 10_000:
        raise InputError(f"{option} {text}: not a number above 0; write for example 2")
    return value
