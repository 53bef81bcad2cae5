"""Engines of a worker that die, hang, or keep dying of the same stream: real processes."""

from __future__ import annotations

import json
import os
import signal

from streammonitor_api.fleet.records import StreamSpec
from tests.support.fleet_workers import (
    Broadcast,
    PlayedOperator,
    Start,
    WorkerProcess,
    a_spec,
    ask,
    engines_of,
    is_alive,
)
from tests.support.waiting import wait_until


def a_watcher(
    start: Start, operator: PlayedOperator, broadcast: Broadcast
) -> tuple[WorkerProcess, int, StreamSpec]:
    """A worker, its port, and the stream that it was given."""
    worker = start("one")
    port = operator.port(worker.name)
    spec = a_spec("one", broadcast())
    operator.give(worker.name, spec)
    return worker, port, spec


def test_engines_die_with_their_worker(
    start: Start, operator: PlayedOperator, broadcast: Broadcast
) -> None:
    worker, port, spec = a_watcher(start, operator, broadcast)
    operator.await_row(worker.name, spec, "watching")
    (engine,) = engines_of(port).values()

    worker.send(signal.SIGKILL)
    worker.process.wait(10)

    wait_until(lambda: not is_alive(engine), "the engine's end", within_s=5.0)


def test_killed_engine_is_back_and_its_incident_goes_on(
    start: Start, operator: PlayedOperator, broadcast: Broadcast
) -> None:
    worker, port, spec = a_watcher(start, operator, broadcast)
    operator.await_event("opened")
    engine = engines_of(port)[0]

    os.kill(engine, signal.SIGKILL)

    wait_until(lambda: engines_of(port).get(0, engine) != engine, "another engine", within_s=1.0)
    operator.await_row(worker.name, spec, "opening")
    operator.await_row(worker.name, spec, "watching")
    operator.await_event("closed")
    assert [kind for kind, _ in operator.told()] == ["opened", "closed"]


def test_engine_that_hangs_is_replaced(
    start: Start, operator: PlayedOperator, broadcast: Broadcast
) -> None:
    worker, port, spec = a_watcher(start, operator, broadcast)
    operator.await_row(worker.name, spec, "watching")
    engine = engines_of(port)[0]

    os.kill(engine, signal.SIGSTOP)

    wait_until(lambda: engines_of(port).get(0, engine) != engine, "another engine", within_s=30)
    operator.await_row(worker.name, spec, "watching")


def test_stream_whose_engine_keeps_dying_is_put_in_quarantine(
    start: Start, operator: PlayedOperator, broadcast: Broadcast
) -> None:
    url = broadcast()
    good, bad = a_spec("good", url), a_spec("bad", url)
    worker = start("one", "--engines", "1")
    operator.give(worker.name, good, bad)
    port = operator.port(worker.name)

    def kill_the_engine_of_the_bad_one() -> None:
        def look() -> int | None:
            shown = json.loads(ask(port, "/streams")[1])
            rows = {one["stream"]: one for one in shown["streams"]}
            known = rows.get(bad.stream, {"state": "", "engine": None})
            return engines_of(port).get(known["engine"]) if known["state"] == "watching" else None

        engine = wait_until(look, "the bad one is watched")
        os.kill(engine, signal.SIGKILL)
        wait_until(lambda: engine not in engines_of(port).values(), "its end")

    for _ in range(3):
        kill_the_engine_of_the_bad_one()

    row = operator.await_row(worker.name, bad, "quarantined")
    assert "3 times" in str(row.error)
    assert operator.rows(worker.name)[good.stream].state in ("opening", "watching")
    told = wait_until(
        lambda: [one for one in operator.events()
                 if one.told.event.incident.detector == "stream-quarantined"],
        "an incident of its own",
    )  # fmt: skip
    assert told[0].told.stream == bad.stream
