"""Rules that a schema cannot express, each written once for the API server and for the models.

A rule is CEL for the API server, a predicate for Python, and one text that says what to write
instead; tests run both over the same table of resources. Texts are judged by regular expressions
that mean the same in RE2 and in Python: no look-around, no `$` where a text may end with a
line feed.

CEL and not `pattern` wherever a value may hold a secret: the API server repeats a value that does
not match its pattern in its answer, and so in logs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

CelRule = dict[str, str]
"""An entry of `x-kubernetes-validations`."""


def cel_text(text: str) -> str:
    """Write a text as a CEL literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


@dataclass(frozen=True)
class TextRule:
    """How a text has to begin, or, where `forbidden`, must not. To stand in `Annotated`.

    What rules cost the API server grows with the text times the expression, and all rules on a
    resource share a budget. So one may look `at_host` only, which is what stands between the
    second and the third slash of an address, or only where the text holds `containing`.
    """

    pattern: str
    message: str
    forbidden: bool = False
    at_host: bool = False
    containing: str = ""

    def holds(self, text: str) -> bool:
        if self.containing not in text:
            return True
        if self.at_host:
            parts = text.split("/", 3)
            if len(parts) < 3:
                return True
            text = parts[2]
        return bool(re.match(self.pattern, text, re.ASCII)) != self.forbidden

    @property
    def cel(self) -> CelRule:
        looked_at = "self.split('/', 4)[2]" if self.at_host else "self"
        sign = "!" if self.forbidden else ""
        rule = f"{sign}{looked_at}.matches({cel_text(f'^{self.pattern}')})"
        if self.at_host:
            rule = f"self.split('/', 4).size() < 3 || {rule}"
        if self.containing:
            rule = f"!self.contains({cel_text(self.containing)}) || {rule}"
        return {"rule": rule, "message": self.message}

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        def check(text: str) -> str:
            if not self.holds(text):
                # Braces are pydantic's; there are none in our texts.
                raise PydanticCustomError("rule", "{message}", {"message": self.message})
            return text

        return core_schema.no_info_after_validator_function(check, handler(source))

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return add_cel(handler(core), self.cel)


@dataclass(frozen=True)
class ObjectRule:
    """What has to hold between the fields of an object.

    `holds` is asked with the object as it was written; it may raise KeyError, TypeError or
    AttributeError where the object is malformed, which is told elsewhere. `field` is where the
    mistake is shown, under the object.
    """

    cel_rule: str
    message: str
    holds: Callable[[Mapping[str, Any]], bool]
    field: str = ""

    @property
    def cel(self) -> CelRule:
        rule = {"rule": self.cel_rule, "message": self.message}
        return {**rule, "fieldPath": f".{self.field}"} if self.field else rule

    def is_broken(self, written: object) -> bool:
        if not isinstance(written, Mapping):
            return False
        try:
            return not self.holds(written)
        except (KeyError, TypeError, AttributeError):
            return False


def add_cel(schema: dict[str, Any], *rules: CelRule) -> dict[str, Any]:
    """Add rules to a schema, behind those that it has."""
    return {
        **schema,
        "x-kubernetes-validations": [*schema.get("x-kubernetes-validations", ()), *rules],
    }
