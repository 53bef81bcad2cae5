"""The chart, rendered."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.chart import Chart, Rendered


@pytest.fixture
def chart(tmp_path: Path) -> Chart:
    return Chart(tmp_path)


@pytest.fixture(scope="session")
def default(tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    """The chart with its own values."""
    return Chart(tmp_path_factory.mktemp("chart")).render()
