"""Settings of detectors, as resources and profiles write them.

The models say what fields there are and of which type. Which detectors there are, and what each
one's settings may be, is asked of the catalogue; for the API server that becomes an enumeration,
typed settings and a rule for each range.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler, StrictBool, WithJsonSchema
from pydantic_core import CoreSchema

from streammonitor_api.catalogue import Catalogue, DetectorInfo, SettingInfo, SettingValue
from streammonitor_api.durations import BARE_NUMBER, PATTERN, parse_duration
from streammonitor_api.errors import InputError
from streammonitor_api.plan import LONGEST_S
from streammonitor_api.resource.base import ResourceModel
from streammonitor_api.resource.rules import CelRule, add_cel, cel_text

_LONGEST_TEXT = 24
"""Characters of a duration: every unit, with its digits."""

_TYPES = {"float": "number", "int": "integer", "bool": "boolean", "str": "string"}
"""What the catalogue's types are called in a schema."""


def _check_duration(value: object) -> str:
    text = str(value)
    if text != text.strip():
        raise ValueError(f'"{text}" begins or ends with a space; remove it')
    if len(text) > _LONGEST_TEXT:
        raise ValueError('this is not a duration; write one such as "2s"')
    try:
        seconds = parse_duration(text)
    except InputError as error:
        raise ValueError(str(error)) from None
    if seconds > LONGEST_S:
        raise ValueError(f'"{text}" is more than a day; write a shorter duration')
    return text


class _DurationSchema:
    """How the API server checks a duration, in the words of `durations.py`."""

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        shape, bare = cel_text(f"^(?:{PATTERN})$"), cel_text(f"^{BARE_NUMBER}$")
        written = "'\"' + self + '\""
        spelling: CelRule = {
            "rule": f"self != '' && self.matches({shape})",
            "message": 'write a duration such as "2s", "500ms" or "1m30s"',
            "messageExpression": f"self.matches({bare}) "
            f"? {written} has no unit; write a duration such as \"' + self + 's\"' "
            f': {written} is not a duration; write one such as "2s", "500ms" or "1m30s"\'',
        }
        length: CelRule = {
            "rule": f"!self.matches({shape}) || self == '' || duration(self) <= duration('24h')",
            "message": "more than a day; write a shorter duration",
        }
        schema = {"type": "string", "maxLength": _LONGEST_TEXT}
        return add_cel(schema, spelling, length)


Duration = Annotated[str, BeforeValidator(_check_duration), _DurationSchema()]
"""A duration such as "2s", at most a day; kept as written."""


def _check_scalar(value: object) -> object:
    if isinstance(value, float | int | str):
        return value
    raise ValueError("neither a number nor a text; write one of them")


def _drop_nulls(settings: object) -> object:
    """What is null counts as not written; whether there is such a setting is asked elsewhere."""
    if not isinstance(settings, dict):
        return settings
    return {name: value for name, value in settings.items() if value is not None}


Scalar = Annotated[SettingValue, BeforeValidator(_check_scalar), WithJsonSchema({"type": "number"})]


class DetectorEntry(ResourceModel):
    """Settings of one detector; what is absent keeps its default."""

    name: str
    """Name of the detector, such as video-freeze."""
    enabled: StrictBool = True
    """Whether it runs."""
    severity: Literal["warning", "critical"] | None = None
    """Severity of its incidents; the detector's own unless given."""
    alarm_after: Duration | None = None
    """How long a defect lasts before it is an incident, such as 2s; the detector's own unless
    given."""
    clear_after: Duration | None = None
    """How long the defect is away before the incident is closed, such as 1s; the detector's own
    unless given."""
    settings: Annotated[dict[str, Scalar], BeforeValidator(_drop_nulls)] = Field(
        default_factory=dict
    )
    """The detector's own settings; `streammonitor detectors` lists them with units and ranges.
    Those in seconds are numbers."""


def entry_schema(schema: dict[str, Any], known: Catalogue) -> dict[str, Any]:
    """Add what the catalogue knows to the schema of an entry."""
    properties = dict(schema["properties"])
    properties["name"] = {**properties["name"], "enum": list(known)}
    properties["settings"] = {
        "type": "object",
        "description": properties["settings"]["description"],
        "properties": {
            name: _setting_schema(owners) for name, owners in sorted(_owners(known).items())
        },
    }
    return add_cel({**schema, "properties": properties}, *_setting_rules(known))


Owners = list[tuple[DetectorInfo, SettingInfo]]


def _owners(known: Catalogue) -> dict[str, Owners]:
    """All settings by name, each with the detectors that have one of that name."""
    owners: dict[str, Owners] = {}
    for info in known.values():
        for setting in info.settings.values():
            owners.setdefault(setting.name, []).append((info, setting))
    return owners


def _setting_schema(owners: Owners) -> dict[str, Any]:
    types = {_TYPES[setting.type] for _, setting in owners}
    if types == {"integer", "number"}:
        types = {"number"}  # each detector's rule says the rest
    if len(types) > 1:
        name = owners[0][1].name
        raise ValueError(f'setting "{name}" has several types in the catalogue: {sorted(types)}')
    lines = (
        f"{info.name}: {setting.what}{f' ({setting.range})' if setting.range else ''}"
        for info, setting in owners
    )
    return {"type": types.pop(), "description": "; ".join(lines) + "."}


def _setting_rules(known: Catalogue) -> Iterator[CelRule]:
    for name, owners in sorted(_owners(known).items()):
        there = f"has(self.settings) && has(self.settings.{name})"
        names = [info.name for info, _ in owners]
        yield {
            "rule": f"!({there}) || self.name in {names!r}",
            "message": f'no such setting of this detector; "{name}" belongs to {", ".join(names)}',
            "fieldPath": f".settings.{name}",
        }
        for info, setting in owners:
            if condition := _range_condition(f"self.settings.{name}", setting, owners):
                yield {
                    "rule": f"self.name != {cel_text(info.name)} || !({there}) || {condition}",
                    "message": f"out of range; {name} of {info.name} is {_allowed(setting)}",
                    "fieldPath": f".settings.{name}",
                }


def _allowed(setting: SettingInfo) -> str:
    return f"a whole number, {setting.range}" if setting.type == "int" else setting.range


def _range_condition(value: str, setting: SettingInfo, owners: Owners) -> str:
    conditions = []
    mixed = len({one.type for _, one in owners}) > 1
    whole = setting.type == "int" and not mixed
    for sign, bound in ((">=", setting.minimum), ("<=", setting.maximum)):
        if bound is not None:
            number = str(int(bound)) if whole else repr(float(bound))
            conditions.append(f"{value} {sign} {number}")
    if setting.type == "int" and mixed:
        conditions.append(f"double(int({value})) == {value}")
    return f"({' && '.join(conditions)})" if conditions else ""
