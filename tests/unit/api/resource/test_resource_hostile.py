"""Whatever is written into a resource, it is taken or told, and told in words."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from streammonitor_api.resource import ResourceError, parse_monitor
from streammonitor_operator.specs import read_resource
from tests.support.resources import a_monitor, a_stream

WHOLE = a_monitor(
    streams=[
        a_stream("a", credentialsSecretRef={"name": "x"}, renditions="all"),
        a_stream("b"),
    ],
    profile="VideoOnly",
    detectors=[{"name": "video-black", "alarmAfter": "2s", "settings": {"share": 0.9}}],
    analysis={"mode": "Full", "priority": 1},
    notify=[
        {"name": "n", "webhook": {"url": "https://a", "signingKeySecretRef": {"name": "x"}}},
        {"name": "m", "alertmanager": {"url": "https://a"}},
    ],
    suspend=False,
)
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)
)
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3)
    ),
    max_leaves=6,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """All paths into a document."""
    children: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        children = list(value.items())
    elif isinstance(value, list):
        children = list(enumerate(value))
    found = [path] if path else []
    for key, child in children:
        found += places(child, (*path, key))
    return found


PLACES = places(WHOLE)


def problems(document: object) -> list[str]:
    """What is told of a document; nothing if it is taken."""
    try:
        parse_monitor(document)
    except ResourceError as error:
        return [str(problem) for problem in error.problems]
    return []


@settings(max_examples=400)
@given(place=st.sampled_from(PLACES), value=JSON)
def test_any_value_anywhere_is_taken_or_told(place: tuple[Any, ...], value: Any) -> None:
    document = copy.deepcopy(WHOLE)
    found: Any = document
    for step in place[:-1]:
        found = found[step]
    found[place[-1]] = value

    told = problems(document)

    assert all("\n" not in text and "; " in text for text in told), told
    read_resource(document)


@given(document=JSON)
def test_what_is_no_monitor_at_all_is_told(document: Any) -> None:
    assert problems(document)


@given(key=SCALARS, value=SCALARS)
def test_keys_that_are_no_texts_are_told(key: Any, value: Any) -> None:
    document = copy.deepcopy(WHOLE)
    document["spec"]["detectors"][0]["settings"] = {key: value}
    document["spec"][key] = value

    read_resource(document)
