"""`streammonitor worker` as real processes, on a real Redis, on real live streams."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from tests.support.fleet_workers import (
    WITHIN_S,
    Broadcast,
    PlayedOperator,
    Start,
    WorkerProcess,
    a_spec,
    ask,
)
from tests.support.redis_server import RedisServer
from tests.support.waiting import wait_until


def test_idle_worker_is_ready_and_small(start: Start, operator: PlayedOperator) -> None:
    worker = start("one")
    port = operator.port(worker.name)

    wait_until(lambda: ask(port, "/readyz")[0] == 200, "ready")

    assert ask(port, "/healthz") == (200, "alive\n")
    metrics = ask(port, "/metrics")[1]
    assert "streammonitor_build_info" in metrics
    assert 'streammonitor_worker_ready{otel_scope_name="streammonitor"' in metrics
    assert json.loads(ask(port, "/streams")[1])["engines"] == []
    assert ask(port, "/else")[0] == 404
    resident = next(
        line for line in Path(f"/proc/{worker.pid}/status").read_text().splitlines()
        if line.startswith("VmRSS")
    )  # fmt: skip
    assert int(resident.split()[1]) <= 80 * 1024


def test_drained_worker_watches_until_others_have_taken_over(
    start: Start, operator: PlayedOperator, broadcast: Broadcast
) -> None:
    old = start("old")
    spec = a_spec("one", broadcast())
    operator.give(old.name, spec)
    operator.await_row(old.name, spec, "watching")
    port = operator.port(old.name)

    old.send(signal.SIGTERM)

    wait_until(lambda: ask(port, "/readyz") == (503, "draining\n"), "not ready", within_s=1.0)
    wait_until(lambda: operator.reader.read_fleet().workers[old.name].beat.draining, "told")
    assert operator.rows(old.name)[spec.stream].state == "watching"
    operator.withdraw(old.name, spec)
    assert old.process.wait(10) == 0
    assert old.name not in operator.reader.read_fleet().workers


def test_worker_without_takers_ends_when_its_time_is_over(
    start: Start, operator: PlayedOperator, broadcast: Broadcast
) -> None:
    worker = start("one", "--drain", "1s")
    spec = a_spec("one", broadcast())
    operator.give(worker.name, spec)
    operator.await_row(worker.name, spec, "watching")

    worker.send(signal.SIGTERM)

    assert worker.process.wait(10) == 0


def test_unwanted_stream_is_closed_as_cancelled(
    start: Start, operator: PlayedOperator, broadcast: Broadcast
) -> None:
    worker = start("one")
    assert operator.port(worker.name)
    spec = a_spec("one", broadcast())
    operator.give(worker.name, spec)
    operator.await_event("opened")

    operator.scripts.client.hdel(operator.store.keys.specs, spec.stream)
    operator.withdraw(worker.name, spec)

    closed = operator.await_event("closed")
    assert closed.told.event.incident.recovery is None
    assert "no longer wanted" in str(closed.told.event.incident.evidence["cancelled"])


def test_redis_that_is_away_at_the_start_is_waited_for(start: Start, server: RedisServer) -> None:
    server.stop()
    worker = start("one")
    wait_until(lambda: "streams are watched on" in worker.said(), "a line in the log")
    assert worker.process.poll() is None

    server.start()

    operator = PlayedOperator(server)
    assert operator.port(worker.name)


def test_events_of_an_outage_come_when_redis_is_back(
    start: Start, operator: PlayedOperator, server: RedisServer, broadcast: Broadcast
) -> None:
    worker = start("one")
    port = operator.port(worker.name)
    spec = a_spec("one", broadcast())
    operator.give(worker.name, spec)
    operator.await_row(worker.name, spec, "watching")

    server.stop()  # which keeps nothing: it loses all its data
    wait_until(
        lambda: json.loads(ask(port, "/streams")[1])["waiting_events"] > 0,
        "an event waits",
        within_s=WITHIN_S,
    )
    server.start()

    again = PlayedOperator(server)
    assert again.await_event("opened").told.stream == spec.stream
    assert again.store.read_claims()[spec.stream].worker == worker.name


def test_second_process_of_a_worker_takes_its_place(start: Start, operator: PlayedOperator) -> None:
    first = start("one")
    operator.port(first.name)

    second = start("one")

    assert first.process.wait(10) == 1
    assert "taken" in first.said()
    assert second.process.poll() is None


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--capacity", "none"), "--capacity"),
        (("--engines", "0.5"), "--engines"),
        (("--worker-id", "Not A Name"), "worker"),
        (("--listen", "nowhere"), "--listen"),
        (("--redis", "http://127.0.0.1"), "redis"),
        (("--spool", "/proc/none"), "--spool"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_bad_options_are_told_in_one_line(
    options: tuple[str, str], named: str, tmp_path: Path
) -> None:
    worker = WorkerProcess("one", "redis://127.0.0.1:1", tmp_path, *options)

    assert worker.process.wait(20) == 2
    assert named in worker.said()
    assert worker.said().count("\n") == 1
