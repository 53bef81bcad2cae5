"""docs/control-plane.md tells of everything that has a name: drawn, listed, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

from streammonitor_api import conditions
from streammonitor_operator import coverage
from streammonitor_operator.handover import TABLE, Cue
from streammonitor_operator.inventory import Inventory
from streammonitor_operator.metrics import FleetCollector
from streammonitor_operator.reconcile import Reconciler
from streammonitor_operator.settings import OperatorSettings

PAGE = (Path(__file__).parents[3] / "docs" / "control-plane.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    return PAGE.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]


def test_transitions_are_drawn_as_they_are() -> None:
    drawn = set(re.findall(r"^    (\w+) --> (\w+): (\w+)$", PAGE, re.MULTILINE))

    assert drawn == {
        (phase.replace("-", "_"), transition.phase.replace("-", "_"), cue.value)
        for phase, transitions in TABLE.items()
        for cue, transition in transitions.items()
        if cue is not Cue.UNWANTED
    }


def test_every_condition_reason_says_what_to_do() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", section("Conditions"), re.MULTILINE)) == set(
        conditions.REASONS
    )


def test_every_gap_reason_is_told() -> None:
    reasons = {
        value
        for name, value in vars(coverage).items()
        if name.isupper() and isinstance(value, str) and not name.startswith("_")
    }

    assert set(re.findall(r"^\| `([\w-]+)` \|", section("Coverage"), re.MULTILINE)) == reasons


def test_every_metric_is_listed() -> None:
    store = cast(Any, None)  # collecting reads nothing but memory
    reconciler = Reconciler(Inventory(), store, store, identity="test", name="test")
    settings = OperatorSettings(identity="test", name="test")
    metrics = {
        f"{one.name}_total" if one.type == "counter" else one.name
        for one in FleetCollector(reconciler, settings).collect()
    }

    assert set(re.findall(r"^\| `(\w+)` \|", section("Metrics"), re.MULTILINE)) == metrics
