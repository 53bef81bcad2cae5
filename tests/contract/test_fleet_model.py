"""Any sequence of calls does to a real Redis what it does to a model of the contract."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from streammonitor_api.errors import FencedError, LostError
from streammonitor_api.fleet.records import Assign, FleetEvent, Publication, Withdraw
from streammonitor_api.fleet.scripts import Scripts
from streammonitor_api.fleet.store import WorkerStore
from streammonitor_api.names import Epoch, Incarnation, StreamKey, Term, WorkerId
from tests.support.builders import NOON_S
from tests.support.fleet_contract import Fleet, a_heartbeat, a_spec, a_told, fleet_in
from tests.support.fleet_model import FENCED, LOST, FleetModel, Outcome
from tests.support.redis_server import RedisServer

EXAMPLES = int(os.environ.get("STREAMMONITOR_TEST_EXAMPLES", "30"))
CLOCK = "test-clock"
PREAMBLE = f"local function now_ms() return tonumber(redis.call('GET', '{CLOCK}')) end\n"

STREAMS = st.sampled_from([StreamKey("a/b/one"), StreamKey("a/b/two")])
WORKERS = st.sampled_from(["w1", "w2"])
STARTS = st.integers(1, 2)
EPOCHS = st.integers(1, 4)
EVENTS = st.fixed_dictionaries(
    {
        "stream": STREAMS,
        "incident": st.sampled_from(["i1", "i1", "i2", "i3"]),
        "revision": st.integers(1, 3),
        "closed": st.booleans(),
        "ago_s": st.sampled_from([0, 3, 20, 60]),
        "lasts_s": st.sampled_from([2, 30]),
    }
)
RARELY = st.integers(0, 5)
"""0: do it."""
TERMS = st.integers(0, 1)
"""How old the operator's term is: the current one, or the one before."""


def outcome_of(call: Callable[[], Outcome]) -> Outcome:
    try:
        return call()
    except FencedError:
        return FENCED
    except LostError:
        return LOST


def published(answer: Publication) -> Outcome:
    match answer.outcome:
        case "merged":
            return "merged", answer.into
        case "adopt":
            return "adopt", answer.into, answer.revision, answer.onset_ms
        case "earlier":
            return "earlier", answer.onset_ms
    return (answer.outcome,)


class FleetMachine(RuleBasedStateMachine):
    """Rules call both; invariants compare what they hold."""

    scripts: Scripts

    def __init__(self) -> None:
        super().__init__()
        self.fleet: Fleet = fleet_in(self.scripts)
        self.model = FleetModel(round(NOON_S * 1000))
        self.terms = [Term(0), Term(0)]
        self.last: tuple[WorkerStore, FleetEvent] | None = None
        self.serials: dict[tuple[str, int], int] = {}
        self._set_clock()

    def _set_clock(self) -> None:
        self.scripts.client.set(CLOCK, self.model.now_ms)

    def worker(self, name: str, start: int) -> WorkerStore:
        return self.fleet.worker(name, Incarnation(f"{start:016x}"))

    def compare(self, real: Callable[[], Outcome], model: Outcome) -> None:
        outcome = outcome_of(real)
        assert outcome == model, f"{outcome} != {model}"

    @rule(seconds=st.sampled_from([1, 5, 40]))
    def pass_time(self, seconds: int) -> None:
        self.model.now_ms += 1000 * seconds
        self._set_clock()

    @rule(dice=RARELY)
    def lose_data(self, dice: int) -> None:
        if dice:
            return
        for key in list(self.scripts.client.scan_iter(f"{self.fleet.operator.keys.prefix}*")):
            self.scripts.client.delete(key)
        self.model.lose_data()

    @initialize()
    def begin(self) -> None:
        self._start_term("home", 0)

    @rule(identity=st.sampled_from(["home", "away"]), above=st.integers(0, 3), dice=RARELY)
    def start_term(self, identity: str, above: int, dice: int) -> None:
        if dice in (0, 1):
            self._start_term(identity, above)

    def _start_term(self, identity: str, above: int) -> None:
        model = self.model.start_term(identity, above)

        def start() -> Outcome:
            self.terms = [
                self.terms[1],
                self.fleet.operator.start_term(identity, "op", above=above),
            ]
            return "started", self.terms[1]

        self.compare(start, model)

    @rule(age=TERMS, stream=STREAMS)
    def want(self, age: int, stream: StreamKey) -> None:
        term = self.terms[1 - age]

        def want() -> Outcome:
            self.fleet.operator.put_specs(term, [a_spec(stream)])
            return ("ok",)

        self.compare(want, self.model.want(term, stream))

    @rule(worker=WORKERS, start=STARTS, stream=STREAMS)
    def give(self, worker: str, start: int, stream: StreamKey) -> None:
        """Assign and claim, as mostly happens."""
        self.want(0, stream)
        self.assign(0, worker, stream, 0)
        self.claim_what_is_assigned(worker, start, stream)

    @rule(age=TERMS, worker=WORKERS, stream=STREAMS, above=st.integers(0, 3))
    def assign(self, age: int, worker: str, stream: StreamKey, above: int) -> None:
        term = self.terms[1 - age]

        def assign() -> Outcome:
            change = Assign(stream, "r", epoch_above=above)
            written = self.fleet.operator.assign(term, WorkerId(worker), [change])
            return "assigned", written.epochs[stream]

        self.compare(assign, self.model.assign(term, worker, stream, above))

    @rule(worker=WORKERS, stream=STREAMS, unless_claimed=st.booleans())
    def withdraw(self, worker: str, stream: StreamKey, unless_claimed: bool) -> None:
        term = self.terms[1]

        def withdraw() -> Outcome:
            change = Withdraw(stream, unless_claimed)
            written = self.fleet.operator.assign(term, WorkerId(worker), [change])
            return ("claimed",) if stream in written.claimed else ("withdrawn",)

        self.compare(withdraw, self.model.withdraw(term, worker, stream, unless_claimed))

    @rule(stream=STREAMS, dice=RARELY)
    def forget(self, stream: StreamKey, dice: int) -> None:
        if dice:
            return
        term = self.terms[1]
        incidents = self.fleet.operator.read_open_incidents()
        ends = [
            a_told("closed", 9, incident=one.id, recovery_s=9, stream=stream)
            for one in sorted(incidents, key=lambda one: one.id)
            if one.stream == stream
        ]

        def forget() -> Outcome:
            self.fleet.operator.forget_streams(term, {stream: ends})
            return ("ok",)

        self.compare(forget, self.model.forget(term, stream))

    @rule(worker=WORKERS, start=STARTS, again=st.booleans())
    def beat(self, worker: str, start: int, again: bool) -> None:
        store = self.worker(worker, start)
        serial = self.serials.get((worker, start), 0)
        self.serials[worker, start] = serial if again else serial + 1

        def beat() -> Outcome:
            return "beat", store.beat(a_heartbeat(store), None, serial=serial).lost

        self.compare(beat, self.model.beat(worker, store.incarnation, serial))

    @rule(worker=WORKERS, start=STARTS, stream=STREAMS, epoch=EPOCHS, again=st.booleans())
    def claim(self, worker: str, start: int, stream: StreamKey, epoch: int, again: bool) -> None:
        store = self.worker(worker, start)
        self._claim(store, stream, epoch, again)

    @rule(worker=WORKERS, start=STARTS, stream=STREAMS)
    def claim_what_is_assigned(self, worker: str, start: int, stream: StreamKey) -> None:
        store = self.worker(worker, start)
        self._claim(store, stream, self.model.assigned.get(worker, {}).get(stream, 1), False)

    def _claim(self, store: WorkerStore, stream: StreamKey, epoch: int, again: bool) -> None:
        def claim() -> Outcome:
            claimed = store.claim(stream, Epoch(epoch), again=again)
            return "claimed", frozenset(one.id for one in claimed.open_incidents)

        model = self.model.claim(stream, epoch, store.worker, store.incarnation, again)
        self.compare(claim, model)

    @rule(worker=WORKERS, start=STARTS, stream=STREAMS, epoch=EPOCHS)
    def release(self, worker: str, start: int, stream: StreamKey, epoch: int) -> None:
        store = self.worker(worker, start)
        model = self.model.release(stream, epoch, worker, store.incarnation)
        self.compare(lambda: ("released", store.release(stream, Epoch(epoch))), model)

    @rule(event=EVENTS)
    def owner_tells(self, event: dict[str, Any]) -> None:
        held = self.model.claims.get(event["stream"])
        if held and held.worker is not None and held.incarnation is not None:
            store = self.fleet.worker(held.worker, Incarnation(held.incarnation))
            self._publish(store, self._told(event, held.epoch))

    @rule(event=EVENTS, behind=st.integers(0, 1), worker=WORKERS, start=STARTS)
    def anybody_tells(self, event: dict[str, Any], behind: int, worker: str, start: int) -> None:
        held = self.model.claims.get(event["stream"])
        told = self._told(event, max(1, held.epoch - behind) if held else 1)
        self._publish(self.worker(worker, start), told)

    @rule(event=EVENTS, behind=st.integers(0, 2), worker=WORKERS, start=STARTS, know=st.booleans())
    def older_owner_tells(
        self, event: dict[str, Any], behind: int, worker: str, start: int, know: bool
    ) -> None:
        held = self.model.claims.get(event["stream"])
        told = self._told(event, max(1, held.epoch - behind) if held else 1)
        self._merge(self.worker(worker, start), told, know, event["lasts_s"])

    @rule(again=st.booleans())
    def repeat(self, again: bool) -> None:
        """Send the last event once more: a retry, or after its stream has a new owner."""
        if self.last is None:
            return
        store, told = self.last
        if again:
            self._publish(store, told)
        else:
            self._merge(store, told, False, 0)

    def _publish(self, store: WorkerStore, told: FleetEvent) -> None:
        self.last = store, told
        model = self.model.publish(told, store.worker, store.incarnation)
        self.compare(lambda: published(store.publish(told)), model)

    def _merge(self, store: WorkerStore, told: FleetEvent, know: bool, lasts_s: int) -> None:
        self.last = store, told
        incident, over_ms = told.event.incident, None
        if know:
            over_ms = incident.onset.wall_ms + 1000 * lasts_s
        if incident.recovery is not None:
            over_ms = incident.recovery.wall_ms
        model = self.model.merge(told, over_ms, store.worker, store.incarnation)
        self.compare(lambda: published(store.merge(told, over_ms=over_ms)), model)

    def _told(self, drawn: dict[str, Any], epoch: int) -> FleetEvent:
        revision, incident = drawn["revision"], drawn["incident"]
        onset_s = self.model.now_ms / 1000 - NOON_S - drawn["ago_s"]
        closed = drawn["closed"] and revision > 1
        return a_told(
            "closed" if closed else "opened" if revision == 1 else "updated",
            revision,
            epoch=epoch,
            incident=f"{incident}-{drawn['stream'][-3:]}",
            detector="video-black" if incident == "i3" else "video-freeze",
            onset_s=onset_s,
            recovery_s=onset_s + drawn["lasts_s"] if closed else None,
            stream=drawn["stream"],
        )

    @invariant()
    def same_history(self) -> None:
        events = self.fleet.reader.read_events(merged=True)
        real = [(one.told.event.kind, one.told.id, one.merged_into) for one in events]
        assert real == self.model.history, f"{real} != {self.model.history}"

    @invariant()
    def same_open_incidents(self) -> None:
        real = {
            (one.stream, one.id, one.onset_ms) for one in self.fleet.reader.read_open_incidents()
        }
        model = {
            (stream, name, known.onset_ms)
            for stream, incidents in self.model.incidents.items()
            for name, known in incidents.items()
            if known.state == "open" and known.is_offered
        }
        assert real == model, f"{real} != {model}"

    @invariant()
    def same_owners_and_epochs(self) -> None:
        claims = self.fleet.operator.read_claims()
        real = {stream: (claim.epoch, claim.worker) for stream, claim in claims.items()}
        assert real == {
            stream: (one.epoch, one.worker) for stream, one in self.model.claims.items()
        }
        assert self.fleet.operator.read_epochs() == self.model.epochs


@pytest.mark.timeout(300)
def test_redis_does_what_the_model_does(redis_server: RedisServer) -> None:
    scripts = Scripts(redis_server.client(), redis_server.url, PREAMBLE)
    machine = type("Machine", (FleetMachine,), {"scripts": scripts})

    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=50,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    scripts.close()
