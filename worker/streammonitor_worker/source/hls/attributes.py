"""Values in the lines of a playlist (RFC 8216, 4.2). Pure; what is malformed reads as nothing."""

from __future__ import annotations

import math
import re

LONGEST_S = 3600.0
"""Durations beyond this are not believed; segments last seconds."""
_ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"]*"|[^,"]*)')


def attributes(line: str) -> dict[str, str]:
    """Names and values of an attribute list, quotes taken off."""
    return {found[1]: found[2].strip().strip('"') for found in _ATTRIBUTE.finditer(line)}


def whole(text: str) -> int:
    """A whole number of up to 64 bits; 0 where it is none."""
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def seconds(text: str) -> float:
    """A duration; 0 where it is none, or absurd."""
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if math.isfinite(value) and 0 <= value <= LONGEST_S else 0.0
