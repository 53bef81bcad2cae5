"""Events through the spool to a real Redis that is away, forgets, or belongs to somebody else."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from streammonitor_api.fleet.records import FleetEvent
from streammonitor_api.fleet.store import WorkerStore
from streammonitor_api.names import Epoch, StreamKey
from streammonitor_worker.sinks.redis import RedisSink
from streammonitor_worker.sinks.sender import UNADOPTED_S
from streammonitor_worker.spool import KEEP_S, Spool
from tests.support.builders import NOON_S
from tests.support.fleet_contract import (
    STREAM,
    Fleet,
    a_told,
    fleet_in,
    seconds_since_noon,
    take_ownership,
)
from tests.support.redis_server import RedisServer, any_binary, running
from tests.support.waiting import wait_until


class Worker:
    """What a worker does about Redis' answers: it claims again, and notes what it lost."""

    def __init__(self, store: WorkerStore) -> None:
        self.store = store
        self.refused: list[tuple[str, int]] = []
        self.unclaimed: list[tuple[str, int]] = []
        self.claims_again = True

    def on_refused(self, stream: str, epoch: int, why: str) -> None:
        self.refused.append((stream, epoch))

    def on_unclaimed(self, stream: str, epoch: int) -> None:
        self.unclaimed.append((stream, epoch))
        if self.claims_again:
            self.store.claim(StreamKey(stream), Epoch(epoch), again=True)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """One of its own, that a test may stop."""
    folder = tmp_path / "redis"
    folder.mkdir()
    with running(any_binary(), folder, "--appendonly", "yes") as server:
        yield server


@pytest.fixture
def own_fleet(server: RedisServer) -> Iterator[Fleet]:
    scripts = server.scripts()
    yield fleet_in(scripts)
    scripts.close()


def history(fleet: Fleet) -> list[tuple[str, str]]:
    return [(one.told.event.kind, one.told.id) for one in fleet.reader.read_events()]


def owner(fleet: Fleet, name: str = "w1") -> tuple[WorkerStore, Epoch]:
    store = fleet.worker(name)
    return store, take_ownership(fleet, fleet.operator.start_term("home", "a"), store)


def drain(sink: RedisSink) -> None:
    wait_until(lambda: sink.waiting == 0)


def test_events_reach_the_history(fleet: Fleet, tmp_path: Path) -> None:
    store, epoch = owner(fleet)
    sink = RedisSink(store, Worker(store), tmp_path)

    sink.put(a_told(epoch=epoch))
    sink.put(a_told("closed", 2, epoch=epoch, recovery_s=9))

    assert sink.close(5)
    assert history(fleet) == [("opened", "a1.1"), ("closed", "a1.2")]
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_lost_or_doubled_while_redis_is_away(
    server: RedisServer, own_fleet: Fleet, tmp_path: Path
) -> None:
    fleet = own_fleet
    store, epoch = owner(fleet)
    sink = RedisSink(store, Worker(store), tmp_path / "spool")
    sink.put(a_told(epoch=epoch, incident="i0"))
    drain(sink)

    server.kill()
    for number in range(1, 30):
        sink.put(a_told("updated", number + 1, epoch=epoch, incident="i0"))
    wait_until(lambda: sink.status.error is not None)
    assert sink.waiting == 29
    server.start()
    drain(sink)

    assert history(fleet) == [("opened", "i0.1"), *(("updated", f"i0.{n}") for n in range(2, 31))]
    assert sink.close(1)


def test_history_is_told_again_to_a_redis_that_lost_its_data(
    server: RedisServer, own_fleet: Fleet, tmp_path: Path
) -> None:
    fleet = own_fleet
    store, epoch = owner(fleet)
    sink = RedisSink(store, Worker(store), tmp_path / "spool", wall=lambda: NOON_S + 60)
    sink.put(a_told(epoch=epoch))
    sink.put(a_told("closed", 2, epoch=epoch, recovery_s=9))
    drain(sink)
    fleet.scripts.client.flushall()
    fleet.operator.start_term("home", "a")

    sink.send_again(())
    drain(sink)
    sink.send_again(())
    drain(sink)

    assert history(fleet) == [("opened", "a1.1"), ("closed", "a1.2")]
    claim = store.read_claim(STREAM)
    assert claim is not None
    assert claim.epoch == epoch
    sink.close(1)


def test_incident_that_went_on_under_a_newer_owner_is_not_told_again(
    server: RedisServer, own_fleet: Fleet, tmp_path: Path
) -> None:
    fleet = own_fleet
    store, epoch = owner(fleet)
    sink = RedisSink(store, Worker(store), tmp_path / "spool", wall=lambda: NOON_S + 60)
    sink.put(a_told(epoch=epoch))
    drain(sink)
    fleet.scripts.client.flushall()
    fleet.operator.start_term("home", "a")

    sink.send_again(())
    drain(sink)
    assert history(fleet) == []

    sink.send_again({"a1"})
    drain(sink)
    assert history(fleet) == [("opened", "a1.1")]
    sink.close(1)


def test_what_a_newer_owner_told_is_not_told_again_by_a_later_start(
    own_fleet: Fleet, tmp_path: Path
) -> None:
    """The newer owner's word was taken, and a Redis that lost its data knows neither."""
    fleet, onset_s = own_fleet, seconds_since_noon()
    store, epoch = owner(fleet)
    newer, newer_epoch = owner(fleet, "w2")
    newer.publish(a_told(epoch=newer_epoch, incident="newer", onset_s=onset_s))
    sink = RedisSink(store, Worker(store), tmp_path)
    for incident, at_s in (("mine", onset_s - 60), ("same", onset_s - 5)):
        sink.put(a_told(epoch=epoch, incident=incident, onset_s=at_s))
        end = a_told("closed", 2, epoch=epoch, incident=incident, onset_s=at_s, recovery_s=at_s + 9)
        sink.put(end)
    drain(sink)
    recorded = [("opened", "newer.1"), ("opened", "mine.1"), ("closed", "mine.2")]
    assert sorted(history(fleet)) == sorted(recorded)
    # It is killed: its spool stays.
    kept = tmp_path / store.incarnation
    shutil.copytree(kept, tmp_path / "killed")
    sink.close(1)
    (tmp_path / "killed").rename(kept)
    fleet.scripts.client.flushall()
    fleet.operator.start_term("home", "a")

    later = fleet.worker("w1")
    sink = RedisSink(later, Worker(later), tmp_path)
    drain(sink)

    assert history(fleet) == [("opened", "mine.1"), ("closed", "mine.2")]
    sink.close(1)


def test_incident_keeps_the_name_that_it_was_given_when_redis_loses_its_data(
    own_fleet: Fleet, tmp_path: Path
) -> None:
    fleet, now = own_fleet, NOON_S + 60
    first, epoch = owner(fleet)
    first.publish(a_told(epoch=epoch))
    store, epoch = owner(fleet, "w2")
    sink = RedisSink(store, Worker(store), tmp_path, wall=lambda: now)
    sink.put(a_told(epoch=epoch, incident="mine", onset_s=8))
    sink.put(a_told("closed", 2, epoch=epoch, incident="mine", onset_s=8, recovery_s=20))
    drain(sink)
    end = [one.told for one in fleet.reader.read_events()][-1]
    assert end.id == "a1.3"
    fleet.scripts.client.flushall()
    term = fleet.operator.start_term("home", "a")
    fleet.operator.restore_incidents(term, [], [end])

    sink.send_again(())
    drain(sink)

    assert history(fleet) == [("closed", "a1.3")]
    sink.close(1)


def test_what_is_over_for_long_is_not_told_again(own_fleet: Fleet, tmp_path: Path) -> None:
    """Others may have told it differently since, and nobody remembers that."""
    fleet, now = own_fleet, NOON_S + 60
    store, epoch = owner(fleet)
    sink = RedisSink(store, Worker(store), tmp_path / "spool", wall=lambda: now)
    for incident in ("over", "open"):
        sink.put(a_told(epoch=epoch, incident=incident, detector=f"video-{incident}"))
    sink.put(a_told("closed", 2, epoch=epoch, incident="over", detector="video-over", recovery_s=9))
    drain(sink)
    fleet.scripts.client.flushall()
    fleet.operator.start_term("home", "a")

    now += KEEP_S
    sink.send_again({"open"})
    drain(sink)

    assert history(fleet) == [("opened", "open.1")]
    sink.close(1)


def test_event_that_never_arrived_is_told_to_a_redis_that_lost_its_data(
    server: RedisServer, own_fleet: Fleet, tmp_path: Path
) -> None:
    """It had been noticed while Redis was away, by a worker that has lost the stream since."""
    store, epoch = owner(own_fleet)
    sink = RedisSink(store, Worker(store), tmp_path / "spool")
    server.kill()
    sink.put(a_told(epoch=epoch))
    wait_until(lambda: sink.status.error is not None)

    sink.send_again([])
    server.start()

    drain(sink)
    assert history(own_fleet) == [("opened", "a1.1")]
    sink.close(1)


def test_incident_goes_on_under_the_id_that_is_open(fleet: Fleet, tmp_path: Path) -> None:
    first, epoch = owner(fleet)
    first.publish(a_told(epoch=epoch, onset_s=5))
    store, epoch = owner(fleet, "w2")
    sink = RedisSink(store, Worker(store), tmp_path)

    sink.put(a_told(epoch=epoch, incident="mine", onset_s=8))
    sink.put(a_told("closed", 2, epoch=epoch, incident="mine", onset_s=8, recovery_s=20))

    assert sink.close(5)
    assert history(fleet) == [("opened", "a1.1"), ("updated", "a1.2"), ("closed", "a1.3")]
    last = list(fleet.reader.read_events())[-1].told.event.incident
    assert (last.onset.wall, last.duration_s) == (a_told(onset_s=5).event.incident.onset.wall, 15)
    assert fleet.reader.read_open_incidents() == []


def test_owner_learns_that_the_defect_began_earlier(fleet: Fleet, tmp_path: Path) -> None:
    old, _ = owner(fleet)
    store, epoch = owner(fleet, "w2")
    onset_s = seconds_since_noon()
    sink = RedisSink(store, Worker(store), tmp_path)
    sink.put(a_told(epoch=epoch, incident="new", onset_s=onset_s))
    drain(sink)
    old.merge(a_told(epoch=1, incident="old", onset_s=onset_s - 10))

    sink.put(
        a_told("closed", 2, epoch=epoch, incident="new", onset_s=onset_s, recovery_s=onset_s + 5)
    )

    assert sink.close(5)
    assert history(fleet) == [("opened", "new.1"), ("closed", "new.2")]
    assert list(fleet.reader.read_events())[-1].told.event.incident.duration_s == 15


def test_fenced_worker_is_told_and_its_events_are_merged(fleet: Fleet, tmp_path: Path) -> None:
    store, epoch = owner(fleet)
    onset_s = seconds_since_noon() - 60
    owner(fleet, "w2")
    worker = Worker(store)
    sink = RedisSink(store, worker, tmp_path)

    sink.put(a_told(epoch=epoch, onset_s=onset_s))
    sink.put(a_told("closed", 2, epoch=epoch, onset_s=onset_s, recovery_s=onset_s + 9))

    assert sink.close(5)
    assert worker.refused == [(STREAM, epoch)] * 2
    assert history(fleet) == [("opened", "a1.1"), ("closed", "a1.2")]


def test_what_nobody_adopts_is_closed(fleet: Fleet, tmp_path: Path) -> None:
    clock = Clock()
    store, epoch = owner(fleet)
    onset_s = seconds_since_noon() - 60
    owner(fleet, "w2")
    sink = RedisSink(store, Worker(store), tmp_path, clock=clock)
    sink.put(a_told(epoch=epoch, onset_s=onset_s))
    drain(sink)
    assert len(fleet.reader.read_open_incidents()) == 1

    clock.now += UNADOPTED_S + 1

    wait_until(lambda: not fleet.reader.read_open_incidents())
    assert history(fleet) == [("opened", "a1.1"), ("closed", "a1.2")]
    assert sink.close(5)


def test_stream_that_is_not_claimed_again_does_not_hold_up_the_others(
    fleet: Fleet, tmp_path: Path
) -> None:
    clock = Clock()
    store, epoch = owner(fleet)
    other = StreamKey("prod/sports/ch5")
    take_ownership(fleet, fleet.operator.start_term("home", "a"), store, other)
    store.release(STREAM, epoch)
    worker = Worker(store)
    worker.claims_again = False
    sink = RedisSink(store, worker, tmp_path, clock=clock)
    sink.put(a_told(epoch=epoch))
    sink.put(a_told(epoch=1, incident="b1", stream=other))
    wait_until(lambda: worker.unclaimed)
    assert sink.waiting == 2

    clock.now += 10

    drain(sink)
    assert history(fleet) == [("opened", "a1.1"), ("opened", "b1.1")]
    sink.close(1)


def test_next_start_sends_what_the_last_one_left(fleet: Fleet, tmp_path: Path) -> None:
    """Killed while Redis was away."""
    before, epoch = owner(fleet)
    spool = Spool(tmp_path / before.incarnation)
    told: list[FleetEvent] = [
        a_told(epoch=epoch),
        a_told(epoch=epoch, incident="b1", detector="video-black"),
        a_told("closed", 2, epoch=epoch, incident="b1", detector="video-black", recovery_s=9),
    ]
    for one in told:
        spool.append(one.as_json().encode())
    spool.close()
    after = fleet.worker("w1")

    sink = RedisSink(after, Worker(after), tmp_path)
    drain(sink)
    claimed = after.claim(STREAM, epoch)

    assert history(fleet) == [("opened", "a1.1"), ("opened", "b1.1"), ("closed", "b1.2")]
    assert [one.id for one in claimed.open_incidents] == ["a1"]
    sink.put(a_told("closed", 2, epoch=epoch, recovery_s=9))
    sink.close(5)
    assert history(fleet)[-1] == ("closed", "a1.2")


def test_folder_that_cannot_be_written_is_told_of(
    fleet: Fleet, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store, epoch = owner(fleet)
    (tmp_path / "file").write_text("")

    sink = RedisSink(store, Worker(store), tmp_path / "file")
    sink.put(a_told(epoch=epoch))

    assert sink.close(5)
    assert "make the folder writable" in caplog.text
    assert history(fleet) == [("opened", "a1.1")]
