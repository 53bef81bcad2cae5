"""Durations as people write them, "2s" or "1m30s", to and from seconds.

The same spelling holds in resources, profiles and on the command line, and so do the messages.
"""

from __future__ import annotations

import re

from streammonitor_api.errors import InputError

_UNITS_S = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}

_NUMBER = r"[0-9]+(?:\.[0-9]+)?"
PATTERN = rf"(?:{_NUMBER}h)?(?:{_NUMBER}m)?(?:{_NUMBER}s)?(?:{_NUMBER}ms)?"
"""What the whole of a duration looks like, unless it is empty: each unit at most once, the largest
first. It means the same to RE2, and so to the API server."""
BARE_NUMBER = _NUMBER
"""What lacks a unit only."""

_LONGEST_S = 366 * 86_400.0
"""A year: longer ones are typing errors."""


def parse_duration(text: str) -> float:
    """Return the seconds that `text` stands for: "500ms" is 0.5, "1m30s" is 90.

    Raises InputError, whose message begins with the text itself, so that a caller can put the
    place in front of it.
    """
    text = text.strip()
    if re.fullmatch(BARE_NUMBER, text):
        raise InputError(f'"{text}" has no unit; write a duration such as "{text}s"')
    if not text or not re.fullmatch(PATTERN, text):
        raise InputError(f'"{text}" is not a duration; write one such as "2s", "500ms" or "1m30s"')
    seconds = sum(
        float(number) * _UNITS_S[unit]
        for number, unit in re.findall(rf"({_NUMBER})(h|ms|m|s)", text)
    )
    if seconds > _LONGEST_S:
        raise InputError(f'"{text}" is more than a year; write a shorter duration')
    return round(seconds, 6)


def format_duration(seconds: float) -> str:
    """Write seconds (≥ 0) the way `parse_duration` reads them, to the millisecond: 90 is "1m30s".

    Raises ValueError for negative seconds.
    """
    if seconds < 0:
        raise ValueError(f"a duration is at least 0, got {seconds}")
    rest = round(seconds * 1000)
    parts = []
    for unit, size in (("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
