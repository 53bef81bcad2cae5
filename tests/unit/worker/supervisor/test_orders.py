"""From a spec to an order: credentials are opened here and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest

from streammonitor_api.fidelity import Fidelity
from streammonitor_api.fleet.records import StreamSpec
from streammonitor_api.names import stream_key
from streammonitor_api.plan import resolve_plan
from streammonitor_api.sealing import Credentials, FleetKey, SealingError, generate_key
from streammonitor_worker.engine.messages import read_order, write_order
from streammonitor_worker.supervisor.orders import watch_order, without_credentials

STREAM = stream_key("prod", "sports", "one")
PLAN = resolve_plan(only=["video-black"])
KEY = FleetKey(generate_key())


def spec(url: str = "https://host/x.m3u8", **known: Any) -> StreamSpec:
    return StreamSpec(stream=STREAM, url=url, detectors=tuple(PLAN.values()), **known)


def sealed(**known: Any) -> str:
    return KEY.seal(Credentials(**known).as_json(), STREAM)


def test_plan_and_mode_are_passed_on() -> None:
    order = watch_order(spec(mode=Fidelity.ADAPTIVE, renditions="lowest"), None)

    assert dict(order.plan) == dict(PLAN)
    assert order.fidelity is Fidelity.ADAPTIVE
    assert order.renditions == "lowest"


def test_engine_is_told_how_far_back_to_begin() -> None:
    order = watch_order(spec(), None, 11.5)

    assert read_order(write_order(order)) == order
    assert order.join_s == 11.5


def test_user_and_password_go_into_the_address() -> None:
    credentials = sealed(username="a@b", password="p/w:x")  # noqa: S106

    order = watch_order(spec(credentials=credentials), KEY)

    assert order.url == "https://a%40b:p%2Fw%3Ax@host/x.m3u8"


def test_header_and_query_go_beside_an_http_address() -> None:
    credentials = sealed(header=("Authorization", "Bearer t"), query="token=1")

    order = watch_order(spec(credentials=credentials), KEY)

    assert order.url == "https://host/x.m3u8"
    assert order.headers == (("Authorization", "Bearer t"),)
    assert order.query == "token=1"


def test_query_goes_into_an_address_of_another_protocol() -> None:
    order = watch_order(spec("rtmp://host/app?a=1", credentials=sealed(query="token=1")), KEY)

    assert (order.url, order.query) == ("rtmp://host/app?a=1&token=1", "")


def test_missing_key_is_told_with_what_to_do() -> None:
    with pytest.raises(SealingError, match="STREAMMONITOR_FLEET_KEY"):
        watch_order(spec(credentials=sealed(query="token=1")), None)


def test_other_key_does_not_open_and_the_stream_is_watched_without() -> None:
    known = spec(credentials=sealed(query="token=1"))

    with pytest.raises(SealingError, match="fleet key"):
        watch_order(known, FleetKey(generate_key()))

    assert without_credentials(known).url == "https://host/x.m3u8"
