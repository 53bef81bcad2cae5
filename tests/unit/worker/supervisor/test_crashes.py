"""What a crash leaves on standard error names the stream that it happened in."""

from __future__ import annotations

import pytest

from streammonitor_worker.supervisor.engines import Crash, in_words

STREAMS = {0x7F5C7E48C640: "prod/sports/one", 0x7F5C70000640: "prod/sports/two"}
TRACE = """Fatal Python error: Segmentation fault

Thread 0x00007f5c7e48c640 (most recent call first):
  File "/app/source/decode.py", line 12 in decode
  File "/app/engine/hosted.py", line 200 in _watch

Current thread 0x00007f5c70000640 [two] (most recent call first):
  File "/app/source/decode.py", line 40 in decode
  File "/app/engine/hosted.py", line 200 in _watch

Thread 0x00007f5c80000740 (most recent call first):
  File "/app/engine/process.py", line 60 in run

Extension modules: numpy, av
"""


def read(text: str) -> tuple[Crash, list[str]]:
    crash = Crash(dict(STREAMS))
    return crash, [told for line in text.splitlines() if (told := crash.read(line))]


def test_thread_that_crashed_tells_the_stream() -> None:
    crash, _ = read(TRACE)

    assert crash.culprit == "prod/sports/two"


def test_only_the_stack_of_that_thread_is_logged() -> None:
    _, told = read(TRACE)

    assert told[0] == "Fatal Python error: Segmentation fault"
    assert sum("decode.py" in line for line in told) == 1
    assert not any("process.py" in line for line in told)


def test_crash_in_a_thread_of_no_stream_blames_nobody() -> None:
    crash, _ = read(TRACE.replace("0x00007f5c70000640", "0x0000000000000001"))

    assert crash.culprit is None


def test_ordinary_lines_are_passed_on() -> None:
    crash, told = read("prod/sports/one: something\n\nmore")

    assert told == ["prod/sports/one: something", "more"]
    assert crash.culprit is None


@pytest.mark.parametrize(
    ("code", "words"),
    [(1, "exit code 1"), (-11, "killed by SIGSEGV"), (-9, "killed by SIGKILL"), (-99, "signal 99")],
)
def test_end_is_told_in_words(code: int, words: str) -> None:
    assert words in in_words(code)
