"""Profiles: what is set on detectors, as a YAML file. The same fields as a resource's `detectors`.

    detectors:
      - name: video-freeze
        alarmAfter: 5s
        settings: {noise: -55}
      - name: audio-loudness
        enabled: false

The models say what fields there are and of which type; whether names exist and values are in
range is asked of the catalogue, in `plan.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from streammonitor_api.errors import InputError
from streammonitor_api.plan import Adjustment
from streammonitor_api.resource.base import ResourceModel
from streammonitor_api.resource.detectors import DetectorEntry
from streammonitor_api.resource.problems import explain
from streammonitor_api.resource.profiles import settings_of
from streammonitor_api.texts import read_small_text

_MOST_MIB = 1
"""A profile that sets everything is under 10 kB; this is no profile."""


class Profile(ResourceModel):
    """A set of detector settings."""

    detectors: list[DetectorEntry]
    """One entry a detector; those that are not listed run with their defaults."""


def read_profile(path: Path) -> list[Adjustment]:
    """Read a profile; returns what it sets, in its order.

    Raises InputError that names the file, the line and the field.
    """
    text = read_small_text(path, "profile", most_mib=_MOST_MIB, advice="name a profile file")
    try:
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = "" if error.problem_mark is None else f":{error.problem_mark.line + 1}"
        raise InputError(f"{path}{line}: not valid YAML, {error.problem}; mend the file") from None
    except RecursionError:
        raise InputError(f"{path}: nested too deeply for a profile; mend the file") from None
    except (yaml.YAMLError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"{path}: not valid YAML, {reason}; mend the file") from None
    if not isinstance(data, dict) or tree is None:
        raise InputError(f'{path}: not a profile; write "detectors:" and a list of entries')
    return list(_adjustments(_Document(path, tree, data)))


class _Document:
    """A profile with the places of its fields."""

    def __init__(self, path: Path, tree: yaml.Node, data: dict[Any, Any]) -> None:
        self.path = path
        self.tree = tree
        self.data = data

    def where(self, *field: str | int) -> str:
        """Write a place as `file:7: detectors[video-freeze].settings.noise`."""
        return f"{self.path}:{self._line(field)}: {self._name(field)}".removesuffix(": ")

    def _line(self, field: tuple[str | int, ...]) -> int:
        """The line of a field, or of the closest thing around it that there is."""
        node, line = self.tree, self.tree.start_mark.line
        for step in field:
            if isinstance(node, yaml.SequenceNode) and isinstance(step, int):
                node = node.value[step]
                line = node.start_mark.line
                continue
            pairs = node.value if isinstance(node, yaml.MappingNode) else []
            found = [pair for pair in pairs if pair[0].value == step]
            if not found:
                break
            key, node = found[-1]
            line = key.start_mark.line
        return int(line) + 1

    def _name(self, field: tuple[str | int, ...]) -> str:
        """Entries are called by their detector's name, as in a resource, not by their number."""
        text = ""
        data: Any = self.data
        for step in field:
            inside = isinstance(data, list)
            data = data[step] if inside or step in data else {}
            if inside:
                text += f"[{data.get('name', step) if isinstance(data, dict) else step}]"
            else:
                text += f".{step}" if text else str(step)
        return text


def _adjustments(document: _Document) -> Iterator[Adjustment]:
    seen: set[str] = set()
    for index, entry in enumerate(_validated(document).detectors):
        at = ("detectors", index)
        if entry.name in seen:
            raise InputError(
                f"{document.where(*at)}: a second entry for {entry.name}; join the two"
            )
        seen.add(entry.name)
        for name, value in settings_of(entry):
            yield Adjustment(document.where(*at, *_place_of(entry, name)), entry.name, name, value)


def _place_of(entry: DetectorEntry, setting: str) -> tuple[str, ...]:
    """Where a setting is written; `enabled`, which need not be, is about the name."""
    if setting in entry.settings:
        return ("settings", setting)
    return ("name",) if setting == "enabled" else (setting,)


def _validated(document: _Document) -> Profile:
    try:
        return Profile.model_validate(document.data, by_alias=True, by_name=False)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise InputError(f"{_place(document, first)}: {explain(Profile, first)}") from None


def _place(document: _Document, problem: ErrorDetails) -> str:
    """Where it is; what pydantic adds to the path and the file does not have is left out."""
    field: list[str | int] = []
    data: Any = document.data
    for step in problem["loc"]:
        if isinstance(data, dict) and (step in data or problem["type"] == "missing"):
            data = data.get(step)
        elif isinstance(data, list) and isinstance(step, int):
            data = data[step]
        else:
            break
        field.append(step)
    return document.where(*field)
