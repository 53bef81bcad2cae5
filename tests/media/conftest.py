"""What the media tests share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import pytest


@pytest.fixture
def mean_luma() -> Callable[[Path], float]:
    """The mean luma of a picture file, 0 to 255."""

    def measure(path: Path) -> float:
        with av.open(str(path)) as container:
            frame = next(container.decode(video=0))
            return float(frame.to_ndarray(format="gray").mean())

    return measure
