"""Samples and examples are resources that the models take, and the reference is current."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from streammonitor_api import conditions
from streammonitor_api.resource import parse_monitor
from streammonitor_api.resource.reference import reference
from streammonitor_cli.main import main

ROOT = Path(__file__).parents[4]
DOCS = ROOT / "docs"
SAMPLES = sorted((ROOT / "manifests" / "samples").glob("*.yaml"))


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_sample_is_valid(path: Path) -> None:
    documents = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))

    monitors = [one for one in documents if one["kind"] == "StreamMonitor"]

    assert monitors
    for one in monitors:
        parse_monitor(one)


def test_example_of_the_guide_is_valid() -> None:
    text = (DOCS / "streammonitor.md").read_text(encoding="utf-8")

    (example,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)

    parse_monitor(yaml.safe_load(example))


def test_reference_of_fields_is_current() -> None:
    written = (DOCS / "streammonitor-fields.md").read_text(encoding="utf-8")

    assert written == reference(), "make generate"


def test_every_option_of_the_operator_is_documented(capsys: pytest.CaptureFixture[str]) -> None:
    main(["operator", "--help"])
    offered = set(re.findall(r"^  (?:-h, )?(--[a-z-]+)", capsys.readouterr().out, re.MULTILINE))
    text = (DOCS / "operator.md").read_text(encoding="utf-8")

    documented = set(re.findall(r"^\| `(--[a-z-]+)", text, re.MULTILINE))

    assert documented == offered - {"--help"}


def test_every_condition_is_documented() -> None:
    text = (DOCS / "streammonitor.md").read_text(encoding="utf-8")

    documented = set(re.findall(r"^\| `([A-Z][A-Za-z]+)` \|", text, re.MULTILINE))

    assert documented == set(conditions.CONDITION_TYPES)
