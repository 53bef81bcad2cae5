"""`streammonitor worker` as real processes, on a real Redis, on real live streams."""

from __future__ import annotations

import json
import os
import signal
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from streammonitor_api.fleet.records import Gap
from streammonitor_worker.synth.live import LiveStream
from tests.support.fleet_workers import (
    HastenedStream,
    PlayedOperator,
    WorkerProcess,
    a_spec,
    ask,
    engines_of,
    is_alive,
)
from tests.support.inbox import small_recipe
from tests.support.redis_server import RedisServer, any_binary, running
from tests.support.waiting import wait_until

Start = Callable[..., WorkerProcess]
Broadcast = Callable[[], str]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis of its own, as tests stop it."""
    with running(any_binary(), tmp_path) as redis:
        yield redis


@pytest.fixture
def operator(server: RedisServer) -> PlayedOperator:
    return PlayedOperator(server)


@pytest.fixture
def start(server: RedisServer, tmp_path: Path) -> Iterator[Start]:
    started: list[WorkerProcess] = []

    def begin(name: str, *options: str) -> WorkerProcess:
        started.append(WorkerProcess(name, server.url, tmp_path, *options))
        return started[-1]

    yield begin
    for worker in started:
        worker.end()


@pytest.fixture
def long_black() -> Iterator[HastenedStream]:
    """A stream that is black from 4 s on for as long as a test wants, and then again is not."""
    recipe = small_recipe("video-black@4+40", duration_s=50.0)
    with HastenedStream(recipe, segment_s=1.0, window=50) as stream:
        stream.wait_until_playable(20)
        yield stream


@pytest.fixture
def broadcast() -> Iterator[Broadcast]:
    """Begins a stream that is black from 4 s to 13 s; for when the workers are there."""
    with ExitStack() as stack:

        def begin() -> str:
            recipe = small_recipe("video-black@4+9")
            stream = stack.enter_context(LiveStream(recipe, segment_s=1.0))
            stream.wait_until_playable(20)
            return stream.url

        yield begin


def playlist_of(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310  # our own server
        return str(answer.read(), "utf-8")


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


def test_killed_worker_is_replaced_and_its_incident_goes_on(
    start: Start, operator: PlayedOperator, broadcast: Broadcast
) -> None:
    first, second = start("first"), start("second")
    assert operator.port(first.name) != operator.port(second.name)
    spec = a_spec("one", broadcast())
    operator.want(spec)
    operator.assign(first.name, spec)
    opened = operator.await_event("opened")

    first.send(signal.SIGKILL)
    operator.assign(second.name, spec)
    closed = operator.await_event("closed", within_s=30)

    assert operator.told() == [("opened", 1), ("closed", closed.told.revision)]
    assert closed.told.event.incident.id == opened.told.event.incident.id
    assert closed.told.event.incident.duration_s == pytest.approx(9.0, abs=0.3)
    assert closed.worker == second.name


def test_defect_that_nobody_watched_is_told_by_the_next_owner(
    start: Start, operator: PlayedOperator
) -> None:
    first, second = start("first"), start("second")
    assert operator.port(first.name) != operator.port(second.name)
    recipe = small_recipe("video-black@12+3", duration_s=120.0)
    with LiveStream(recipe, segment_s=1.0, window=60) as stream:
        stream.wait_until_playable(20)
        spec = a_spec("one", stream.url)
        operator.want(spec)
        operator.assign(first.name, spec)
        operator.await_row(first.name, spec, "watching")

        killed_ms = operator.store.hold_term(operator.term)
        first.send(signal.SIGKILL)
        gap = Gap(spec.stream, killed_ms, None, "worker-dead")
        operator.store.open_gaps(operator.term, [gap])
        # As many segments after the defect as a playlist is joined before its end, and one more.
        wait_until(lambda: "\n19.ts" in playlist_of(stream.url), "the defect is over", within_s=60)
        assert operator.told() == []
        operator.assign(second.name, spec)
        closed = operator.await_event("closed", within_s=30)

    assert operator.told() == [("opened", 1), ("closed", 2)]
    assert closed.worker == second.name
    assert closed.told.event.incident.duration_s == pytest.approx(3.0, abs=0.3)


def test_engines_die_with_their_worker(
    start: Start, operator: PlayedOperator, broadcast: Broadcast
) -> None:
    worker = start("one")
    port = operator.port(worker.name)
    spec = a_spec("one", broadcast())
    operator.want(spec)
    operator.assign(worker.name, spec)
    operator.await_row(worker.name, spec, "watching")
    (engine,) = engines_of(port).values()

    worker.send(signal.SIGKILL)
    worker.process.wait(10)

    wait_until(lambda: not is_alive(engine), "the engine's end", within_s=5.0)


def test_planned_move_leaves_no_gap_and_doubles_nothing(
    start: Start, operator: PlayedOperator, long_black: HastenedStream
) -> None:
    old, new = start("old"), start("new")
    assert operator.port(old.name) != operator.port(new.name)
    spec = a_spec("one", long_black.url)
    operator.want(spec)
    operator.assign(old.name, spec)
    opened = operator.await_event("opened").told.event.incident

    operator.assign(new.name, spec, overlap_s=2.0)
    operator.await_row(new.name, spec, "warming", claimed=False)
    assert operator.rows(old.name)[spec.stream].state == "watching"
    row = operator.await_row(new.name, spec, "watching")
    operator.withdraw(old.name, spec)
    wait_until(lambda: not operator.rows(old.name), "the old one lets go")
    long_black.hasten()
    closed = operator.await_event("closed", within_s=30)

    assert row.epoch == 2
    assert operator.told() == [("opened", 1), ("closed", closed.told.revision)]
    assert closed.told.event.incident.id == opened.id
    assert closed.told.event.incident.onset == opened.onset
    assert closed.told.event.incident.recovery is not None
    assert closed.worker == new.name


def test_killed_engine_is_back_and_its_incident_goes_on(
    start: Start, operator: PlayedOperator, broadcast: Broadcast
) -> None:
    worker = start("one")
    port = operator.port(worker.name)
    spec = a_spec("one", broadcast())
    operator.want(spec)
    operator.assign(worker.name, spec)
    operator.await_event("opened")
    engine = engines_of(port)[0]

    os.kill(engine, signal.SIGKILL)

    wait_until(lambda: engines_of(port).get(0, engine) != engine, "another engine", within_s=1.0)
    operator.await_row(worker.name, spec, "opening")
    operator.await_row(worker.name, spec, "watching")
    operator.await_event("closed", within_s=30)
    assert [kind for kind, _ in operator.told()] == ["opened", "closed"]


def test_worker_that_slept_through_its_failover_tells_nothing_twice(
    start: Start, operator: PlayedOperator, broadcast: Broadcast
) -> None:
    first, second = start("first"), start("second")
    assert operator.port(first.name) != operator.port(second.name)
    spec = a_spec("one", broadcast())
    operator.want(spec)
    operator.assign(first.name, spec)
    operator.await_event("opened")

    first.send(signal.SIGSTOP)  # its engine goes on, and finds the end of the defect
    operator.assign(second.name, spec)
    operator.withdraw(first.name, spec)
    operator.await_event("closed", within_s=30)
    first.send(signal.SIGCONT)

    wait_until(lambda: not operator.rows(first.name), "the one that slept lets go")
    assert [kind for kind, _ in operator.told()] == ["opened", "closed"]
    assert operator.store.read_claims()[spec.stream].worker == second.name


def test_engine_that_hangs_is_replaced(
    start: Start, operator: PlayedOperator, broadcast: Broadcast
) -> None:
    worker = start("one")
    port = operator.port(worker.name)
    spec = a_spec("one", broadcast())
    operator.want(spec)
    operator.assign(worker.name, spec)
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
    operator.want(good, bad)
    operator.assign(worker.name, good, bad)
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


def test_drained_worker_watches_until_others_have_taken_over(
    start: Start, operator: PlayedOperator, broadcast: Broadcast
) -> None:
    old = start("old")
    spec = a_spec("one", broadcast())
    operator.want(spec)
    operator.assign(old.name, spec)
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
    operator.want(spec)
    operator.assign(worker.name, spec)
    operator.await_row(worker.name, spec, "watching")

    worker.send(signal.SIGTERM)

    assert worker.process.wait(10) == 0


def test_unwanted_stream_is_closed_as_cancelled(
    start: Start, operator: PlayedOperator, broadcast: Broadcast
) -> None:
    worker = start("one")
    assert operator.port(worker.name)
    spec = a_spec("one", broadcast())
    operator.want(spec)
    operator.assign(worker.name, spec)
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
    operator.want(spec)
    operator.assign(worker.name, spec)
    operator.await_row(worker.name, spec, "watching")

    server.stop()  # which keeps nothing: it loses all its data
    wait_until(lambda: json.loads(ask(port, "/streams")[1])["waiting_events"] > 0, "an event waits")
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
