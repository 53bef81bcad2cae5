"""`streammonitor detectors`: the catalogue, for people and for programs."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import textwrap
from collections.abc import Iterator
from typing import Any

from streammonitor_api.catalogue import (
    DetectorInfo,
    SettingInfo,
    catalogue,
    catalogue_text,
    plain_number,
)
from streammonitor_api.durations import format_duration
from streammonitor_cli.arguments import one_of

_WIDEST = 100
"""Columns: longer lines of prose are hard to read."""


def register(commands: Any) -> None:
    """Add the sub-command."""
    parser = commands.add_parser(
        "detectors",
        help="list the detectors, their defaults and settings",
        description="Lists the detectors: what each finds, its defaults and settings.",
    )
    parser.add_argument(
        "names", metavar="NAME", nargs="*", help="show only these detectors (default: all)"
    )
    parser.add_argument(
        "--output",
        type=one_of("table", "json"),
        default="table",
        metavar="table|json",
        help="for people (the default), or for programs",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the catalogue. Raises InputError for an unknown name."""
    chosen = [catalogue().find(name) for name in arguments.names]
    if arguments.output == "json":
        text = catalogue_text() if not chosen else _json(arguments.names)
    else:
        width = min(_WIDEST, shutil.get_terminal_size().columns)
        shown = chosen or list(catalogue().values())
        text = "\n".join(line for info in shown for line in describe(info, width))
        text += "\n"
    sys.stdout.write(text)
    return 0


def describe(info: DetectorInfo, width: int) -> Iterator[str]:
    """Write one detector as a few lines, at most `width` columns wide, and a blank one."""
    yield info.name
    yield from _indented(info.what, 2, width)
    facts = (
        f"{info.severity}, alarm after {format_duration(info.alarm_after_s)}, "
        f"clear after {format_duration(info.clear_after_s)}, "
        f"threshold {plain_number(info.threshold)} {info.unit}".rstrip()
    )
    yield from _indented(facts, 2, width)
    for setting in info.settings.values():
        yield from _indented(_setting(setting), 4, width)
    yield ""


def _setting(setting: SettingInfo) -> str:
    default = str(setting.default)
    if setting.type in ("int", "float"):
        default = plain_number(float(setting.default))
    unit = f" {setting.unit}" if setting.unit else ""
    allowed = f" ({setting.range})" if setting.range else ""
    return f"{setting.name} = {default}{unit}{allowed}: {setting.what}"


def _indented(text: str, by: int, width: int) -> list[str]:
    return textwrap.wrap(
        text,
        max(20, width),
        initial_indent=" " * by,
        subsequent_indent=" " * (by + 2),
        break_long_words=False,
    )


def _json(names: list[str]) -> str:
    chosen = [one for one in json.loads(catalogue_text()) if one["name"] in names]
    return json.dumps(chosen, indent=2, ensure_ascii=False) + "\n"
