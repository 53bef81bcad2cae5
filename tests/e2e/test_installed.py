"""The product as a user has it: built, installed elsewhere, its sources out of reach."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
INSTALL_S = 300
"""Seconds for downloading and installing everything: a minute on a slow line."""
COMMAND_S = 60

pytestmark = pytest.mark.timeout(INSTALL_S + COMMAND_S)


def done(
    command: Sequence[str | Path], folder: Path, limit_s: int = COMMAND_S
) -> subprocess.CompletedProcess[str]:
    """Run a command away from the sources; its output is part of the message when it fails."""
    hidden = ("PYTHONPATH", "VIRTUAL_ENV")
    environment = {key: value for key, value in os.environ.items() if key not in hidden}
    return subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=limit_s,
    )


def succeeded(command: Sequence[str | Path], folder: Path, limit_s: int = COMMAND_S) -> str:
    finished = done(command, folder, limit_s)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, built from the sources."""
    folder = tmp_path_factory.mktemp("dist")
    build = (sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", folder, ROOT)
    succeeded(build, folder, INSTALL_S)
    (built,) = folder.glob("streammonitor-*.whl")
    return built


@pytest.fixture(scope="session")
def command(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The installed command, in an environment of its own."""
    folder = tmp_path_factory.mktemp("installed")
    succeeded((sys.executable, "-m", "venv", folder / "venv"), folder)
    python = folder / "venv" / "bin" / "python"
    install = (python, "-m", "pip", "install", "--quiet", f"{wheel}[local]")
    succeeded(install, folder, INSTALL_S)
    return folder / "venv" / "bin" / "streammonitor"


def test_package_holds_the_product_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()

    assert {name.partition("/")[0].partition("-")[0] for name in names} == {
        "streammonitor",
        "streammonitor_api",
        "streammonitor_cli",
        "streammonitor_operator",
        "streammonitor_worker",
    }
    assert "streammonitor_api/catalogue.json" in names
    assert "streammonitor_api/fleet/lua/beat.lua" in names
    assert {
        f"streammonitor_{part}/py.typed" for part in ("api", "cli", "operator", "worker")
    } <= set(names)


def test_version_is_the_one_of_the_package(command: Path, wheel: Path, tmp_path: Path) -> None:
    version = wheel.name.split("-")[1]

    assert succeeded((command, "--version"), tmp_path) == f"streammonitor {version}\n"


def test_generated_defect_is_found(command: Path, tmp_path: Path) -> None:
    generate = (command, "generate", "clip.ts", "--duration", "10", "--inject", "video-black@3+4")
    succeeded(generate, tmp_path)

    watched = done((command, "watch", "clip.ts", "--output", "jsonl"), tmp_path)

    told = [json.loads(line) for line in watched.stdout.splitlines()]
    assert (watched.returncode, watched.stderr) == (1, "")
    assert [one["event"] for one in told] == ["opened", "closed", "summary"]
    assert told[1]["incident"]["detector"] == "video-black"
    assert told[1]["incident"]["onset"]["media_s"] == pytest.approx(3.0, abs=0.04)


def test_detectors_are_listed(command: Path, tmp_path: Path) -> None:
    assert "video-freeze\n" in succeeded((command, "detectors"), tmp_path)


def test_demo_finds_what_it_injected(command: Path, tmp_path: Path) -> None:
    finished = done((command, "demo"), tmp_path, limit_s=200)

    assert finished.returncode == 0, finished.stdout + finished.stderr
