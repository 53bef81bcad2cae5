"""How closely a stream is watched."""

from __future__ import annotations

from enum import StrEnum


class Fidelity(StrEnum):
    """In order, the closest first. When capacity is short fidelity falls, never coverage."""

    FULL = "Full"
    """Every picture is decoded and measured."""
    ADAPTIVE = "Adaptive"
    """Key pictures only while all is well; every picture while something is suspicious."""
    KEYFRAMES = "KeyframesOnly"
    """Key pictures only. Sound is decoded in full at every fidelity: it costs little."""
