"""A simulated operator: the product's loop, with planner and handover, on virtual time."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from streammonitor_api.errors import FencedError
from streammonitor_api.fleet.store import OperatorStore, ReaderStore
from streammonitor_operator.inventory import Inventory
from streammonitor_operator.reconcile import Mode, Reconciler
from tests.support.fleet_sim.auditor import FLEET
from tests.support.fleet_sim.host import Host
from tests.support.fleet_sim.machine import Process

if TYPE_CHECKING:
    from tests.support.fleet_sim.fleet import Simulation

LISTING_S = 1.0
"""How long it takes to learn of all monitors."""
WAKING_S = 0.05
"""From a change of what is wanted to the cycle that takes it in."""


class Memory(NamedTuple):
    """Incidents that are open or were closed lately, and streams whose epochs are known."""

    incidents: frozenset[str]
    streams: frozenset[str]


class SimOperator:
    """One start of an operator."""

    def __init__(self, fleet: Simulation, host: Host, process: Process) -> None:
        self._fleet = fleet
        self._host = host
        self._process = process
        self._inventory = Inventory()
        scripts = fleet.scripts_of(host)
        self.reconciler = Reconciler(
            self._inventory,
            OperatorStore(scripts, FLEET),
            ReaderStore(scripts, FLEET),
            identity="simulation",
            name=host.name,
        )
        self._running_since: float | None = None
        self.ended = False

    @property
    def memory(self) -> Memory:
        """What it could write back if Redis lost its data now."""
        state = self.reconciler.state
        if not len(state.ledger):
            return Memory(frozenset(), frozenset())  # it has not begun: it would read what is there
        incidents = [name for some in state.incidents.values() for name in some]
        streams = [*state.ledger, *state.found.epochs]
        return Memory(frozenset([*incidents, *state.closed]), frozenset(streams))

    def begin(self) -> None:
        self._process.at(self._fleet.clock.now + LISTING_S, self._learn)
        self._process.cycle(self._step)

    def feed(self) -> None:
        """What is wanted has changed."""
        self._process.at(self._fleet.clock.now + WAKING_S, self._learn)

    def _learn(self) -> None:
        known = set(self._inventory.monitors)
        for monitor in self._fleet.streams.monitors:
            self._inventory.put_monitor(monitor)
            known.discard(monitor.key)
        for key in known:
            self._inventory.drop_monitor(key)
        self._inventory.complete()

    def _step(self) -> float:
        """One cycle; returns when the next is due."""
        try:
            outcome = self.reconciler.step(self._host.clock.wall())
        except FencedError as error:
            self._fleet.trace.note(self._host.name, f"ends: {error}")
            self._fleet.operator_ended(self._host)
            return float("inf")
        if outcome.problem:
            self._fleet.trace.note(self._host.name, outcome.problem)
        if outcome.mode is not Mode.RUNNING or outcome.problem:
            self._running_since = None
        elif self._running_since is None:
            self._running_since = self._fleet.clock.now
        if self._running_since is not None:
            self._fleet.auditor.after_cycle(self._running_since)
        return outcome.again_s
