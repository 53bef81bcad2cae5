"""The page on the contract says what the code says."""

from __future__ import annotations

from pathlib import Path

import pytest

from streammonitor_api.fleet.reference import write_reference
from streammonitor_api.fleet.scripts import script_names, script_text, source_text

PAGE = Path(__file__).parents[3] / "docs" / "contract.md"


def test_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == write_reference(), "run `make generate`"


@pytest.mark.parametrize("name", script_names())
def test_header_of_script_is_its_contract(name: str) -> None:
    header = source_text(name).partition("\nlocal")[0]

    for part in ("-- KEYS", "-- ARGV", "-- Returns"):
        assert part in header


def test_clock_of_scripts_can_be_substituted() -> None:
    clock = "local function now_ms() return 5 end"

    text = script_text("beat", clock)

    assert text.startswith(clock)
    assert "TIME" not in text
