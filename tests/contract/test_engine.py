"""An engine as a real process, on real live streams."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from streammonitor_api.events import OpenIncident
from streammonitor_api.fidelity import Fidelity
from streammonitor_api.plan import resolve_plan
from streammonitor_worker.engine.messages import (
    Ended,
    EndOrder,
    LimitOrder,
    OwnOrder,
    Seen,
    Stats,
    StreamStats,
    Told,
    WatchOrder,
)
from streammonitor_worker.supervisor.engines import Died, EngineProcess
from streammonitor_worker.synth.live import LiveStream
from tests.support.fleet_workers import is_alive
from tests.support.inbox import Messages, small_recipe
from tests.support.waiting import wait_until

ONE = "prod/sports/one"
PLAN = resolve_plan(only=["video-black", "stream-unavailable"])


@pytest.fixture
def messages() -> Messages:
    return Messages()


@pytest.fixture
def engine(messages: Messages) -> Iterator[EngineProcess]:
    process = EngineProcess(0, messages.take)
    yield process
    process.stop()


@pytest.fixture
def live() -> Iterator[LiveStream]:
    """Black from 2 s to 9 s, and from 14 s on."""
    recipe = small_recipe("video-black@2+7", "video-black@14+30")
    with LiveStream(recipe, segment_s=1.0) as stream:
        stream.wait_until_playable(20)
        yield stream


def watch(live: LiveStream, opening: str = "1", **known: object) -> WatchOrder:
    return WatchOrder(ONE, opening, live.url, PLAN, **known)  # type: ignore[arg-type]


def kinds(messages: Messages) -> list[tuple[str, int]]:
    told = messages.of(Told)
    return [(one.event.kind, one.event.revision) for one in told if one.event.kind != "updated"]


def stats_of(report: Stats) -> StreamStats:
    return next(iter(report.streams), StreamStats(stream=ONE))


def test_incident_goes_from_one_engine_to_the_next(
    engine: EngineProcess, messages: Messages, live: LiveStream
) -> None:
    engine.send(watch(live))
    messages.wait_for(Seen)
    engine.send(OwnOrder(ONE))
    opened = messages.wait_for(Told, lambda one: one.event.kind == "opened").event
    engine.send(EndOrder(ONE))
    messages.wait_for(Ended)
    assert kinds(messages) == [("opened", 1)]

    later = Messages()
    successor = EngineProcess(1, later.take)
    successor.send(watch(live))
    left = messages.of(Told)[-1].event
    successor.send(OwnOrder(ONE, (OpenIncident(left.incident, left.revision),)))
    closed = later.wait_for(Told, lambda one: one.event.kind == "closed").event
    successor.stop()

    assert closed.incident.id == opened.incident.id
    assert closed.incident.onset == opened.incident.onset
    assert closed.incident.duration_s == pytest.approx(7.0, abs=0.2)
    assert [kind for kind, _ in kinds(later)] == ["closed"]


def test_limit_lowers_the_fidelity_and_change_does_not_reopen(
    engine: EngineProcess, messages: Messages, live: LiveStream
) -> None:
    engine.send(watch(live))
    messages.wait_for(Seen)

    engine.send(LimitOrder(ONE, Fidelity.KEYFRAMES))

    messages.wait_for(Stats, lambda one: stats_of(one).fidelity == Fidelity.KEYFRAMES)
    engine.send(LimitOrder(ONE, Fidelity.FULL))
    engine.send(watch(live, fidelity=Fidelity.ADAPTIVE))
    messages.wait_for(Stats, lambda one: stats_of(one).fidelity == Fidelity.ADAPTIVE)
    pictures = [stats_of(one).pictures for one in messages.of(Stats) if one.streams]
    assert pictures == sorted(pictures)
    assert len(messages.of(Seen)) == 1


def test_unwanted_stream_closes_its_incidents_as_cancelled(
    engine: EngineProcess, messages: Messages, live: LiveStream
) -> None:
    engine.send(watch(live))
    engine.send(OwnOrder(ONE))
    messages.wait_for(Told, lambda one: one.event.kind == "opened")

    engine.send(EndOrder(ONE, "no longer wanted"))

    messages.wait_for(Ended)
    closed = messages.of(Told)[-1].event
    assert closed.kind == "closed"
    assert closed.incident.recovery is None
    assert closed.incident.evidence["cancelled"] == "no longer wanted"


def test_source_that_can_never_be_watched_is_told_and_tried_again(
    engine: EngineProcess, messages: Messages
) -> None:
    engine.send(WatchOrder(ONE, "1", "gopher://127.0.0.1/x", PLAN))
    engine.send(OwnOrder(ONE))

    told = messages.wait_for(Told, lambda one: one.event.kind == "opened").event

    assert told.incident.detector == "stream-unavailable"
    assert "gopher" in str(told.incident.evidence["reason"])
    messages.wait_for(Stats, lambda one: stats_of(one).state == "reconnecting")


def test_changed_address_continues_the_incident(
    engine: EngineProcess, messages: Messages, live: LiveStream
) -> None:
    engine.send(WatchOrder(ONE, "1", "http://127.0.0.1:1/none.m3u8", PLAN))
    engine.send(OwnOrder(ONE))
    opened = messages.wait_for(Told, lambda one: one.event.kind == "opened").event

    engine.send(watch(live, opening="2"))

    closed = messages.wait_for(Told, lambda one: one.event.kind == "closed").event
    assert closed.incident.id == opened.incident.id
    assert closed.incident.detector == "stream-unavailable"


def test_death_of_an_engine_is_told(engine: EngineProcess, messages: Messages) -> None:
    os.kill(engine.pid, signal.SIGKILL)

    assert messages.wait_for(Died).how == "killed by SIGKILL"


def test_crash_names_the_stream_it_happened_in(
    engine: EngineProcess, messages: Messages, live: LiveStream
) -> None:
    engine.send(watch(live))
    messages.wait_for(Seen)
    threads = [int(one.name) for one in Path(f"/proc/{engine.pid}/task").iterdir()]
    main = engine.pid
    stream_thread = next(one for one in sorted(threads, reverse=True) if one != main)

    subprocess.run(["kill", "-SEGV", str(stream_thread)], check=True)

    assert messages.wait_for(Died).how == "killed by SIGSEGV"


def test_engine_dies_with_its_supervisor() -> None:
    script = (
        "import sys\n"
        "from streammonitor_worker.supervisor.engines import EngineProcess\n"
        "ready = []\n"
        "engine = EngineProcess(0, lambda *said: print(engine.pid, flush=True))\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as supervisor:
        assert supervisor.stdout is not None
        pid = int(supervisor.stdout.readline())
        supervisor.kill()

    wait_until(lambda: not is_alive(pid), "the engine's end", within_s=5.0)
