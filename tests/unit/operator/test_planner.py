"""What the planner promises, for any fleet: nobody goes without, nobody moves for nothing."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streammonitor_api.names import StreamKey, WorkerId
from streammonitor_operator.placement import Placement, Standing
from streammonitor_operator.planner import (
    LOW_WATER,
    TOLERANCE,
    Limits,
    empty_leaving,
    place_streams,
    rebalance,
)

NO_LIMIT = Limits(moves=1_000_000)

weights = st.floats(0.0, 40.0, allow_nan=False)
capacities = st.floats(0.1, 128.0, allow_nan=False)
standings = st.sampled_from(Standing)


def worker(number: int) -> WorkerId:
    return WorkerId(f"worker-{number}")


def stream(number: int) -> StreamKey:
    return StreamKey(f"prod/monitor/stream-{number:04}")


def a_fleet(
    streams: list[float], workers: list[float], priorities: list[int] | None = None
) -> Placement:
    placement = Placement()
    for number, capacity in enumerate(workers):
        placement.put_worker(worker(number), capacity)
    for number, weight in enumerate(streams):
        placement.put_stream(stream(number), weight, priorities[number] if priorities else 0)
    return placement


def place_all(placement: Placement) -> None:
    for seating in place_streams(placement, placement.unplaced):
        placement.sit(*seating)


def where(placement: Placement) -> dict[StreamKey, WorkerId | None]:
    return {one: placement[one].worker for one in placement}


def fullest_to_mean(placement: Placement) -> float:
    seats = [seat for seat in placement.seats.values() if seat.standing is Standing.OPEN]
    mean = sum(seat.load_cores for seat in seats) / sum(seat.capacity_cores for seat in seats)
    return max(seat.relative_load for seat in seats) / mean


@given(st.lists(weights, max_size=60), st.lists(st.tuples(capacities, standings), min_size=1))
def test_no_stream_goes_without_while_any_worker_lives(
    streams: list[float], workers: list[tuple[float, Standing]]
) -> None:
    placement = a_fleet(streams, [capacity for capacity, _ in workers])
    for number, (capacity, standing) in enumerate(workers):
        placement.put_worker(worker(number), capacity, standing)

    place_all(placement)

    assert placement.unplaced == ()
    best = min(standing for _, standing in workers)
    for seat in placement.seats.values():
        assert seat.standing is best or not seat.streams


def test_nothing_is_placed_without_workers() -> None:
    placement = a_fleet([1.0, 2.0], [])

    assert place_streams(placement, placement.unplaced) == []
    assert rebalance(placement, NO_LIMIT) == []
    assert empty_leaving(placement, NO_LIMIT) == []


@given(st.lists(weights, min_size=1, max_size=60), st.lists(capacities, min_size=2, max_size=8))
def test_survivors_keep_their_streams_when_a_worker_dies(
    streams: list[float], workers: list[float]
) -> None:
    placement = a_fleet(streams, workers)
    place_all(placement)
    before = where(placement)

    orphans = placement.drop_worker(worker(0))
    place_all(placement)

    after = where(placement)
    assert placement.unplaced == ()
    assert all(after[one] == before[one] for one in before if one not in orphans)


@given(
    st.lists(weights, min_size=1, max_size=60),
    st.lists(capacities, min_size=1, max_size=8),
    st.lists(capacities, max_size=3),
)
def test_rebalance_ends_and_moves_no_stream_twice(
    streams: list[float], workers: list[float], newcomers: list[float]
) -> None:
    placement = a_fleet(streams, workers)
    place_all(placement)
    for number, capacity in enumerate(newcomers):
        placement.put_worker(worker(100 + number), capacity)

    rounds = 0
    before = where(placement)
    while moves := rebalance(placement, NO_LIMIT):
        rounds += 1
        assert len({move.stream for move in moves}) == len(moves)
        for move in moves:
            assert placement[move.stream].worker != move.worker
            placement.sit(*move)
        assert rounds <= 20
    assert set(where(placement)) == set(before)


@given(st.lists(weights, min_size=1, max_size=40), st.lists(capacities, min_size=2, max_size=6))
def test_rebalance_never_raises_the_fullest(streams: list[float], workers: list[float]) -> None:
    placement = a_fleet(streams, workers)
    for one in placement.unplaced:
        placement.sit(one, worker(0))
    before = fullest_to_mean(placement)

    for move in rebalance(placement, NO_LIMIT):
        placement.sit(*move)

    assert fullest_to_mean(placement) <= before * (1 + 1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_log_normal_weights_end_within_two_percent(seed: int) -> None:
    dice = random.Random(seed)
    streams = [dice.lognormvariate(-1.6, 0.8) for _ in range(2000)]
    fair = sum(streams) / 20
    placement = a_fleet([min(one, fair) for one in streams], [8.0] * 20)

    place_all(placement)

    assert fullest_to_mean(placement) <= 1.02


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("spread", [0.0, 0.8], ids=["equal", "log-normal"])
def test_one_worker_more_moves_less_than_a_full_rebalance(seed: int, spread: float) -> None:
    dice = random.Random(seed)
    placement = a_fleet([dice.lognormvariate(-1.6, spread) for _ in range(1000)], [8.0] * 10)
    place_all(placement)

    placement.put_worker(worker(10), 8.0)
    moves = rebalance(placement, NO_LIMIT)

    assert 0 < len(moves) <= 0.0501 * 1000
    assert all(move.worker == worker(10) for move in moves)
    for move in moves:
        placement.sit(*move)
    assert fullest_to_mean(placement) <= 1 + TOLERANCE + 1e-9
    assert rebalance(placement, NO_LIMIT) == []


def test_newcomer_of_a_large_fleet_gets_work() -> None:
    placement = a_fleet([0.2] * 4000, [4.0] * 100)
    place_all(placement)

    placement.put_worker(worker(100), 4.0)
    moves = rebalance(placement, NO_LIMIT)

    share = sum(placement[move.stream].weight_cores for move in moves)
    mean = 800.0 / 101
    assert share == pytest.approx(mean * LOW_WATER, rel=0.05)


def test_even_as_weights_allow_stays() -> None:
    placement = a_fleet([1.0, 1.0, 1.0], [8.0, 8.0])
    place_all(placement)

    assert rebalance(placement, NO_LIMIT) == []


def test_too_heavy_for_a_small_worker_moves_to_a_large_one() -> None:
    placement = a_fleet([3.0, 0.5, 0.5], [1.0, 16.0])
    for one in placement.unplaced:
        placement.sit(one, worker(0))

    moves = rebalance(placement, NO_LIMIT)

    assert (stream(0), worker(1)) in moves


@given(st.lists(weights, min_size=1, max_size=40), st.integers(0, 10), st.integers(1, 4))
def test_draining_respects_limits(streams: list[float], moves: int, arrivals: int) -> None:
    placement = a_fleet(streams, [4.0, 4.0, 4.0])
    for one in placement.unplaced:
        placement.sit(one, worker(0))
    placement.put_worker(worker(0), 4.0, Standing.LEAVING)

    seatings = empty_leaving(placement, Limits(moves, lambda _: arrivals))

    assert len(seatings) == min(moves, len(streams), 2 * arrivals)
    for number in (1, 2):
        assert sum(one.worker == worker(number) for one in seatings) <= arrivals


def test_most_important_leave_a_draining_worker_first() -> None:
    placement = a_fleet([1.0] * 4, [4.0, 4.0], priorities=[0, 7, 3, 9])
    for one in placement.unplaced:
        placement.sit(one, worker(0))
    placement.put_worker(worker(0), 4.0, Standing.LEAVING)

    seatings = empty_leaving(placement, Limits(2))

    assert [one.stream for one in seatings] == [stream(3), stream(1)]


@given(st.integers(0, 30))
def test_rebalance_respects_limits(allowed: int) -> None:
    placement = a_fleet([0.1] * 200, [8.0] * 4)
    for one in placement.unplaced:
        placement.sit(one, worker(0))
    frozen = {stream(number) for number in range(0, 200, 2)}

    moves = rebalance(placement, Limits(allowed, lambda _: 3, lambda one: one not in frozen))

    assert len(moves) == min(allowed, 9)
    assert not {move.stream for move in moves} & frozen


def test_avoided_worker_is_chosen_only_without_others() -> None:
    placement = a_fleet([1.0, 1.0, 1.0], [8.0, 8.0])
    avoided = {one: {worker(0)} for one in placement.unplaced}

    assert {one.worker for one in place_streams(placement, placement.unplaced, avoided)} == {
        worker(1)
    }

    placement.drop_worker(worker(1))
    assert {one.worker for one in place_streams(placement, placement.unplaced, avoided)} == {
        worker(0)
    }


def test_overload_spreads_important_streams_evenly() -> None:
    priorities = [10] * 8 + [0] * 8
    placement = a_fleet([1.0] * 8 + [2.0] * 8, [2.0] * 4, priorities=priorities)

    place_all(placement)

    for seat in placement.seats.values():
        assert sum(placement[one].priority == 10 for one in seat.streams) == 2


def test_overload_that_comes_later_spreads_important_streams_too() -> None:
    placement = a_fleet([1.0] * 8, [2.0, 2.0], priorities=[10] * 4 + [0] * 4)
    for number in range(8):
        placement.sit(stream(number), worker(0 if number < 4 else 1))

    for _ in range(5):
        for move in rebalance(placement, NO_LIMIT):
            placement.sit(*move)

    for seat in placement.seats.values():
        assert sorted(placement[one].priority for one in seat.streams) == [0, 0, 10, 10]


@given(
    st.lists(st.tuples(weights, st.integers(0, 3)), min_size=1, max_size=40),
    st.lists(st.floats(0.5, 2.0), min_size=2, max_size=4),
)
def test_rebalance_comes_to_rest_in_overload(
    streams: list[tuple[float, int]], workers: list[float]
) -> None:
    placement = a_fleet(
        [one for one, _ in streams], workers, priorities=[priority for _, priority in streams]
    )
    place_all(placement)

    for _ in range(50):
        moves = rebalance(placement, NO_LIMIT)
        for move in moves:
            placement.sit(*move)
    assert moves == []


@given(st.data())
@settings(max_examples=60)
def test_sums_stay_right_whatever_happens(data: st.DataObject) -> None:
    placement = a_fleet([], [4.0, 8.0])
    number = 0
    for action in data.draw(st.lists(st.sampled_from("awdrlcw"), max_size=40)):
        streams = sorted(placement)
        workers = sorted(placement.seats)
        match action:
            case "a":
                placement.put_stream(stream(number), data.draw(weights))
                number += 1
            case "w" if streams:
                placement.put_stream(data.draw(st.sampled_from(streams)), data.draw(weights))
            case "d" if streams:
                placement.drop_stream(data.draw(st.sampled_from(streams)))
            case "l" if streams:
                placement.lift(data.draw(st.sampled_from(streams)))
            case "c":
                placement.put_worker(worker(number), data.draw(capacities))
                number += 1
            case "r" if workers:
                placement.drop_worker(data.draw(st.sampled_from(workers)))
        place_all(placement)

        assert placement.demand_cores == pytest.approx(
            sum(placement[one].weight_cores for one in placement), abs=1e-9
        )
        for seat in placement.seats.values():
            assert all(placement[one].worker == seat.worker for one in seat.streams)
            load = sum(placement[one].weight_cores for one in seat.streams)
            assert seat.load_cores == pytest.approx(load, abs=1e-9)
        seated = sum(len(seat.streams) for seat in placement.seats.values())
        assert seated + len(placement.unplaced) == len(placement)
