"""Which detectors run on a stream, and how they are set.

A plan begins with the catalogue's defaults. Whatever a user says, in a profile or on the command
line, is a list of adjustments, each with the place that it came from, so that a message can name
it. Everything is checked here against the catalogue: names, types and ranges.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from streammonitor_api.catalogue import (
    Catalogue,
    DetectorInfo,
    SettingInfo,
    SettingValue,
    catalogue,
    plain_number,
)
from streammonitor_api.durations import parse_duration
from streammonitor_api.errors import InputError, suggestion
from streammonitor_api.incident import SEVERITIES, Severity

LONGEST_S = 86_400.0
"""A day: a defect that has to last longer than that to be told is not watched for."""

_COMMON = ("alarmAfter", "clearAfter", "severity", "enabled")
"""What can be set on every detector, beside its own settings."""

_BOOLEANS = {
    **dict.fromkeys(("true", "yes", "on"), True),
    **dict.fromkeys(("false", "no", "off"), False),
}
_WORDS = {"float": "a number", "int": "a whole number", "bool": "true or false", "str": "a text"}


@dataclass(frozen=True, slots=True)
class Adjustment:
    """One thing that a user set. `where` begins every message about it."""

    where: str
    detector: str
    parameter: str
    """A setting in camelCase, or alarmAfter, clearAfter, severity or enabled."""
    value: object


@dataclass(frozen=True, slots=True)
class DetectorPlan:
    """How one detector is to run: all its settings, by their camelCase names."""

    name: str
    severity: Severity
    alarm_after_s: float
    clear_after_s: float
    settings: Mapping[str, SettingValue]


Plan = Mapping[str, DetectorPlan]
"""The detectors that run, by name, in the catalogue's order."""


def resolve_plan(
    *,
    profile: Iterable[Adjustment] = (),
    only: Iterable[str] | None = None,
    adjustments: Iterable[Adjustment] = (),
    known: Catalogue | None = None,
) -> Plan:
    """Make a plan: defaults, then the profile, then the choice `only`, then single adjustments.

    `only` names the detectors that run, whatever the profile enables; None leaves that to the
    profile. Raises InputError for unknown names (with the nearest one), values of a wrong type or
    out of range, and when nothing is left to run.
    """
    known = catalogue() if known is None else known
    drafts = {name: _Draft(info) for name, info in known.items()}
    for adjustment in profile:
        _adjust(known, drafts, adjustment)
    if only is not None:
        _choose(known, drafts, only)
    for adjustment in adjustments:
        _adjust(known, drafts, adjustment)
    plan = {name: draft.plan() for name, draft in drafts.items() if draft.enabled}
    if not plan:
        raise InputError("detectors: all of them are disabled; leave at least one enabled")
    return MappingProxyType(plan)


def check_adjustment(adjustment: Adjustment, known: Catalogue | None = None) -> None:
    """Judge one adjustment by itself; raises InputError without its place."""
    known = catalogue() if known is None else known
    _Draft(known.find(adjustment.detector)).adjust(adjustment.parameter, adjustment.value)


def parse_adjustment(text: str, known: Catalogue | None = None) -> Adjustment:
    """Read what follows `--set`: DETECTOR.PARAM=VALUE.

    PARAM may be spelt alarmAfter, alarm_after or alarm-after. Raises InputError when a part is
    missing or a name unknown; the value is judged later, with all others.
    """
    where = f"--set {text}"
    path, equals, value = text.partition("=")
    name, dot, parameter = path.strip().partition(".")
    if not (equals and dot and name and parameter):
        raise InputError(
            f"{where}: not an assignment; write DETECTOR.PARAM=VALUE, "
            "such as video-black.alarmAfter=5s"
        )
    known = catalogue() if known is None else known
    try:
        info = known.find(name)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    return Adjustment(where, name, _spelling(info, parameter), value.strip())


def _spelling(info: DetectorInfo, parameter: str) -> str:
    """The name as the catalogue has it; left alone when it is not known there."""

    def bare(name: str) -> str:
        return name.replace("_", "").replace("-", "").lower()

    names = {bare(name): name for name in (*_COMMON, *info.settings)}
    return names.get(bare(parameter), parameter)


class _Draft:
    """A detector's plan while it is being adjusted."""

    def __init__(self, info: DetectorInfo) -> None:
        self.info = info
        self.enabled = True
        self.severity = info.severity
        self.alarm_after_s = info.alarm_after_s
        self.clear_after_s = info.clear_after_s
        self.settings = {name: one.default for name, one in info.settings.items()}

    def plan(self) -> DetectorPlan:
        return DetectorPlan(
            self.info.name,
            self.severity,
            self.alarm_after_s,
            self.clear_after_s,
            MappingProxyType(self.settings),
        )

    def adjust(self, parameter: str, value: object) -> None:
        match parameter:
            case "enabled":
                self.enabled = _boolean(value)
            case "severity":
                self.severity = _severity(value)
            case "alarmAfter":
                self.alarm_after_s = _duration(value)
            case "clearAfter":
                self.clear_after_s = _duration(value)
            case _:
                self.settings[parameter] = _setting(self._find(parameter), value)

    def _find(self, parameter: str) -> SettingInfo:
        if parameter not in self.info.settings:
            hint = suggestion(parameter, (*_COMMON, *self.info.settings))
            raise InputError(f'{self.info.name} has no setting "{parameter}"; {hint}')
        return self.info.settings[parameter]


def _adjust(known: Catalogue, drafts: Mapping[str, _Draft], adjustment: Adjustment) -> None:
    try:
        known.find(adjustment.detector)
        drafts[adjustment.detector].adjust(adjustment.parameter, adjustment.value)
    except InputError as error:
        raise InputError(f"{adjustment.where}: {error}") from None


def _choose(known: Catalogue, drafts: Mapping[str, _Draft], only: Iterable[str]) -> None:
    chosen = set(only)
    for name in sorted(chosen):
        try:
            known.find(name)
        except InputError as error:
            raise InputError(f"--detectors: {error}") from None
    if not chosen:
        raise InputError(f"--detectors: no name given; known are: {', '.join(known)}")
    for name, draft in drafts.items():
        draft.enabled = name in chosen


def _setting(info: SettingInfo, value: object) -> SettingValue:
    match info.type:
        case "bool":
            return _boolean(value)
        case "str":
            return str(value)
        case _:
            number = _number(info, value)
    low = -math.inf if info.minimum is None else info.minimum
    high = math.inf if info.maximum is None else info.maximum
    if not low <= number <= high:
        raise InputError(f"{plain_number(number)} is out of range; {info.name} is {info.range}")
    return number


def _number(info: SettingInfo, value: object) -> float | int:
    """A finite number of the setting's type; one in seconds may be written as a duration."""
    number = math.nan
    if isinstance(value, int | float) and not isinstance(value, bool):
        number = float(value)
    elif isinstance(value, str):
        number = _parsed(info, value)
    if not math.isfinite(number) or (info.type == "int" and not number.is_integer()):
        allowed = f" ({info.range})" if info.range else ""
        raise InputError(
            f'"{value}" is not {_WORDS[info.type]}; {info.name} is {_WORDS[info.type]}{allowed}'
        )
    return int(number) if info.type == "int" else number


def _parsed(info: SettingInfo, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        if info.unit != "s":
            return math.nan
        return parse_duration(text)


def _duration(value: object) -> float:
    seconds = parse_duration(f"{value:g}" if isinstance(value, float) else str(value))
    if seconds > LONGEST_S:
        raise InputError(f'"{value}" is more than a day; write a shorter duration')
    return seconds


def _severity(value: object) -> Severity:
    for severity in SEVERITIES:
        if value == severity:
            return severity
    raise InputError(f'no severity "{value}"; {suggestion(str(value), SEVERITIES)}')


def _boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in _BOOLEANS:
        return _BOOLEANS[value.lower()]
    raise InputError(f'"{value}" is neither true nor false; write one of them')
