"""`streammonitor generate`: files, live streams and refusals, as they are typed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import av
import pytest
import urllib3

from streammonitor_cli.generate import rate, size
from streammonitor_cli.main import main

SMALL = ("--size", "160x96", "--fps", "25", "--duration", "3")


def generate(*arguments: str | Path) -> int:
    return main(["generate", *map(str, arguments)])


def test_file_is_made_with_its_truth(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip, truth = tmp_path / "clip.ts", tmp_path / "truth.json"

    code = generate(
        clip, *SMALL, "--sound", "speech", "--codec", "mpeg2video", "--audio-codec", "mp2",
        "--inject", "video-freeze@1+1", "--inject", "audio-silence@1.5+1", "--truth", truth,
        "--seed", "7",
    )  # fmt: skip

    assert code == 0
    plain = json.loads(truth.read_text())
    assert [(d["detector"], d["track"]) for d in plain["defects"]] == [
        ("video-freeze", "video:0"),
        ("audio-silence", "audio:0"),
    ]
    assert plain["recipe"]["seed"] == 7
    with av.open(str(clip)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.codec_context.name, video.width, video.height) == ("mpeg2video", 160, 96)
        assert audio.codec_context.name.startswith("mp2")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{clip}: 3 s, testcard 160x96 25 fps mpeg2video, speech stereo mp2"
    assert lines[1].split() == ["video-freeze", "video:0", "1.010", "s", "to", "2.010", "s"]


def test_picture_or_sound_may_be_none_or_many(tmp_path: Path) -> None:
    assert generate(tmp_path / "a.mp4", *SMALL, "--sound", "none") == 0
    assert generate(tmp_path / "b.mkv", *SMALL, "--picture", "none", "--sound", "tone,music") == 0

    with av.open(str(tmp_path / "a.mp4")) as first, av.open(str(tmp_path / "b.mkv")) as second:
        assert [stream.type for stream in first.streams] == ["video"]
        assert [stream.type for stream in second.streams] == ["audio", "audio"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "generate: nowhere to put it; give a file such as clip.ts, or --serve"),
        (["clip.ts", "--serve"], "generate: both a file and live"),
        (["clip.ts", "--inject", "video-freze@5+3"], 'did you mean "video-freeze"?'),
        (["clip.ts", "--inject", "video-freeze"], "write DETECTOR@AT+DURATION"),
        (["clip.ts", "--inject", "video-freeze@1+2", "--inject", "video-black@2+1"], "overlaps"),
        (["clip.ts", "--inject", "video-freeze@19+3"], "lasts beyond the stream's end"),
        (["clip.ts", "--inject", "stream-stall@1+3"], "serve it live"),
        (["clip.ts", "--picture", "tescard"], 'did you mean "testcard"?'),
        (["clip.ts", "--size", "big"], '--size: "big" is no size; write WxH'),
        (["clip.ts", "--fps", "30/0"], '--fps: "30/0" divides by 0'),
        (["clip.ts", "--frobnicate"], 'no option "--frobnicate"'),
        (["clip.what"], 'no container is known as ".what"'),
        (["--serve", "elsewhere"], "write HOST:PORT"),
        (["--serve", "--inject", "timestamp-jump@3"], "cannot be served live"),
        (["--serve", "--window", "0"], "window 0"),
    ],
)
def test_usage_error_is_one_line_and_code_2(
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)

    assert generate(*arguments) == 2

    told = capsys.readouterr()
    assert told.err.count("\n") == 1
    assert message in told.err
    assert told.out == ""
    assert list(tmp_path.iterdir()) == []


def test_truth_that_cannot_be_written_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert generate(tmp_path / "clip.ts", *SMALL, "--truth", tmp_path / "no" / "truth.json") == 2
    assert "truth.json: cannot be written" in capsys.readouterr().err


def test_list_tells_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert generate("--list") == 0

    lines = capsys.readouterr().out.splitlines()
    assert {"pictures:", "  testcard", "sounds:", "  speech", "defects:"} <= set(lines)
    assert "  video-flat colour=green|grey|blue|white noise=0.0" in lines


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("25", Fraction(25)),
        ("29.97", Fraction(30000, 1001)),
        ("23.976", Fraction(24000, 1001)),
        ("59.94", Fraction(60000, 1001)),
        ("30000/1001", Fraction(30000, 1001)),
        ("12.5", Fraction(25, 2)),
    ],
)
def test_rate_is_exact(text: str, expected: Fraction) -> None:
    assert rate(text) == expected


def test_size_is_width_by_height() -> None:
    assert size("1920x1080") == (1920, 1080)


class Serving:
    """The command as a process of its own, from its first line on."""

    def __init__(self, *arguments: str | Path) -> None:
        code = "import sys; from streammonitor_cli.main import main; sys.exit(main())"
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, "generate", "--serve", *map(str, arguments)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()

    def finish(self) -> tuple[int, str]:
        """Wait for the end: exit code and what was told on standard error."""
        _, errors = self.process.communicate(timeout=30)
        return self.process.returncode, errors


def test_live_stream_is_served_until_interrupted(tmp_path: Path) -> None:
    serving = Serving(
        "127.0.0.1:0", "--size", "160x96", "--segment", "500ms", "--truth", tmp_path / "truth.json",
        "--inject", "video-black@1+1",
    )  # fmt: skip

    with urllib3.PoolManager(retries=False, timeout=5) as pool:
        playlist = pool.request("GET", serving.url).data.decode()
    asked = time.monotonic()
    serving.process.send_signal(signal.SIGINT)
    code, errors = serving.finish()

    assert (code, errors) == (0, "")
    assert time.monotonic() - asked < 2
    assert playlist.startswith("#EXTM3U")
    plain = json.loads((tmp_path / "truth.json").read_text())
    assert [defect["detector"] for defect in plain["defects"]] == ["video-black"]
    assert plain["started_at"] == pytest.approx(time.time(), abs=30)


def test_live_stream_ends_after_its_duration() -> None:
    serving = Serving(*SMALL, "--segment", "500ms", "--rendition", "96x64")

    with av.open(serving.url, timeout=30) as container:
        pictures = sum(1 for _ in container.decode(container.streams.video[0]))

    assert serving.url.endswith("/master.m3u8")
    assert serving.finish() == (0, "")
    assert pictures == 75
