"""What was measured, beside what it is to be."""

from __future__ import annotations

import math
from collections.abc import Sequence


class Figures:
    """Lines for the end of the run."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def add(self, what: str, seconds: float, limit_s: float | None = None) -> None:
        limit = "" if limit_s is None else f"  (limit {limit_s:g} s)"
        self._lines.append(f"{what:<58}{seconds:7.1f} s{limit}")

    def add_all(self, what: str, seconds: Sequence[float], limit_s: float) -> None:
        """The median and the 99th percentile of several."""
        half, high = percentile(seconds, 0.5), percentile(seconds, 0.99)
        self._lines.append(
            f"{what:<58}{half:7.1f} s median, {high:.1f} s p99 of {len(seconds)}"
            f"  (limit {limit_s:g} s)"
        )

    def lines(self) -> list[str]:
        return list(self._lines)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that so large a share of all do not exceed (nearest rank)."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]
