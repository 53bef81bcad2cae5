"""The container image, built where containers reach no package index."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from tests.support.chart import ROOT

BUILD_S = 600
"""Seconds for fetching wheels and building: a minute on two cores."""
LARGEST_MB = 350

pytestmark = pytest.mark.timeout(BUILD_S)


def ran(*command: str) -> str:
    """Run in the project's folder; what it wrote is the message when it fails."""
    finished = subprocess.run(
        command,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=BUILD_S,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


def docker_answers() -> bool:
    docker = shutil.which("docker")
    return (
        docker is not None and subprocess.run([docker, "info"], capture_output=True).returncode == 0
    )


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    """Built from a wheelhouse, without an index."""
    if not docker_answers():
        pytest.skip("docker is not installed, or its engine does not run")
    name = "streammonitor-test/from-wheelhouse:e2e"
    ran("make", "wheelhouse")
    ran("make", "image", "PIP_NO_INDEX=1", f"IMAGE={name}")
    yield name
    ran("docker", "image", "rm", "--force", name)


def inside(image: str, *command: str) -> str:
    """Run a command in the image as a cluster would: restricted, and here without a network."""
    restricted = ("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges")
    options = ("--rm", "--network=none", "--tmpfs=/tmp", *restricted)
    return ran("docker", "run", *options, "--entrypoint", command[0], image, *command[1:])


def test_both_commands_run_restricted(image: str) -> None:
    assert "--redis" in inside(image, "streammonitor", "operator", "--help")
    assert "--redis" in inside(image, "streammonitor", "worker", "--help")
    clip = "streammonitor generate a.ts --duration 4 --inject video-black@1+3"
    script = f"{clip} && streammonitor watch a.ts --output jsonl || test $? = 1"

    told = inside(image, "sh", "-c", script)

    *events, summary = [json.loads(one) for one in told.splitlines() if one.startswith("{")]
    assert {one["incident"]["detector"] for one in events} == {"video-black"}
    assert summary["event"] == "summary"


def test_image_is_small_says_what_it_is_and_has_no_tools(image: str) -> None:
    (about,) = json.loads(ran("docker", "image", "inspect", image))
    config = about["Config"]

    assert about["Size"] <= LARGEST_MB * 1e6
    assert config["User"] == "65532:65532"
    labels = {key.rpartition(".")[2] for key in config["Labels"]}
    assert {"title", "version", "revision", "licenses", "created"} <= labels
    tools = "gcc cc ld pip pip3 apt apt-get dpkg perl"
    assert inside(image, "sh", "-c", f"command -v {tools} || true") == ""
    assert inside(image, "sh", "-c", "find /opt /usr -name '*.whl' -o -name pip -type d") == ""
