"""Finds the detectors: every class of this package's modules that has a name.

A new detector is one new file; nothing else lists them. The order is the catalogue's: video,
audio, then the stream as a whole, by name.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from functools import cache
from types import MappingProxyType
from typing import Any

import streammonitor_worker.detectors as package
from streammonitor_worker.detectors.base import Detector

_NOT_DETECTORS = {"base", "registry"}


def _order(name: str) -> tuple[int, str]:
    kinds = {"video": 0, "audio": 1}
    return kinds.get(name.partition("-")[0], 2), name


@cache
def detector_types() -> MappingProxyType[str, type[Detector[Any]]]:
    """All detectors by name."""
    found: dict[str, type[Detector[Any]]] = {}
    for module_info in pkgutil.iter_modules(package.__path__):
        if module_info.name in _NOT_DETECTORS:
            continue
        module = importlib.import_module(f"{package.__name__}.{module_info.name}")
        for _, member in inspect.getmembers(module, inspect.isclass):
            if issubclass(member, Detector) and member.__module__ == module.__name__:
                found[member.name] = member
    return MappingProxyType({name: found[name] for name in sorted(found, key=_order)})
