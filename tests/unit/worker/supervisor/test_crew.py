"""Engines that die, on a clock that the test moves."""

from __future__ import annotations

from streammonitor_worker.supervisor.crew import (
    MEMORY_S,
    QUARANTINE_S,
    TRUST_S,
    Burial,
    Crew,
)


def crew_of(count: int, engines: int = 1, weight_cores: float = 0.1) -> Crew:
    crew = Crew(engines)
    for number in range(count):
        crew.place(0.0, f"s{number}")
        crew.weigh({f"s{number}": weight_cores})
    return crew


def engine_of(crew: Crew, stream: str) -> int:
    engine = crew.engine_of(stream)
    assert engine is not None
    return engine


def test_second_engine_is_started_when_the_first_is_full() -> None:
    crew = Crew(2)
    placed = []
    for number in range(8):
        placed.append(crew.place(0.0, f"s{number}"))
        crew.weigh({f"s{number}": 0.3})

    assert placed[:2] == [0, 0]
    assert sorted(placed) == [0] * 4 + [1] * 4


def test_dead_engine_gets_its_streams_back() -> None:
    crew = crew_of(3)

    assert crew.died(1.0, 0) == Burial(("s0", "s1", "s2"), ())
    assert crew.members(0) == ["s0", "s1", "s2"]


def test_streams_of_an_engine_that_dies_twice_are_set_apart() -> None:
    crew = crew_of(3)
    crew.died(1.0, 0)

    crew.died(2.0, 0)

    assert len(crew.engines()) == 3
    assert 0 not in crew.engines()


def test_deaths_that_are_far_apart_are_no_suspicion() -> None:
    crew = crew_of(3)
    crew.died(1.0, 0)

    crew.died(1.0 + MEMORY_S, 0)

    assert crew.engines() == {0}


def test_the_one_that_kills_ends_in_quarantine_and_the_others_go_on() -> None:
    crew = crew_of(40)
    now, deaths = 0.0, 0
    while not crew.quarantined("s17"):
        now, deaths = now + 1.0, deaths + 1
        crew.died(now, engine_of(crew, "s17"))

    assert deaths <= 7
    assert crew.engine_of("s17") is None
    others = [f"s{number}" for number in range(40) if number != 17]
    assert all(crew.engine_of(one) is not None for one in others)
    assert not any(crew.quarantined(one) for one in others)


def test_known_culprit_alone_is_suspect() -> None:
    crew = crew_of(3)
    crew.died(1.0, 0, "s1")
    crew.died(2.0, 0, "s1")
    assert crew.members(0) == ["s0", "s2"]

    assert crew.died(3.0, engine_of(crew, "s1"), "s1") == Burial((), ("s1",))
    assert crew.deaths("s0") == 0


def test_quarantine_ends_and_is_longer_the_next_time() -> None:
    crew = crew_of(1)
    for now in (1.0, 2.0, 3.0):
        crew.died(now, engine_of(crew, "s0"))
    assert crew.pass_time(2.9 + QUARANTINE_S) == ([], [])
    assert crew.pass_time(3.0 + QUARANTINE_S) == (["s0"], [])

    crew.place(400.0, "s0")
    crew.died(401.0, engine_of(crew, "s0"))

    assert crew.quarantined("s0")
    assert crew.pass_time(400.0 + 2 * QUARANTINE_S) == ([], [])
    assert crew.pass_time(401.0 + 2 * QUARANTINE_S) == (["s0"], [])


def test_stream_that_goes_on_living_is_trusted_again() -> None:
    crew = crew_of(2)
    crew.died(1.0, 0)
    crew.died(2.0, 0)

    assert crew.pass_time(1.9 + TRUST_S) == ([], [])
    assert crew.pass_time(2.0 + TRUST_S) == ([], ["s0", "s1"])
    crew.died(3.0 + TRUST_S, engine_of(crew, "s0"))
    assert crew.engine_of("s0") == 0
