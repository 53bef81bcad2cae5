"""All of a fleet tell the time by Redis' clock, whatever a machine's own shows."""

from __future__ import annotations

import pytest

from streammonitor_worker import fleetclock
from streammonitor_worker.engine.messages import ClockOrder, read_order, write_order
from streammonitor_worker.fleetclock import DRIFT_S, FleetClock
from streammonitor_worker.pipeline.pace import WALL_STEP_S, Pace


class Machine:
    """Stands for the module `time`: a machine whose time of day is an hour late."""

    def __init__(self) -> None:
        self.now = 50.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return 1_000_000.0 - 3600.0 + self.now


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine()
    monkeypatch.setattr(fleetclock, "time", machine)
    return machine


def test_clock_is_that_of_redis_as_soon_as_it_has_answered(machine: Machine) -> None:
    clock = FleetClock()
    assert clock.wall() == machine.time()

    assert clock.learn(49.0, 51.0, 1_000_050.0)

    machine.now = 60.0
    assert clock.wall() == 1_000_060.0


def test_step_of_the_machine_changes_nothing(machine: Machine) -> None:
    clock = FleetClock()
    clock.learn(50.0, 50.0, 1_000_050.0)
    before = clock.wall()

    machine.time = lambda: 0.0  # type: ignore[method-assign]

    assert clock.wall() == before


@pytest.mark.parametrize(
    ("waited_s", "off_s", "corrected"),
    [
        (0.0, DRIFT_S / 2, False),
        (0.0, 2 * DRIFT_S, True),
        (2.0, 0.9, False),
        (2.0, 1.1, True),
        (0.0, -10.0, True),
    ],
    ids=["rounding", "drift", "slow-answer", "step-behind-slow-answer", "step-back"],
)
@pytest.mark.usefixtures("machine")
def test_clock_follows_what_the_way_to_redis_does_not_explain(
    waited_s: float, off_s: float, corrected: bool
) -> None:
    clock = FleetClock()
    clock.learn(50.0, 50.0, 1_000_050.0)

    assert clock.learn(60.0, 60.0 + waited_s, 1_000_060.0 + waited_s / 2 + off_s) is corrected


def test_engines_are_told_the_time() -> None:
    order = ClockOrder(1_799_999_941.25)

    assert read_order(write_order(order)) == order


def test_stream_follows_a_step_of_the_wall_clock_and_no_noise() -> None:
    pace = Pace(1_000.0)

    pace.correct(1_000.0 + WALL_STEP_S / 2)
    assert pace.wall(5.0) == 1_005.0

    pace.correct(1_010.0)
    assert pace.wall(5.0) == 1_015.0
