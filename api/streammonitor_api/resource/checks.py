"""The rules between fields, and where in a resource they hold.

`OBJECT_RULES` is the whole table: the CRD attaches their CEL at these places, the models ask their
predicates there. What depends on the catalogue is made from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from streammonitor_api.catalogue import Catalogue, SettingInfo
from streammonitor_api.errors import InputError, suggestion
from streammonitor_api.plan import Adjustment, check_adjustment
from streammonitor_api.resource.problems import Path, Problem, duplicates
from streammonitor_api.resource.profiles import PROFILES, runs_in
from streammonitor_api.resource.rules import ObjectRule

AV_SYNC = "av-sync"
"""The detector that compares with a reference."""

Place = tuple[str, ...]
"""A path in which "*" stands for every entry of a list."""

SPEC: Place = ("spec",)
STREAM: Place = ("spec", "streams", "*")
TARGET: Place = ("spec", "notify", "*")

_TARGET_RULE = ObjectRule(
    "has(self.webhook) != has(self.alertmanager)",
    "no receiver, or two of them; write either webhook or alertmanager",
    lambda target: (target.get("webhook") is None) != (target.get("alertmanager") is None),
)


@cache
def object_rules(known: Catalogue) -> tuple[tuple[Place, ObjectRule], ...]:
    """All rules between fields, each with its place."""
    return ((TARGET, _TARGET_RULE), (SPEC, _something_runs(known)), (SPEC, _reference_used(known)))


def _something_runs(known: Catalogue) -> ObjectRule:
    """At least one detector is left to run."""
    running = {
        profile: [name for name, info in known.items() if runs_in(profile, info)]
        for profile in PROFILES
    }
    choice = repr(running[PROFILES[0]])
    for profile in PROFILES[1:]:
        choice = f"self.profile == '{profile}' ? {running[profile]!r} : {choice}"

    def holds(spec: Mapping[str, Any]) -> bool:
        entries = spec.get("detectors") or []
        if any(entry.get("enabled") in (None, True) for entry in entries):
            return True
        listed = {entry["name"] for entry in entries}
        return not listed.issuperset(running[spec.get("profile") or PROFILES[0]])

    return ObjectRule(
        "!has(self.detectors) || self.detectors.exists(d, d.enabled) || "
        f"!({choice}).all(n, self.detectors.exists(d, d.name == n))",
        "all detectors are disabled; leave at least one enabled, or write suspend: true",
        holds,
        "detectors",
    )


def _reference_used(known: Catalogue) -> ObjectRule:
    """A reference has a detector that compares with it."""

    def runs(spec: Mapping[str, Any]) -> bool:
        entries = [one for one in spec.get("detectors") or [] if one["name"] == AV_SYNC]
        if entries:
            return entries[0].get("enabled") in (None, True)
        return runs_in(spec.get("profile") or PROFILES[0], known[AV_SYNC])

    def holds(spec: Mapping[str, Any]) -> bool:
        if all(stream.get("reference") is None for stream in spec["streams"]):
            return True
        return AV_SYNC in known and runs(spec)

    refers = "self.streams.exists(s, has(s.reference))"
    if AV_SYNC not in known:
        return ObjectRule(
            f"!{refers}",
            f"a reference is for the detector {AV_SYNC}, which this version does not have; "
            "leave reference out",
            holds,
            "streams",
        )
    profiles = [name for name in PROFILES if runs_in(name, known[AV_SYNC])]
    named = f"self.detectors.exists(d, d.name == '{AV_SYNC}'"
    return ObjectRule(
        f"!{refers} || (has(self.detectors) && {named}) ? {named} && d.enabled) "
        f": self.profile in {profiles!r})",
        f"a reference is used by the detector {AV_SYNC} only; enable it in detectors, or leave "
        "reference out",
        holds,
        "streams",
    )


def check_rules(document: Mapping[str, Any], known: Catalogue) -> Iterator[Problem]:
    """Find everything that breaks a rule between fields, as far as it is well-formed."""
    for place, rule in object_rules(known):
        for path, found in _at(document, place):
            if rule.is_broken(found):
                yield Problem((*path, rule.field) if rule.field else path, rule.message)
    for field in ("streams", "detectors", "notify"):
        for path, entries in _at(document, ("spec", field)):
            for index, name in duplicates(entries):
                yield Problem(
                    (*path, index, "name"),
                    f'a second entry named "{name}"; give it another name'
                    if field != "detectors"
                    else f"a second entry for {name}; join the two",
                )
    for path, entry in _at(document, ("spec", "detectors", "*")):
        yield from _check_detector(path, entry, known)


def _check_detector(path: Path, entry: object, known: Catalogue) -> Iterator[Problem]:
    """The name and the settings of an entry, against the catalogue."""
    name = entry.get("name") if isinstance(entry, Mapping) else None
    if not isinstance(entry, Mapping) or not isinstance(name, str):
        return
    if name not in known:
        yield Problem((*path, "name"), f'no detector "{name}"; {suggestion(name, known)}')
        return
    settings = entry.get("settings")
    for setting, value in settings.items() if isinstance(settings, Mapping) else ():
        if value is None and any(setting in info.settings for info in known.values()):
            continue  # it counts as not written, whichever detector it belongs to
        try:
            _check_setting(known, name, str(setting), value)
        except InputError as error:
            yield Problem((*path, "settings", str(setting)), str(error))


def _check_setting(known: Catalogue, detector: str, name: str, value: object) -> None:
    info = known[detector].setting(name)
    if not _is_typed(info, value):
        raise InputError(f"{_WORDS[info.type]} is wanted here; {_advice(info)}")
    check_adjustment(Adjustment("", detector, name, value), known)


_WORDS = {"float": "a number", "int": "a whole number", "bool": "true or false", "str": "a text"}


def _advice(info: SettingInfo) -> str:
    unit = f" in {info.unit}" if info.unit else ""
    allowed = f" ({info.range})" if info.range else ""
    return f"write {_WORDS[info.type]}{unit}{allowed} without quotation marks"


def _is_typed(info: SettingInfo, value: object) -> bool:
    """Say whether a value has the very type; the command line, where all is text, is laxer."""
    match info.type:
        case "bool":
            return isinstance(value, bool)
        case "str":
            return isinstance(value, str)
        case "int":
            return type(value) is int
    return isinstance(value, int | float) and not isinstance(value, bool)


def _at(document: object, place: Place, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """All that is at a place, with its path."""
    if not place:
        yield path, document
    elif place[0] == "*":
        for index, entry in enumerate(document if isinstance(document, list) else ()):
            yield from _at(entry, place[1:], (*path, index))
    elif isinstance(document, Mapping) and place[0] in document:
        yield from _at(document[place[0]], place[1:], (*path, place[0]))
