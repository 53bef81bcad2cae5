"""The levels of tests, which are folders, and what was not run here, with the reason.

unit        maths and decisions, no I/O; seconds
media       detectors and pipelines on clips encoded in the test
contract    what others have to understand, against their own programs
simulation  many workers on one fake clock
kubernetes  against a real API server
e2e         the installed product, as a user has it
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import settings

# A busy machine is slow now and then; how long an example takes is no property under test.
settings.register_profile("streammonitor", deadline=None)
settings.load_profile("streammonitor")

LEVELS = ("unit", "media", "contract", "simulation", "kubernetes", "e2e")
_ROOT = Path(__file__).parent


def pytest_configure(config: pytest.Config) -> None:
    for level in LEVELS:
        config.addinivalue_line("markers", f"{level}: a test of this level; set by its folder")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        level = item.path.relative_to(_ROOT).parts[0]
        if level not in LEVELS:
            raise pytest.UsageError(f"{item.path}: put it into a level: {', '.join(LEVELS)}")
        item.add_marker(level)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in a line a reason what this machine could not run."""
    reasons: Counter[str] = Counter()
    for report in terminalreporter.stats.get("skipped", ()):
        if isinstance(report.longrepr, tuple):
            reasons[report.longrepr[2].removeprefix("Skipped: ")] += 1
    if not reasons:
        return
    terminalreporter.section("not run here")
    for reason, count in sorted(reasons.items()):
        terminalreporter.line(f"{count:4d}  {reason}")
