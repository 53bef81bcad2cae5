"""What is moved for balance, and when: by what is known, not by what is guessed."""

from __future__ import annotations

import pytest

from streammonitor_api.fleet.records import FleetSeen, Heartbeat, StreamRow, WorkerSeen
from streammonitor_api.names import Epoch, Incarnation, StreamKey, WorkerId
from streammonitor_operator.handover import Cue, Phase
from streammonitor_operator.inventory import Inventory, Wanted, monitor_of
from streammonitor_operator.scheduling import SETTLING_S, Scheduler
from streammonitor_operator.state import State
from tests.support.fleet_contract import a_spec

SMALL = 640.0 * 360 * 25
"""Pixels a second."""
WEIGHT_CORES = 0.03
WORKERS = [WorkerId("a"), WorkerId("b"), WorkerId("c")]


class Watched:
    """A fleet whose streams are equal; a test says when what is known of them."""

    def __init__(self, streams: int) -> None:
        self.now_ms = 1_000_000
        self.state = State(Inventory())
        self.scheduler = Scheduler(self.state)
        self.streams = [StreamKey(f"prod/sports/ch{number}") for number in range(streams)]
        self.seat(*WORKERS)
        for stream in self.streams:
            spec = a_spec(stream)
            self.state.want(stream, Wanted(spec, spec.revision, monitor_of(stream)), self.now_ms)

    def seat(self, *workers: WorkerId) -> None:
        beats = [
            Heartbeat(worker=one, incarnation=Incarnation(one), capacity_cores=1.0, ready=True)
            for one in workers
        ]
        seen = {one.worker: WorkerSeen(one, self.now_ms) for one in beats}
        self.state.roster.look(FleetSeen(self.now_ms, seen, {}))
        for worker in workers:
            self.state.placement.put_worker(worker, 1.0)

    def schedule(self, after_s: float = 1.0) -> list[StreamKey]:
        """Returns what is on its way to another worker then."""
        self.now_ms += round(after_s * 1000)
        self.scheduler.schedule(self.now_ms, topology_changed=True)
        return list(self.state.ledger.moving)

    def claim(self) -> None:
        for stream in self.streams:
            self.state.ledger.cue(stream, Cue.CLAIMED, self.now_ms)

    def tell(self, stream: StreamKey, weight_cores: float | None) -> None:
        row = StreamRow(
            stream=stream,
            epoch=Epoch(1),
            state="watching",
            claimed=True,
            pixel_rate=SMALL,
            weight_cores=weight_cores,
        )
        owner = self.state.ledger[stream].owner
        assert owner is not None
        self.state.roster[owner].rows[stream] = row
        self.state.weigh(stream, row)


@pytest.mark.parametrize("streams", [6, 7])
def test_equal_streams_stay_while_they_become_known_one_by_one(streams: int) -> None:
    fleet = Watched(streams)
    fleet.schedule()
    fleet.claim()

    for weight in (None, WEIGHT_CORES):
        for stream in fleet.streams:
            fleet.tell(stream, weight)
            assert fleet.schedule() == []

    assert fleet.schedule(SETTLING_S) == []
    assert all(fleet.state.ledger[one].phase is Phase.WATCHED for one in fleet.streams)


def test_stream_that_is_heavier_than_was_guessed_has_others_moved() -> None:
    fleet = Watched(6)
    fleet.schedule()
    fleet.claim()
    fleet.tell(fleet.streams[0], 0.5)

    assert fleet.schedule() == [], "the others may be as heavy"
    for stream in fleet.streams[1:]:
        fleet.tell(stream, WEIGHT_CORES)

    (moved,) = fleet.schedule()
    assert moved != fleet.streams[0]
    assert fleet.state.placement[moved].worker != fleet.state.placement[fleet.streams[0]].worker


def test_what_is_never_measured_does_not_hold_up_the_balance() -> None:
    fleet = Watched(6)
    fleet.schedule()
    fleet.claim()
    fleet.seat(*WORKERS, WorkerId("d"))
    assert fleet.schedule() == []

    assert fleet.schedule(SETTLING_S) != []
