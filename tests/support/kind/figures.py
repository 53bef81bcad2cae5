"""What was measured, beside what it is to be."""

from __future__ import annotations

import math
from collections.abc import Sequence


class Figures:
    """Lines for the end of the run."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def add(self, what: str, value: float, limit: float | None = None, unit: str = "s") -> None:
        bound = "" if limit is None else f"  (limit {limit:g} {unit})"
        self._lines.append(f"{what:<58}{value:7.1f} {unit}{bound}")

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
