"""What detectors there are and what can be set on them, without importing any.

`catalogue.json` beside this file is generated from the detectors themselves (`make generate`),
so that the contracts, the command line and the operator know names, units and ranges although
none of them may import the data plane. Names of settings are written in camelCase, as in
resources.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any

from streammonitor_api.durations import parse_duration
from streammonitor_api.errors import InputError, suggestion
from streammonitor_api.incident import Severity

SettingValue = float | int | str | bool

FILE_NAME = "catalogue.json"


@dataclass(frozen=True, slots=True)
class SettingInfo:
    """A setting of a detector. `minimum` and `maximum` are inclusive, None where there is none."""

    name: str
    type: str
    """float, int, str or bool."""
    default: SettingValue
    unit: str
    minimum: float | None
    maximum: float | None
    what: str
    source: str

    @property
    def range(self) -> str:
        """Write what values are allowed: `-90 to -30 dB`, `at least 1`, or "" for any."""
        unit = f" {self.unit}" if self.unit else ""
        if self.minimum is None and self.maximum is None:
            return ""
        if self.maximum is None:
            return f"at least {plain_number(self.minimum or 0)}{unit}"
        if self.minimum is None:
            return f"at most {plain_number(self.maximum)}{unit}"
        return f"{plain_number(self.minimum)} to {plain_number(self.maximum)}{unit}"


@dataclass(frozen=True, slots=True)
class DetectorInfo:
    """A detector with its defaults."""

    name: str
    what: str
    """The defect as a viewer meets it, one sentence."""
    tracks: tuple[str, ...]
    """Kinds of track that it looks at: video, audio, stream."""
    unit: str
    threshold: float
    severity: Severity
    alarm_after_s: float
    clear_after_s: float
    settings: Mapping[str, SettingInfo]
    source: str
    """Where the defaults come from."""

    def setting(self, name: str) -> SettingInfo:
        """Find a setting; raises InputError with the nearest name."""
        if name not in self.settings:
            hint = suggestion(name, self.settings) if self.settings else "it has none"
            raise InputError(f'{self.name} has no setting "{name}"; {hint}')
        return self.settings[name]


class Catalogue(Mapping[str, DetectorInfo]):
    """All detectors by name, in the catalogue's order: video, audio, stream."""

    def __init__(self, detectors: Mapping[str, DetectorInfo]) -> None:
        self._detectors = MappingProxyType(dict(detectors))

    def __getitem__(self, name: str) -> DetectorInfo:
        return self._detectors[name]

    def __iter__(self) -> Any:
        return iter(self._detectors)

    def __len__(self) -> int:
        return len(self._detectors)

    def __hash__(self) -> int:
        return hash(tuple(self._detectors))

    def find(self, name: str) -> DetectorInfo:
        """Find a detector; raises InputError with the nearest name."""
        if name not in self._detectors:
            raise InputError(f'no detector "{name}"; {suggestion(name, self._detectors)}')
        return self._detectors[name]


@cache
def catalogue() -> Catalogue:
    """The catalogue of this version."""
    return parse_catalogue(catalogue_text())


def catalogue_text() -> str:
    """The file as it stands, which is also what `streammonitor detectors --output json` prints."""
    package = resources.files("streammonitor_api")
    return package.joinpath(FILE_NAME).read_text(encoding="utf-8")


def parse_catalogue(text: str) -> Catalogue:
    """Read the written form of a catalogue."""
    return Catalogue({entry["name"]: _detector(entry) for entry in json.loads(text)})


def plain_number(value: float) -> str:
    """Write a number as people do: `1000000`, `-60`, `0.98`; never with an exponent below 1e15."""
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else f"{value:g}"


def camel_case(name: str) -> str:
    """Write a Python name as resources do: `min_run` is `minRun`."""
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


def _detector(entry: dict[str, Any]) -> DetectorInfo:
    settings = {
        one["name"]: SettingInfo(
            name=one["name"],
            type=one["type"],
            default=one["default"],
            unit=one["unit"],
            minimum=one["minimum"],
            maximum=one["maximum"],
            what=one["what"],
            source=one["source"],
        )
        for one in entry["settings"]
    }
    return DetectorInfo(
        name=entry["name"],
        what=entry["what"],
        tracks=tuple(entry["tracks"]),
        unit=entry["unit"],
        threshold=entry["threshold"],
        severity=entry["severity"],
        alarm_after_s=parse_duration(entry["alarmAfter"]),
        clear_after_s=parse_duration(entry["clearAfter"]),
        settings=MappingProxyType(settings),
        source=entry["source"],
    )
