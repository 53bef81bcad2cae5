"""Whose fidelity gives way when there is too little capacity: the least important stream's.

Pure. A stream lowers its own fidelity when it falls behind by 2 s (`pipeline/fidelity.py`), but
knows nothing of the others. Here limits are set on all streams of a worker before that comes to
pass: the lowest priority is lowered first, and raised last.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from streammonitor_api.fidelity import Fidelity

_ORDER = list(Fidelity)

SHORT_LAG_S = 1.0
"""Streams that are this late say that capacity is short: half of the lag at which they would lower
themselves, so that the priorities are asked first."""
FULL_SHARE = 0.95
"""Share of the capacity above which it counts as used up, whether anything is late yet or not."""
LOWERED_SHARE = 0.9
"""Share of the capacity to come down to."""
ROOM_SHARE = 0.8
"""Share of the capacity that may be used after a stream was raised."""
SETTLE_S = 10.0
"""Between two changes: weights are smoothed over so long, and whoever was late has to catch up.
After 3 s, streams were lowered that did not have to be."""
FIRST_TRIAL_S = 15.0
LONGEST_TRIAL_S = 240.0
"""Time without shortage before a stream is raised; doubled whenever that was followed by one."""
SAVED_SHARE = 0.8
"""Of a stream's weight, what a lower fidelity saves: key pictures only cost a tenth of all
pictures (FACTS), and sound is decoded at any fidelity."""


@dataclass(frozen=True, slots=True)
class Load:
    """One stream as shedding sees it."""

    priority: int
    wanted: Fidelity
    cores: float
    """What it uses now."""
    full_cores: float
    """What it uses at the fidelity that is wanted."""
    lag_s: float = 0.0


class Shedding:
    """Limits on the fidelity of the streams of one worker. `capacity_cores` > 0."""

    def __init__(self, capacity_cores: float) -> None:
        self._capacity_cores = capacity_cores
        self.limits: dict[str, Fidelity] = {}
        """Streams that are watched less closely than is wanted."""
        self._changed_at = float("-inf")
        self._calm_since: float | None = None
        self._trial_s = FIRST_TRIAL_S

    def choose(self, now: float, streams: Mapping[str, Load]) -> dict[str, Fidelity]:
        """Take how the streams are doing; returns the limits that changed."""
        self.limits = {one: limit for one, limit in self.limits.items() if one in streams}
        used = sum(load.cores for load in streams.values())
        late = any(load.lag_s > SHORT_LAG_S for load in streams.values())
        if now - self._changed_at < SETTLE_S:
            return {}
        if (late and used > ROOM_SHARE * self._capacity_cores) or (
            used > FULL_SHARE * self._capacity_cores
        ):
            self._calm_since = None
            return self._lower(now, streams, used)
        if self._calm_since is None:
            self._calm_since = now
        if self.limits and now - max(self._calm_since, self._changed_at) >= self._trial_s:
            return self._raise(now, streams, used)
        return {}

    def _lower(self, now: float, streams: Mapping[str, Load], used: float) -> dict[str, Fidelity]:
        """Lower as many of the least important as it takes to have some room again."""
        if now - self._changed_at < 2 * self._trial_s and self.limits:
            self._trial_s = min(2 * self._trial_s, LONGEST_TRIAL_S)
        excess = max(used - LOWERED_SHARE * self._capacity_cores, 0.1 * used)
        changed: dict[str, Fidelity] = {}
        order = sorted(streams, key=lambda one: (streams[one].priority, -streams[one].cores, one))
        for stream in order:
            if excess <= 0:
                break
            fidelity = self.limits.get(stream, streams[stream].wanted)
            position = max(_ORDER.index(fidelity), _ORDER.index(streams[stream].wanted)) + 1
            if position < len(_ORDER):
                changed[stream] = _ORDER[position]
                excess -= SAVED_SHARE * streams[stream].cores
        return self._set(now, changed)

    def _raise(self, now: float, streams: Mapping[str, Load], used: float) -> dict[str, Fidelity]:
        """Raise the most important of those that were lowered, if it fits."""
        stream = min(self.limits, key=lambda one: (-streams[one].priority, one))
        load = streams[stream]
        if used - load.cores + load.full_cores > ROOM_SHARE * self._capacity_cores:
            return {}
        position = _ORDER.index(self.limits[stream]) - 1
        raised = _ORDER[max(position, _ORDER.index(load.wanted))]
        changed = self._set(now, {stream: raised})
        if raised is load.wanted:
            del self.limits[stream]
        return changed

    def _set(self, now: float, changed: dict[str, Fidelity]) -> dict[str, Fidelity]:
        if changed:
            self.limits |= changed
            self._changed_at = now
        return changed
