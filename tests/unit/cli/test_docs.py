"""The documentation names what there is, all of it and nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from streammonitor_api.names import StreamKey, WorkerId
from streammonitor_api.plan import resolve_plan
from streammonitor_api.profile import read_profile
from streammonitor_cli.local.manifests import Folder
from streammonitor_cli.main import main
from streammonitor_cli.snapshot import MonitorView, StreamView, WorkerView
from streammonitor_worker.telemetry import instruments
from tests.support.builders import an_event, an_incident

DOCS = Path(__file__).parents[3] / "docs"


def text_of(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def test_every_option_of_watch_is_documented(capsys: pytest.CaptureFixture[str]) -> None:
    main(["watch", "--help"])
    offered = set(re.findall(r"^  (?:-h, )?(--[a-z]+)", capsys.readouterr().out, re.MULTILINE))

    documented = set(re.findall(r"^\| `(--[a-z]+)", text_of("watch.md"), re.MULTILINE))

    assert documented == offered - {"--help"}


@pytest.mark.parametrize("command", ["fleet", "status", "incidents"])
def test_every_option_of_a_fleet_is_documented(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    main([command, "--help"])
    offered = set(re.findall(r"^  (?:-h, )?(--[a-z]+)", capsys.readouterr().out, re.MULTILINE))
    section = text_of("fleet.md").split(f"## `streammonitor {command}")[1].partition("\n## ")[0]

    documented = set(re.findall(r"^\| `(--[a-z]+)", section, re.MULTILINE))

    assert documented == offered - {"--help"}


def test_every_option_of_a_worker_is_documented(capsys: pytest.CaptureFixture[str]) -> None:
    main(["worker", "--help"])
    offered = set(re.findall(r"^  (?:-h, )?(--[a-z-]+)", capsys.readouterr().out, re.MULTILINE))

    documented = set(re.findall(r"^\| `(--[a-z-]+)", text_of("worker.md"), re.MULTILINE))

    assert documented == offered - {"--help"}


def test_example_of_a_folder_is_valid(tmp_path: Path) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", text_of("fleet.md"), re.DOTALL)
    (tmp_path / "sports.yaml").write_text(example, encoding="utf-8")

    applied = Folder(tmp_path).look()

    assert applied is not None
    assert applied.problems == ()
    assert list(applied.monitors) == ["prod/sports"]
    assert list(applied.secrets) == ["prod/cdn"]


def test_example_of_a_status_has_all_fields() -> None:
    (example,) = re.findall(r"```json\n(.*?)```", text_of("fleet.md"), re.DOTALL)
    written = json.loads(example)
    worker = WorkerView(WorkerId("a"), 1, "ready", 1, 0.1, 1.0)
    stream = StreamView(StreamKey("a/b/c"), None, None, "opening", None, None, None, 0)

    assert written["workers"][0].keys() == worker.as_json().keys()
    assert written["streams"][0].keys() == stream.as_json().keys()
    assert written["monitors"][0].keys() == MonitorView("a/b", 1, 1, 0, 0).as_json().keys()


def test_every_field_of_an_event_is_documented() -> None:
    event = an_event("closed", an_incident(recovery_s=8.0)).as_json()
    incident = event["incident"]
    assert isinstance(incident, dict)
    fields = {*event, *(f"incident.{name}" for name in incident)} - {"incident"}

    documented = set(re.findall(r"^\| `((?:incident\.)?[a-z_]+)` \|", text_of("watch.md"), re.M))

    assert documented == fields


def test_examples_of_events_are_valid() -> None:
    examples = re.findall(r"```json\n(.*?)\n```", text_of("watch.md"), re.DOTALL)

    opened, summary = (json.loads(example) for example in examples)

    assert opened["incident"].keys() == an_incident().as_json().keys()
    assert summary["event"] == "summary"


def test_example_of_a_profile_is_valid(tmp_path: Path) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", text_of("watch.md"), re.DOTALL)
    path = tmp_path / "sports.yaml"
    path.write_text(example, encoding="utf-8")

    plan = resolve_plan(profile=read_profile(path))

    assert plan["video-black"].alarm_after_s == 5.0
    assert "audio-loudness" not in plan


def test_every_metric_is_documented() -> None:
    listed = set(re.findall(r"streammonitor_[a-z_]+", instruments.__doc__ or ""))

    documented = set(re.findall(r"^\| `(streammonitor_[a-z_]+)`", text_of("telemetry.md"), re.M))

    assert documented == listed
