"""On whatever is written, the models and the API server agree: random resources, judged by both."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from streammonitor_api.catalogue import catalogue
from streammonitor_api.resource import ResourceError, parse_monitor
from streammonitor_api.resource.profiles import PROFILES
from tests.kubernetes.test_resource import try_to_create
from tests.support.apiserver import ApiServer
from tests.support.resources import a_monitor, a_stream

EXAMPLES = 100
"""Of each test; 1,500 of each were tried when this was written."""

_ADDRESS = (
    "://", "//", "/", "@", ":", "[", "]", "::1", "a", "host", "user", "1", "5000", "65535",
    "65536", "?", "#", "%20", "é", " ", "\t", "\\", "..",
)  # fmt: skip
_DURATION = ("1", "2", "0", ".", "h", "m", "s", "ms", " ", "-", "24", "1.5", "86400", "é", "٢")


def joined(parts: tuple[str, ...], most: int) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(parts), max_size=most).map("".join)


addresses = st.builds(
    lambda scheme, rest: scheme + rest,
    st.sampled_from(
        ("http://", "https://", "HTTP://", "udp://", "rtsp://", "tcp://", "file://", "")
    ),
    joined(_ADDRESS, 6),
)
numbers = (
    st.integers(-200, 1000) | st.floats(-200, 1000) | st.sampled_from((0.5, 1, 1.0, 3.0, -60, 480))
)
entries = st.fixed_dictionaries(
    {"name": st.sampled_from(tuple(catalogue()))},
    optional={
        "enabled": st.booleans() | st.none(),
        "alarmAfter": joined(_DURATION, 4),
        "settings": st.dictionaries(
            st.sampled_from(("share", "level", "run", "gap", "failures", "drift", "target", "x")),
            numbers | st.none(),
            max_size=2,
        ),
    },
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers(-2000, 2000) | numbers | st.text("aA-. é", max_size=4),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(("name", "url", "key", "x")), inner, max_size=2)
    ),
    max_leaves=4,
)


def assert_agreed(server: ApiServer, resource: dict[str, Any]) -> None:
    answer, told = try_to_create(server, resource), ""
    try:
        parse_monitor(resource)
    except ResourceError as error:
        told = str(error)
    assert answer.accepted == (not told), f"{answer.message} / {told}"


@settings(max_examples=EXAMPLES)
@given(url=addresses)
def test_addresses_are_judged_alike(apiserver: ApiServer, url: str) -> None:
    assert_agreed(apiserver, a_monitor(streams=[a_stream(url=url)]))


@settings(max_examples=EXAMPLES)
@given(profile=st.sampled_from(PROFILES), detectors=st.lists(entries, max_size=3))
def test_detectors_are_judged_alike(
    apiserver: ApiServer, profile: str, detectors: list[dict[str, Any]]
) -> None:
    assert_agreed(apiserver, a_monitor(profile=profile, detectors=detectors))


@settings(max_examples=EXAMPLES)
@given(profile=st.sampled_from(PROFILES), kept=st.sets(st.sampled_from(tuple(catalogue()))))
def test_what_is_left_to_run_is_judged_alike(
    apiserver: ApiServer, profile: str, kept: set[str]
) -> None:
    entries = [{"name": name, "enabled": False} for name in catalogue() if name not in kept]

    assert_agreed(apiserver, a_monitor(profile=profile, detectors=entries))


@settings(max_examples=EXAMPLES)
@given(
    place=st.sampled_from(
        (
            ("streams",), ("streams", 0), ("streams", 0, "name"), ("streams", 0, "renditions"),
            ("streams", 0, "credentialsSecretRef"), ("detectors",), ("detectors", 0),
            ("detectors", 0, "severity"), ("detectors", 0, "settings"), ("profile",), ("analysis",),
            ("analysis", "priority"), ("notify",), ("notify", 0), ("notify", 0, "webhook"),
            ("suspend",), ("unknown",),
        )
    ),
    value=anything,
)  # fmt: skip
def test_any_value_anywhere_is_judged_alike(
    apiserver: ApiServer, place: tuple[Any, ...], value: object
) -> None:
    resource = copy.deepcopy(
        a_monitor(
            detectors=[{"name": "video-black"}],
            analysis={"priority": 1},
            notify=[{"name": "a", "webhook": {"url": "https://a"}}],
        )
    )
    found: Any = resource["spec"]
    for step in place[:-1]:
        found = found[step]
    found[place[-1]] = value

    assert_agreed(apiserver, resource)
