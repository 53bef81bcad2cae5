"""The definition is whole, described, and the file of it current."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from streammonitor_api.catalogue import catalogue
from streammonitor_api.resource.crd import build_crd
from streammonitor_cli.crd import definition
from streammonitor_cli.main import main

ROOT = Path(__file__).parents[4]


@pytest.fixture(scope="module")
def version() -> dict[str, Any]:
    found: dict[str, Any] = build_crd()["spec"]["versions"][0]
    return found


def fields(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for name, field in schema.get("properties", {}).items():
        yield f"{path}.{name}", field
        yield from fields(field, f"{path}.{name}")
    if "items" in schema:
        yield from fields(schema["items"], f"{path}[]")


def test_manifest_is_current() -> None:
    written = (ROOT / "manifests" / "crd.yaml").read_text(encoding="utf-8")

    assert written == definition("yaml"), "make generate"


def test_every_field_is_described(version: dict[str, Any]) -> None:
    schema = version["schema"]["openAPIV3Schema"]

    bare = [path for path, field in fields(schema) if not field.get("description")]

    assert bare == [".metadata"]


def test_every_text_list_and_number_that_users_write_is_bounded(version: dict[str, Any]) -> None:
    schema = version["schema"]["openAPIV3Schema"]["properties"]["spec"]

    unbounded = [
        path
        for path, field in fields(schema)
        if (field["type"] == "string" and not {"maxLength", "enum"} & set(field))
        or (field["type"] == "array" and "maxItems" not in field)
        or (field["type"] == "integer" and "maximum" not in field and ".settings." not in path)
    ]

    assert unbounded == []


def test_detectors_of_the_catalogue_are_enumerated(version: dict[str, Any]) -> None:
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]

    assert spec["detectors"]["items"]["properties"]["name"]["enum"] == list(catalogue())


def test_lists_are_maps_by_name(version: dict[str, Any]) -> None:
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]

    for name in ("streams", "detectors", "notify"):
        assert spec[name]["x-kubernetes-list-type"] == "map"
        assert spec[name]["x-kubernetes-list-map-keys"] == ["name"]


def test_columns_are_those_of_the_design(version: dict[str, Any]) -> None:
    shown = [one["name"] for one in version["additionalPrinterColumns"] if "priority" not in one]

    assert shown == ["Streams", "Watched", "Degraded", "Incidents", "Ready", "Age"]


def test_command_prints_the_definition(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["crd"]) == 0

    assert capsys.readouterr().out == definition("yaml")


def test_command_writes_a_file(tmp_path: Path) -> None:
    assert main(["crd", "--output", "json", "--file", str(tmp_path / "crd.json")]) == 0

    assert (tmp_path / "crd.json").read_text(encoding="utf-8") == definition("json")


def test_file_that_cannot_be_written_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["crd", "--file", "/nowhere/crd.yaml"]) == 2

    assert "--file /nowhere/crd.yaml: cannot be written, No such file" in capsys.readouterr().err
