"""What is wrong with a resource, in the words of the person who wrote it.

pydantic finds most of it; here its findings become `spec.streams[3].url: what is wrong; what to
write`. No text repeats the value of an address, which may hold a secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from streammonitor_api.errors import InputError, suggestion

Path = tuple[str | int, ...]

_MISTAKES = {
    "bool_type": "neither true nor false; write one of them",
    "dict_type": "not a mapping; write NAME: VALUE",
    "int_type": "not a whole number; write one, without quotation marks",
    "invalid_key": "a name is a text; put it in quotation marks",
    "list_type": "not a list; write one entry a line, each beginning with a dash",
    "missing": "missing; add it",
    "model_type": "not a mapping; write NAME: VALUE",
    "string_too_short": "empty; write a value",
    "string_type": "not a text; write it in quotation marks",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: where, and what to do."""

    path: Path
    text: str

    def __str__(self) -> str:
        """One line, whatever it quotes."""
        told = f"{write_path(self.path)}: {self.text}" if self.path else self.text
        return "".join(letter if letter.isprintable() else "?" for letter in told)


class ResourceError(InputError):
    """A resource is not valid; `problems` lists everything that is wrong with it."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(map(str, self.problems)))


def write_path(path: Path) -> str:
    """Write a path as `kubectl` does: `spec.streams[3].url`."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return "".join(steps).removeprefix(".")


def problems_of(model: type[BaseModel], error: ValidationError) -> Iterator[Problem]:
    """Put what pydantic found into words."""
    for details in error.errors(include_url=False, include_input=True):
        yield Problem(_written_path(model, details), explain(model, details))


def explain(model: type[BaseModel], details: ErrorDetails) -> str:
    """Say what is wrong and what to write, for one finding."""
    kind, value, context = details["type"], details["input"], details.get("ctx", {})
    match kind:
        case "extra_forbidden":
            known = _fields(_model_at(model, details["loc"][:-1]) or model)
            return f"no such field; {suggestion(str(details['loc'][-1]), known)}"
        case "value_error":
            return str(context["error"])
        case "rule":
            return details["msg"]
        case "literal_error":
            return _not_one_of(details)
        case "string_pattern_mismatch":
            return _pattern(str(value), str(context["pattern"]))
        case "string_too_long":
            return f"longer than {context['max_length']} characters; shorten it"
        case "too_long":
            return f"at most {context['max_length']} entries, {_counted(value)} are here; {_SPLIT}"
        case "too_short":
            return "an empty list; write at least one entry"
        case "greater_than_equal" | "less_than_equal":
            sign = "at least" if kind == "greater_than_equal" else "at most"
            bound = context["ge" if kind == "greater_than_equal" else "le"]
            return f"{value} is out of range; write {sign} {bound}"
    return _MISTAKES.get(kind, f"{details['msg']}; see the documentation of this field")


def _counted(value: object) -> int:
    """pydantic stops counting at the first one too many."""
    return len(value) if isinstance(value, list) else 0


_SPLIT = "move the others to a further StreamMonitor"


def _not_one_of(details: ErrorDetails) -> str:
    value = str(details["input"])
    field = details["loc"][-1]
    allowed = re.findall(r"'([^']*)'", details.get("ctx", {})["expected"])
    return f'no {field} "{value}"; {suggestion(value, allowed)}'


def _pattern(value: str, pattern: str) -> str:
    dots = "\\." in pattern
    allowed = (
        "small letters, digits, dashes and dots" if dots else "small letters, digits and dashes"
    )
    if "A-Z" in pattern:
        return f'"{value}" is not a key; write letters, digits, dashes, dots and underscores'
    better = re.sub(r"[^a-z0-9]+", "-", value.lower()).strip("-")[:63].strip("-") or "news-1"
    return f'"{value}" is not a name; write {allowed}, such as "{better}"'


def _fields(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_at(model: type[BaseModel], path: Iterable[str | int]) -> type[BaseModel] | None:
    """The model of what is at a path, if it has one."""
    found: Any = model
    for step in path:
        if isinstance(step, int):
            found = next(iter(get_args(found)), None)
        elif isinstance(found, type) and issubclass(found, BaseModel):
            field = next((one for one in found.model_fields.values() if one.alias == step), None)
            found = None if field is None else field.annotation
        if get_origin(found) in (Union, UnionType):
            found = next(one for one in get_args(found) if one is not type(None))
    return found if isinstance(found, type) and issubclass(found, BaseModel) else None


def _written_path(model: type[BaseModel], details: ErrorDetails) -> Path:
    """Without what pydantic adds to tell the keys of a mapping from its values."""
    return tuple(step for step in details["loc"] if step != "[key]")


def duplicates(entries: object, key: str = "name") -> Iterator[tuple[int, str]]:
    """Entries of a list-map that repeat a key: their position and the key."""
    seen: set[str] = set()
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        value = entry.get(key) if isinstance(entry, Mapping) else None
        if isinstance(value, str):
            if value in seen:
                yield index, value
            seen.add(value)
