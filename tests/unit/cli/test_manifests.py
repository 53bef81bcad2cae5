"""The folder of a local fleet: what is taken, what is told, and what stays in effect."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from streammonitor_api.errors import InputError
from streammonitor_cli.local.manifests import Applied, Folder

MONITOR = """\
apiVersion: streammonitor.dev/v1alpha1
kind: StreamMonitor
metadata: {{namespace: prod, name: {name}}}
spec:
  streams:
    - name: ch1
      url: {url}
"""


def monitor(name: str = "sports", url: str = "https://example.com/a.m3u8") -> str:
    return MONITOR.format(name=name, url=url)


def look(folder: Folder) -> Applied:
    """What the folder says once its files have settled."""
    applied = folder.look() or folder.look()
    assert applied is not None, "the folder has changed"
    return applied


def test_monitors_and_secrets_of_all_files_are_taken(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(f"{monitor('news')}---\n{monitor('sports')}")
    (tmp_path / "b.yml").write_text(
        "apiVersion: v1\nkind: Secret\nmetadata: {namespace: prod, name: camera}\n"
        "stringData: {username: me}\ndata: {password: c2VjcmV0}\n"
    )
    (tmp_path / "notes.txt").write_text("no resource")
    (tmp_path / ".hidden.yaml").write_text("no resource")

    applied = look(Folder(tmp_path))

    assert sorted(applied.monitors) == ["prod/news", "prod/sports"]
    assert applied.secrets == {"prod/camera": {"username": "bWU=", "password": "c2VjcmV0"}}
    assert applied.problems == ()


def test_lists_and_json_are_taken(tmp_path: Path) -> None:
    resource = {
        "apiVersion": "streammonitor.dev/v1alpha1", "kind": "StreamMonitor",
        "metadata": {"name": "sports"},
        "spec": {"streams": [{"name": "ch1", "url": "https://example.com/a.m3u8"}]},
    }  # fmt: skip
    (tmp_path / "a.json").write_text(json.dumps({"kind": "List", "items": [resource]}))

    assert list(look(Folder(tmp_path)).monitors) == ["default/sports"]


def test_folder_that_did_not_change_is_not_read_again(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(monitor())
    folder = Folder(tmp_path)
    look(folder)

    assert folder.look() is None
    assert folder.look() is None


def test_empty_folder_is_told_once(tmp_path: Path) -> None:
    folder = Folder(tmp_path)

    assert look(folder) == Applied({}, {}, ())
    assert folder.look() is None


def test_file_that_is_being_written_keeps_what_it_said(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(monitor())
    folder = Folder(tmp_path)
    look(folder)

    path.write_text("")  # as editors do before they write
    assert folder.look() is None
    path.write_text(monitor("news"))
    assert folder.look() is None

    assert list(look(folder).monitors) == ["prod/news"]


def test_file_that_is_replaced_is_not_taken_for_gone(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(monitor())
    folder = Folder(tmp_path)
    look(folder)

    path.unlink()
    assert folder.look() is None
    path.write_text(monitor(url="https://example.com/b.m3u8"))

    assert list(look(folder).monitors) == ["prod/sports"]


def test_file_that_goes_takes_its_monitors_along(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(monitor())
    folder = Folder(tmp_path)
    look(folder)

    (tmp_path / "a.yaml").unlink()

    assert look(folder).monitors == {}


def test_mistake_is_told_with_its_line_and_what_was_there_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(monitor("news") + "---\n" + monitor("sports"))
    folder = Folder(tmp_path)
    before = look(folder)

    path.write_text(monitor("news") + "---\n" + monitor("sports", "file:///etc/passwd"))
    applied = look(folder)

    assert applied.monitors == before.monitors
    (problem,) = applied.problems
    assert problem.startswith(f"{path}:15: spec.streams[0].url: ")
    assert problem.endswith("(what it said before stays in effect)")


def test_file_that_is_no_yaml_keeps_what_it_had(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(monitor())
    folder = Folder(tmp_path)
    look(folder)

    path.write_text("spec: [")
    applied = look(folder)

    assert list(applied.monitors) == ["prod/sports"]
    assert applied.problems[0].startswith(f"{path}:1: not valid YAML, ")


def test_same_monitor_twice_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(monitor())
    (tmp_path / "b.yaml").write_text(monitor(url="https://example.com/b.m3u8"))

    applied = look(Folder(tmp_path))

    spec = applied.monitors["prod/sports"]["spec"]
    assert spec["streams"][0]["url"] == "https://example.com/a.m3u8"
    assert applied.problems == (
        f"{tmp_path}/b.yaml:1: StreamMonitor prod/sports is in {tmp_path}/a.yaml:1 already; "
        "rename or remove one",
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("just a text\n", "a.yaml:1: not a resource; write apiVersion, kind, metadata, spec"),
        (
            monitor().replace("  streams:", "  strems:"),
            'a.yaml:5: spec.strems: no such field; did you mean "streams"?',
        ),
        (
            "kind: Secret\nmetadata: {name: a}\ndata: [1]\n",
            "a.yaml:1: data: not a mapping of texts; write KEY: VALUE",
        ),
        (
            "apiVersion: streammonitor.dev/v1alpha1\nkind: StreamMonitr\nmetadata: {name: a}\n",
            'a.yaml:2: kind: no kind "StreamMonitr"',
        ),
    ],
)
def test_mistakes_are_told(text: str, expected: str, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(text)

    problems = look(Folder(tmp_path)).problems

    assert any(problem.startswith(f"{tmp_path}/{expected}") for problem in problems), problems


def test_other_kinds_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")

    assert look(Folder(tmp_path)) == Applied({}, {}, ())


def test_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read, No such file or directory"):
        Folder(tmp_path / "none").look()
