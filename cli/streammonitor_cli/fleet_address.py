"""Which fleet a command is about: `--fleet DIR|REDIS_URL`, the same for all of them."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streammonitor_api.errors import InputError
from streammonitor_cli.local.state import DEFAULT_STATE, StateFolder

if TYPE_CHECKING:
    from streammonitor_api.fleet.reader_store import ReaderStore

DEFAULT_NAME = "default"


@dataclass(frozen=True, slots=True)
class FoundFleet:
    """A fleet that can be read."""

    reader: ReaderStore
    address: str
    """Of its Redis, without credentials."""
    state: StateFolder | None
    """None for one that was named by its Redis."""


def add_fleet_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which fleet."""
    parser.add_argument(
        "--fleet",
        metavar="DIR|REDIS_URL",
        default=str(DEFAULT_STATE),
        help=f"state folder of a local fleet, or any fleet's Redis (default: {DEFAULT_STATE}/)",
    )
    parser.add_argument(
        "--name",
        help=f"name of the fleet in its Redis (default: what the folder says, or {DEFAULT_NAME})",
    )


def find_fleet(arguments: Any) -> FoundFleet:
    """Find what the options name. Raises InputError; Redis itself is not asked yet."""
    from streammonitor_api.fleet.connect import RedisSettings
    from streammonitor_api.fleet.reader_store import ReaderStore
    from streammonitor_api.fleet.scripts import Scripts
    from streammonitor_api.names import fleet_name

    place: str = arguments.fleet
    state = None
    if "://" in place:
        url, name = place, arguments.name or DEFAULT_NAME
    else:
        state = StateFolder(Path(place))
        description = state.read_description()
        if description.redis.startswith("unix:") and not state.is_taken:
            raise InputError(
                f"--fleet {place}: the fleet is not running; start it with `streammonitor fleet "
                f"{description.folder}`"
            )
        url, name = description.redis, arguments.name or description.fleet
    settings = RedisSettings.from_environment(url=url)
    return FoundFleet(
        ReaderStore(Scripts.open(settings), fleet_name(name)), settings.address, state
    )
