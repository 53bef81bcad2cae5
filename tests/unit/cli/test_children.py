"""When a process that died is started again."""

from __future__ import annotations

from pathlib import Path

import pytest

from streammonitor_cli.local.children import Revival, last_words


def test_process_that_was_steady_is_started_again_at_once() -> None:
    revival = Revival()
    revival.note_start(0.0)

    assert revival.note_death(60.0) == 0.0
    assert revival.is_due(60.0)


def test_process_that_keeps_dying_is_started_later_each_time() -> None:
    revival = Revival()
    now, delays = 0.0, []
    for _ in range(9):
        revival.note_start(now)
        delays.append(revival.note_death(now + 0.1))
        now += delays[-1] + 0.1

    assert delays == [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0]


def test_process_that_runs_is_not_due() -> None:
    revival = Revival()
    revival.note_start(0.0)
    revival.note_death(0.1)
    revival.note_start(0.2)

    assert not revival.is_due(100.0)


@pytest.mark.parametrize(
    ("text", "words"),
    [("", ""), ("one\ntwo\n", "two"), (f"{'x' * 9000}\nlast words  \n\n", "last words")],
    ids=["empty", "two lines", "long"],
)
def test_last_words_are_the_last_line(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(text)

    assert last_words(tmp_path / "a.log") == words


def test_process_without_a_log_has_no_last_words(tmp_path: Path) -> None:
    assert last_words(tmp_path / "none.log") == ""
