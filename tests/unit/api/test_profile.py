"""Profiles say what a resource's `detectors` say, and a wrong one is told with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from streammonitor_api.errors import InputError
from streammonitor_api.plan import Plan, resolve_plan
from streammonitor_api.profile import read_profile


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    return tmp_path / "profile.yaml"


def read(path: Path, text: str) -> Plan:
    path.write_text(text, encoding="utf-8")
    return resolve_plan(profile=read_profile(path))


def message(path: Path, text: str) -> str:
    with pytest.raises(InputError) as raised:
        read(path, text)
    told = str(raised.value)
    assert "\n" not in told
    return told.removeprefix(str(path))


def test_profile_sets_every_field(profile: Path) -> None:
    plan = read(
        profile,
        """
        detectors:
          - name: video-black
            severity: warning
            alarmAfter: 5s
            clearAfter: 500ms
            settings: {share: 0.9}
          - name: stream-stall
            enabled: false
        """,
    )

    black = plan["video-black"]
    assert (black.severity, black.alarm_after_s, black.clear_after_s) == ("warning", 5.0, 0.5)
    assert black.settings == {"share": 0.9, "level": 0.1}
    assert "stream-stall" not in plan


def test_detector_that_is_not_listed_keeps_its_defaults(profile: Path) -> None:
    assert read(profile, "detectors: []") == resolve_plan()


ENTRY = "detectors:\n  - name: video-black\n    "


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            ENTRY + "alarmAfter: 2",
            ':3: detectors[video-black].alarmAfter: "2" has no unit; write a duration such as "2s"',
        ),
        (
            ENTRY + "settings:\n      share: 7",
            ":4: detectors[video-black].settings.share: 7 is out of range; share is 0.5 to 1",
        ),
        (
            ENTRY + "settings: {share: [1]}",
            ":3: detectors[video-black].settings.share: neither a number nor a text; "
            "write one of them",
        ),
        (
            ENTRY + "settings: {shar: 1}",
            ":3: detectors[video-black].settings.shar: video-black has no setting "
            '"shar"; did you mean "share"?',
        ),
        (
            ENTRY + "alarm_after: 2s",
            ':3: detectors[video-black].alarm_after: no such field; did you mean "alarmAfter"?',
        ),
        (
            ENTRY + "severity: critic",
            ':3: detectors[video-black].severity: no severity "critic"; did you mean "critical"?',
        ),
        (
            ENTRY + "enabled: 1",
            ":3: detectors[video-black].enabled: neither true nor false; write one of them",
        ),
        (
            ENTRY + "enabled: true\n  - name: video-black",
            ":4: detectors[video-black]: a second entry for video-black; join the two",
        ),
        (
            "detectors:\n  - name: video-blak",
            ':2: detectors[video-blak].name: no detector "video-blak"; did you mean "video-black"?',
        ),
        ("detectors:\n  - enabled: true", ":2: detectors[0].name: missing; add it"),
        ("detectors:\n  - video-black", ":2: detectors[0]: not a mapping; write NAME: VALUE"),
        (
            "detectors: 3",
            ":1: detectors: not a list; write one entry a line, each beginning with a dash",
        ),
        ("spec: {}\ndetectors: []", ":1: spec: no such field; known are: detectors"),
        ("", ': not a profile; write "detectors:" and a list of entries'),
        ("- name: video-black", ': not a profile; write "detectors:" and a list of entries'),
        ("detectors: &a [*a]", ":1: detectors[0]: not a mapping; write NAME: VALUE"),
        ("detectors: " + "[" * 5000, ": nested too deeply for a profile; mend the file"),
        ("1: x\ndetectors: []", ":1: 1: a name is a text; put it in quotation marks"),
    ],
)
def test_wrong_profile_is_told_with_its_line(profile: Path, text: str, expected: str) -> None:
    assert message(profile, text) == expected


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("detectors: [", ":1"),
        ("detectors:\n\t- name: x", ":2"),
        ("detectors: !!python/object/apply:os.getcwd []", ":1"),
        ("detectors: []\n---\ndetectors: []", ":2"),
    ],
    ids=["unfinished", "tab", "python-object", "two-documents"],
)
def test_what_is_no_yaml_is_told_as_such(profile: Path, text: str, line: str) -> None:
    assert message(profile, text).startswith(f"{line}: not valid YAML, ")


def test_missing_profile_is_told(profile: Path) -> None:
    with pytest.raises(InputError, match=r"profile\.yaml: cannot be read, No such file"):
        read_profile(profile)


def test_directory_is_no_profile(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read, Is a directory"):
        read_profile(tmp_path)


def test_media_file_is_no_profile(profile: Path) -> None:
    profile.write_bytes(b"\x00\x00\x00\x18ftypmp42\xff\xfe")

    with pytest.raises(InputError, match="not a text in UTF-8"):
        read_profile(profile)


def test_huge_file_is_no_profile(profile: Path) -> None:
    profile.write_bytes(b"#" * (1 << 20) + b"\n")

    with pytest.raises(InputError, match="more than 1 MiB is no profile"):
        read_profile(profile)
