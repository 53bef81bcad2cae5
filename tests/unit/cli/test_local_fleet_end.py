"""A local fleet does not go on without its operator."""

from __future__ import annotations

from pathlib import Path

import pytest

from streammonitor_api.names import FleetName
from streammonitor_cli.local.fleet import FleetOptions, LocalFleet


def test_operator_that_a_bug_ends_ends_the_fleet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken() -> None:
        raise KeyError("a bug")

    options = FleetOptions(folder=tmp_path, state=tmp_path / "state", name=FleetName("test"))
    fleet = LocalFleet(options, print)
    monkeypatch.setattr(fleet, "_run_operator", broken)

    fleet._operate()

    with pytest.raises(KeyError, match="a bug"):
        fleet.look()
