"""What is wanted watched in a simulation: streams in monitors, which come, go and change."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

from streammonitor_api.fleet.records import StreamSpec
from streammonitor_api.names import StreamKey, stream_key
from streammonitor_operator.inventory import Monitor, MonitorKey
from tests.support.fleet_sim.world import ALARMS_S

if TYPE_CHECKING:
    from tests.support.fleet_sim.fleet import Simulation

A_MONITOR = 8
OVERLAP_S = max(ALARMS_S.values())


class Streams:
    """The truth about what is wanted; operators are fed from here."""

    def __init__(self, count: int) -> None:
        self.all: list[StreamKey] = []
        self._monitors: dict[MonitorKey, Monitor] = {}
        for number in range(count):
            monitor = f"monitor-{number // A_MONITOR}"
            self._add(MonitorKey(f"sim/{monitor}"), stream_key("sim", monitor, f"s{number}"))
        self._left_out: dict[StreamKey, StreamSpec] = {}
        self._since: dict[StreamKey, float] = {}

    def _add(self, key: MonitorKey, stream: StreamKey) -> None:
        self.all.append(stream)
        spec = StreamSpec(
            stream=stream,
            url=f"https://origin.example/{stream}.m3u8",
            detectors=(),
            overlap_s=OVERLAP_S,
            priority=len(self.all) % 3,
        )
        known = self._monitors.get(key, Monitor(key, 1, ()))
        self._monitors[key] = replace(known, specs=(*known.specs, spec))

    @property
    def monitors(self) -> list[Monitor]:
        return list(self._monitors.values())

    @property
    def wanted(self) -> list[StreamKey]:
        return [spec.stream for monitor in self._monitors.values() for spec in monitor.wanted]

    def wanted_since(self, since: float) -> list[StreamKey]:
        """Those that have been wanted at least since then."""
        return [one for one in self.wanted if self._since.get(one, 0.0) <= since]

    def change(self, fleet: Simulation, random: Random, share: float) -> None:
        """Some streams are left out or come back, and some are changed."""
        for key, monitor in list(self._monitors.items()):
            if random.random() > share:
                continue
            self._change_monitor(fleet, random, key, monitor)
        for host in fleet.operators:
            if host.program is not None:
                host.program.feed()

    def _change_monitor(
        self, fleet: Simulation, random: Random, key: MonitorKey, monitor: Monitor
    ) -> None:
        specs = {spec.stream: spec for spec in monitor.specs}
        now = fleet.clock.now
        for stream in [one for one in self._left_out if one.startswith(f"{key}/")]:
            specs[stream] = self._left_out.pop(stream)
            self._since[stream] = now
            fleet.ledger.wanted(stream, now)
            fleet.trace.note("streams", f"{stream} is wanted again")
        victim = random.choice(list(specs))
        if random.random() < 0.5 and len(specs) > 1:
            self._left_out[victim] = specs.pop(victim)
            fleet.ledger.unwanted(victim, now)
            fleet.trace.note("streams", f"{victim} is not wanted any more")
        else:
            specs[victim] = replace(specs[victim], priority=random.randrange(5))
            fleet.trace.note("streams", f"{victim} gets another priority")
        self._monitors[key] = replace(
            monitor, generation=monitor.generation + 1, specs=tuple(specs.values())
        )
