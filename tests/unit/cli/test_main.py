"""The command understands what is typed, and says in one line what was meant when it does not."""

from __future__ import annotations

import json
import logging
import subprocess
import sys

import pytest

from streammonitor_api.catalogue import catalogue
from streammonitor_cli.main import main
from streammonitor_cli.process import log_told


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What the command says on standard error when it refuses, without its own name."""
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return captured.err.removeprefix("streammonitor: ").rstrip("\n")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("wach a.mp4", 'no command "wach"; did you mean "watch"?'),
        ("detector", 'no command "detector"; did you mean "detectors"?'),
        ("--versoin", 'no option "--versoin" before the command; see `streammonitor --help`'),
        (
            "https://user:secret@host/x.m3u8",
            "no command given; to watch a source write `streammonitor watch SOURCE`",
        ),
        (
            "watch",
            "watch: the following arguments are required: SOURCE; see `streammonitor watch --help`",
        ),
        ("watch a.mp4 --outptu jsonl", 'watch: no option "--outptu"; did you mean "--output"?'),
        ("watch a.mp4 --prof x", 'watch: no option "--prof"; did you mean "--profile"?'),
        (
            "watch a.mp4 --output jsnl",
            'watch: --output: "jsnl" is not one of table, jsonl; did you mean "jsonl"?',
        ),
        (
            "watch a.mp4 --mode adaptiv",
            'watch: --mode: "adaptiv" is not one of full, adaptive, keyframes; '
            'did you mean "adaptive"?',
        ),
        (
            "watch a.mp4 --duration 5x",
            'watch: --duration: "5x" is not a duration; write one such as "2s", "500ms" or "1m30s"',
        ),
        (
            "watch a.mp4 --duration 0",
            'watch: --duration: "0" is no time at all; write for example "90s"',
        ),
        (
            "watch a.mp4 --metrics 9464x",
            'watch: --metrics: "9464x" is not an address; write HOST:PORT, such as 127.0.0.1:9464',
        ),
        (
            "watch a.mp4 --reference b.mp4",
            "--reference: comparing with a reference stream is not available yet; leave it out",
        ),
        (
            "watch a.mp4 --detectors video-black,video-blak",
            '--detectors: no detector "video-blak"; did you mean "video-black"?',
        ),
        (
            "watch a.mp4 --set video-blak.share=1",
            '--set video-blak.share=1: no detector "video-blak"; did you mean "video-black"?',
        ),
        (
            "watch a.mp4 --set video-black.share=2",
            "--set video-black.share=2: 2 is out of range; share is 0.5 to 1",
        ),
        (
            "watch a.mp4 --evidence /dev/null/x",
            "--evidence /dev/null/x: cannot be written to, Not a directory; name another folder",
        ),
        (
            "watch a.mp4 --profile /nowhere.yaml",
            "/nowhere.yaml: cannot be read, No such file or directory; name a profile file",
        ),
        ("detectors video-blak", 'no detector "video-blak"; did you mean "video-black"?'),
    ],
)
def test_mistake_is_told_in_one_line(
    capsys: pytest.CaptureFixture[str], line: str, expected: str
) -> None:
    assert told(capsys, *line.split()) == expected


def test_empty_source_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, "watch", "a.mp4", "") == "watch: an empty SOURCE; name a file or a URL"


def test_control_characters_do_not_reach_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert told(capsys, "wa\x1b[2Jch\n").startswith('no command "wa?[2Jch?"')


def test_empty_command_line_shows_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "watch files and live streams" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--help"], ["watch", "--help"], ["detectors", "-h"]])
def test_help_is_no_error(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert main(arguments) == 0
    assert capsys.readouterr().out.startswith("usage: streammonitor")


def test_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("streammonitor ")


def test_detectors_are_listed_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["detectors"]) == 0

    text = capsys.readouterr().out
    for info in catalogue().values():
        assert f"{info.name}\n  " in text
    assert "critical, alarm after 2s, clear after 1s, threshold 0.98 share" in text
    assert "share = 0.98 (0.5 to 1): share of the pixels that must be black" in text


def test_detectors_are_listed_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["detectors", "--output", "json"]) == 0

    listed = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in listed] == list(catalogue())
    assert {"what", "unit", "threshold", "severity", "alarmAfter", "settings"} <= listed[0].keys()


def test_only_the_named_detectors_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["detectors", "--output", "json", "video-black"]) == 0

    assert [one["name"] for one in json.loads(capsys.readouterr().out)] == ["video-black"]


LIGHT = [
    ["--version"],
    ["detectors"],
    *([command, "-h"] for command in ("watch", "generate", "demo", "fleet", "status", "incidents")),
]
HEAVY = ("av", "numpy", "rich", "opentelemetry", "pydantic", "yaml", "streammonitor_worker")


@pytest.mark.parametrize("arguments", LIGHT)
def test_light_commands_import_nothing_heavy(arguments: list[str]) -> None:
    program = (
        "import sys; from streammonitor_cli.main import main; "
        f"main({arguments!r}); print([m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert done.stderr == "[]\n"


def test_missing_extra_is_told_not_traced() -> None:
    program = (
        "import sys; sys.modules['av'] = None; "  # None makes the import fail as if not installed
        "from streammonitor_cli.main import main; sys.exit(main(['watch', 'a.mp4']))"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert done.returncode == 2
    assert done.stderr == (
        'streammonitor: the package "av" is not installed; '
        "install what belongs to this command: pip install 'streammonitor[worker]'\n"
    )


def test_warning_of_a_library_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with log_told():
        logging.getLogger("some.package").warning("no %s\nno cry", "collector")
        logging.getLogger("some.package").info("nobody wants to know")

    assert capsys.readouterr().err == "streammonitor: no collector?no cry\n"


def test_bug_is_told_with_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    with log_told():
        try:
            raise ValueError("a bug")
        except ValueError:
            logging.getLogger("ours").exception("clip.mp4: the watching failed")

    told = capsys.readouterr().err
    assert told.startswith("streammonitor: clip.mp4: the watching failed\nTraceback")
    assert told.endswith("ValueError: a bug\n")
