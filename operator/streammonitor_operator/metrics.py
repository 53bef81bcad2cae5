"""The fleet in numbers, as Prometheus reads them: every metric is named here and nowhere else.

Collected when asked for, from the state as it is: a cycle pays nothing for it. What the streams
themselves look like (pictures, lag, incidents by detector) is the workers' to tell.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from streammonitor_operator.demand import demand_of
from streammonitor_operator.handover import Phase
from streammonitor_operator.reconcile import Mode, Reconciler
from streammonitor_operator.settings import OperatorSettings

_Family = GaugeMetricFamily | CounterMetricFamily


class FleetCollector(Collector):
    """Reads a reconciler between two of its cycles."""

    def __init__(self, reconciler: Reconciler, settings: OperatorSettings) -> None:
        self._reconciler, self._settings = reconciler, settings

    def describe(self) -> list[_Family]:
        return []

    def collect(self) -> Iterator[_Family]:
        yield from self._scale()
        yield from self._streams()
        yield from self._counts()
        yield from self._self()

    def _scale(self) -> Iterator[_Family]:
        demand = demand_of(
            self._reconciler.state,
            head_room=self._settings.head_room,
            fallback_cores=self._settings.worker_capacity_cores,
        )
        yield _gauge("workers_wanted", "Workers that the demand calls for.", demand.workers_wanted)
        yield _gauge("demand_cores", "Cores that all wanted streams need.", demand.demand_cores)
        yield _gauge("capacity_cores", "Cores of the workers that stay.", demand.capacity_cores)
        workers = Counter(one.state for one in self._reconciler.state.roster.workers.values())
        yield _labelled(
            "workers",
            "Workers by state.",
            "state",
            {state: workers[state] for state in ("ready", "not-ready", "draining", "dead")},
        )

    def _streams(self) -> Iterator[_Family]:
        state = self._reconciler.state
        phases = Counter(state.ledger[one].phase for one in state.ledger)
        yield _labelled(
            "streams",
            "Wanted streams by the phase of their owner.",
            "phase",
            {phase: phases[phase] for phase in Phase},
        )
        yield _gauge(
            "streams_unwatched",
            "Wanted streams that nobody watches now.",
            state.coverage.unwatched(),
        )
        wanted_s, watched_s = state.coverage.sums(self._reconciler.redis_ms)
        ratio = watched_s / wanted_s if wanted_s > 0 else 1.0
        yield _gauge("coverage_ratio", "Watched over wanted seconds, of all streams.", ratio)
        counts = self._reconciler.reporter.count()
        yield _labelled("monitors", "Monitors by why they are ready or not.", "reason", counts)
        incidents = sum(len(some) for some in state.incidents.values())
        yield _gauge("open_incidents", "Open incidents of all streams.", incidents)

    def _counts(self) -> Iterator[_Family]:
        tally, coverage = self._reconciler.state.ledger.tally, self._reconciler.state.coverage
        yield _counter("placements", "Streams that were given to a worker.", tally.placed)
        yield _counter("failovers", "Streams that were taken from dead workers.", tally.failovers)
        moves = CounterMetricFamily(
            "streammonitor_fleet_moves", "Planned moves by what became of them.", labels=["outcome"]
        )
        moves.add_metric(["ordered"], tally.moves_ordered)
        moves.add_metric(["done"], tally.moves_done)
        moves.add_metric(["called-off"], tally.moves_called_off)
        yield moves
        missed = CounterMetricFamily(
            "streammonitor_fleet_unwatched_seconds",
            "Seconds in which streams were wanted and not watched, of gaps that are over.",
            labels=["reason"],
        )
        for reason, seconds in sorted(coverage.missed_s.items()):
            missed.add_metric([reason], seconds)
        yield missed

    def _self(self) -> Iterator[_Family]:
        reconciler = self._reconciler
        running = reconciler.mode is Mode.RUNNING
        yield _gauge("operator_running", "1 while the loop decides, 0 while it waits.", running)
        yield _gauge("redis_up", "1 if Redis answered in the last cycle.", reconciler.redis_is_up)
        yield _gauge("operator_term", "Term of this operator.", reconciler.term or 0)
        yield _counter("cycles", "Cycles of the loop.", reconciler.cycles)
        yield _counter("cycle_seconds", "Time spent in cycles.", reconciler.cycle_s)


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"streammonitor_fleet_{name}", text, value=value)


def _counter(name: str, text: str, value: float) -> CounterMetricFamily:
    return CounterMetricFamily(f"streammonitor_fleet_{name}", text, value=value)


def _labelled(name: str, text: str, label: str, values: dict[str, int]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"streammonitor_fleet_{name}", text, labels=[label])
    for key, value in sorted(values.items()):
        family.add_metric([str(key)], value)
    return family
