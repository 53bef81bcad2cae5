"""What may be said about a defect, and whether it makes sense: checked before anything is made."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from streammonitor_api.errors import InputError, suggestion
from streammonitor_worker.synth.recipe import Injection, Option


@dataclass(frozen=True)
class Rule:
    """An option of a defect: its default, whose type it has, and what is allowed.

    words: all that are allowed, for text. minimum and maximum are inclusive, for numbers.
    """

    default: Option
    words: tuple[str, ...] = ()
    minimum: float = -math.inf
    maximum: float = math.inf


Rules = Mapping[str, Rule]


def complete(injection: Injection, rules: Rules) -> dict[str, Option]:
    """Give an injection's options with the defaults of those that it does not have.

    Raises InputError for an option that there is not, or a value that is not allowed.
    """
    for name, value in injection.options.items():
        if name not in rules:
            hint = suggestion(name, rules) if rules else "it has none"
            raise InputError(f'inject {injection}: no option "{name}"; {hint}')
        problem = _problem(value, rules[name])
        if problem:
            raise InputError(f'inject {injection}: {name} is "{value}"; {problem}')
    return {name: injection.options.get(name, rule.default) for name, rule in rules.items()}


def _problem(value: Option, rule: Rule) -> str | None:
    """Say what should be used instead; None if the value is fine."""
    if isinstance(rule.default, str):
        return None if value in rule.words else suggestion(str(value), rule.words)
    whole = isinstance(rule.default, int)
    if isinstance(value, str) or (whole and not isinstance(value, int)):
        return f"use a {'whole ' if whole else ''}number"
    if not (math.isfinite(value) and rule.minimum <= value <= rule.maximum):
        return f"use {rule.minimum:g} to {rule.maximum:g}"
    return None
