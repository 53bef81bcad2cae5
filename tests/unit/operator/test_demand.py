"""Workers wanted: right at nothing, at the edges, and never no number."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streammonitor_api.errors import InputError
from streammonitor_api.fidelity import Fidelity
from streammonitor_api.fleet.records import FleetSeen, Heartbeat, StreamRow, WorkerSeen
from streammonitor_api.names import Epoch, Incarnation, StreamKey, WorkerId
from streammonitor_operator.demand import Demand, demand_of, mean_capacity, workers_wanted
from streammonitor_operator.inventory import Inventory, Wanted, monitor_of
from streammonitor_operator.settings import OperatorSettings
from streammonitor_operator.state import State
from streammonitor_operator.weights import (
    DEFAULT_CORES,
    FEW,
    MANY,
    Usual,
    Usuals,
    Weight,
    estimate_cores,
    weight_of,
)
from tests.support.fleet_contract import a_spec


def a_state(streams: int, *beats: Heartbeat) -> State:
    state = State(Inventory())
    workers = {beat.worker: WorkerSeen(beat, 1000) for beat in beats}
    state.roster.look(FleetSeen(1000, workers, {}))
    for number in range(streams):
        stream = StreamKey(f"prod/sports/ch{number}")
        spec = a_spec(stream)
        state.want(stream, Wanted(spec, spec.revision, monitor_of(stream)), 1000)
    return state


def a_beat(name: str, capacity_cores: float = 2.0, *, draining: bool = False) -> Heartbeat:
    return Heartbeat(
        worker=WorkerId(name),
        incarnation=Incarnation(f"of-{name}"),
        capacity_cores=capacity_cores,
        ready=not draining,
        draining=draining,
    )


def demand(state: State) -> Demand:
    return demand_of(state, head_room=1.2, fallback_cores=2.0)


@pytest.mark.parametrize(
    ("cores", "capacity", "head_room", "wanted"),
    [
        pytest.param(0.0, 2.0, 1.2, 0, id="nothing"),
        pytest.param(0.001, 16.0, 1.0, 1, id="almost nothing"),
        pytest.param(2.0, 2.0, 1.0, 1, id="exactly one"),
        pytest.param(sum([0.2] * 6), 1.2, 1.0, 1, id="one but for rounding"),
        pytest.param(10.0, 2.0, 1.2, 6, id="head-room"),
        pytest.param(10.1, 2.0, 1.2, 7, id="rounded up"),
    ],
)
def test_workers_wanted(cores: float, capacity: float, head_room: float, wanted: int) -> None:
    assert workers_wanted(cores, capacity, head_room) == wanted


@given(st.floats(0, 1e6), st.floats(0.01, 1e3), st.floats(1, 10))
def test_workers_wanted_suffice_and_are_finite(
    cores: float, capacity: float, head_room: float
) -> None:
    wanted = workers_wanted(cores, capacity, head_room)

    needed = cores * head_room / capacity
    assert needed * (1 - 1e-6) <= wanted <= needed + 1


def test_capacity_is_the_mean_or_the_fallback() -> None:
    assert mean_capacity([2.0, 4.0], 8.0) == 3.0
    assert mean_capacity([], 8.0) == 8.0


def test_nothing_at_all() -> None:
    answer = demand(a_state(0))

    assert answer == Demand(0, 0.0, 0.0, 2.0, 1.2, 0, 0, 0)
    assert all(math.isfinite(one) for one in answer.as_json().values())
    json.dumps(answer.as_json(), allow_nan=False)


def test_streams_without_workers_call_for_some() -> None:
    assert demand(a_state(20)).workers_wanted == math.ceil(20 * DEFAULT_CORES / 2.0 * 1.2)


def test_workers_without_streams_are_not_wanted() -> None:
    answer = demand(a_state(0, a_beat("a"), a_beat("b")))

    assert (answer.workers_wanted, answer.workers, answer.capacity_cores) == (0, 2, 4.0)


def test_draining_workers_do_not_count_as_capacity() -> None:
    answer = demand(a_state(10, a_beat("a", 4.0), a_beat("b", 1.0, draining=True)))

    assert (answer.workers, answer.draining, answer.capacity_cores) == (1, 1, 4.0)
    assert answer.worker_capacity_cores == 4.0


def test_worker_that_says_it_can_give_nothing_does_no_harm() -> None:
    answer = demand(a_state(10, a_beat("a", 0.0)))

    assert (answer.capacity_cores, answer.worker_capacity_cores) == (0.0, 2.0)
    assert answer.workers_wanted == 2


def test_streams_that_are_not_wanted_any_more_do_not_count() -> None:
    state = a_state(10)
    for stream in list(state.wanted)[2:]:
        state.unwant(stream, 2000)

    assert demand(state).demand_cores == pytest.approx(2 * DEFAULT_CORES)
    state.unwant(StreamKey("prod/sports/ch0"), 2000)
    state.unwant(StreamKey("prod/sports/ch1"), 2000)
    assert demand(state).workers_wanted == 0


def a_row(
    weight: float | None, fidelity: Fidelity = Fidelity.FULL, pixel_rate: float | None = None
) -> StreamRow:
    return StreamRow(
        stream=a_spec().stream,
        epoch=Epoch(1),
        state="watching",
        weight_cores=weight,
        fidelity=fidelity,
        pixel_rate=pixel_rate,
    )


LOWERED = Fidelity.KEYFRAMES
UHD = 3840.0 * 2160 * 60


@pytest.mark.parametrize(
    ("row", "known", "cores"),
    [
        pytest.param(None, None, DEFAULT_CORES, id="never opened"),
        pytest.param(None, 0.7, 0.7, id="measured before"),
        pytest.param(a_row(None), 0.7, 0.7, id="not measured again yet"),
        pytest.param(a_row(None, pixel_rate=UHD), 0.7, 0.7, id="opened elsewhere"),
        pytest.param(a_row(0.5), 0.2, 0.5, id="measured"),
        pytest.param(a_row(0.21), 0.2, 0.2, id="hardly different"),
        pytest.param(a_row(math.nan), 0.7, 0.7, id="no number"),
        pytest.param(a_row(None, pixel_rate=UHD), None, 1.61, id="estimated by its size"),
        pytest.param(a_row(0.03, LOWERED), 0.5, 0.5, id="lowered, known in full"),
        pytest.param(a_row(0.03, LOWERED), None, DEFAULT_CORES, id="lowered, never in full"),
        pytest.param(a_row(0.8, LOWERED), 0.2, 0.8, id="lowered, told in full"),
    ],
)
def test_cost_of_a_stream(row: StreamRow | None, known: float | None, cores: float) -> None:
    before = None if known is None else Weight(known, is_measured=True)

    assert weight_of(a_spec(), row, before, Usual()).cores == pytest.approx(cores)


def test_measurement_replaces_an_estimate_and_no_estimate_a_measurement() -> None:
    spec, opened = a_spec(), a_row(None, pixel_rate=UHD)

    estimated = weight_of(spec, opened, None, Usual())
    measured = weight_of(spec, a_row(0.9, pixel_rate=UHD), estimated, Usual())

    assert (estimated.is_measured, measured) == (False, Weight(0.9, is_measured=True))
    assert weight_of(spec, opened, measured, Usual()) == measured


def test_new_streams_are_judged_by_those_that_were_measured() -> None:
    """Small ones on a fast processor: ten times as many are expected to cost ten times as much."""
    usuals, spec, rate = Usuals(), a_spec(), 640.0 * 360 * 25
    for number in range(FEW):
        expected = weight_of(spec, None, None, usuals.of(spec))
        assert expected == Weight(DEFAULT_CORES), f"{number} measured are too few"
        usuals.learn(spec, 0.02, a_row(0.02, pixel_rate=rate))

    usual = usuals.of(spec)
    assert weight_of(spec, None, None, usual).cores == pytest.approx(0.02)
    opened = weight_of(spec, a_row(None, pixel_rate=rate), None, usual)
    assert opened.cores == pytest.approx(0.02)
    larger = weight_of(spec, a_row(None, pixel_rate=UHD), None, usual)
    assert larger.cores == pytest.approx(0.02 * estimate_cores(UHD) / estimate_cores(rate))
    lowered = replace(spec, mode=Fidelity.KEYFRAMES)
    assert weight_of(lowered, None, None, usuals.of(lowered)).cores < DEFAULT_CORES


def test_what_is_usual_changes_with_the_streams() -> None:
    usual = Usual()
    for cores in [0.1] * 10 * MANY + [0.4] * 10 * MANY:
        usual.learn(cores, 1e6)

    assert usual.mean_cores == pytest.approx(0.4, rel=0.01)


def test_estimate_follows_the_pixels() -> None:
    assert estimate_cores(1920 * 1080 * 30) == pytest.approx(0.21)
    assert estimate_cores(3840 * 2160 * 60) == pytest.approx(1.61)
    assert estimate_cores(0) == 0.01
    assert estimate_cores(math.nan) == DEFAULT_CORES


@pytest.mark.parametrize(
    "wrong",
    [{"head_room": 0.5}, {"worker_capacity_cores": 0.0}, {"port": 70_000}],
    ids=lambda one: next(iter(one)),
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match="write"):
        OperatorSettings(identity="x", name="y", **wrong)  # type: ignore[arg-type]
