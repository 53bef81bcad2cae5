"""Which engine a stream runs in, and what is done about engines that die.

Pure. Engines are numbers: the ordinary ones, one a CPU core, and above them those that streams
are set apart in. An engine that dies is replaced at once. Whoever was in it when it died twice in
`MEMORY_S` is suspect and is set apart: a few each alone, many in halves, so that the one that
kills its engine is alone after a few deaths more. One that kills an engine in which it is alone,
for the third time in all, is put in quarantine, and tried again, alone, after a while. Where the
dying engine could name the stream that it was working on, only that one is suspect.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

MEMORY_S = 600.0
"""Deaths that lie farther apart have nothing to do with each other: an upgrade of a node, memory
that another process took."""
SUSPECT_DEATHS = 2
QUARANTINE_DEATHS = 3
APART = 4
"""Up to so many suspects get an engine each, 90 MB of memory; more are halved first."""
QUARANTINE_S = 300.0
"""The first quarantine; each further one of a stream is twice as long, up to `LONGEST_S`."""
LONGEST_S = 3600.0
TRUST_S = 60.0
"""A stream that has run for so long since an engine died under it is trusted again: a picture that
crashes a decoder is met again within the playlist's three segments."""
FILL_CORES = 0.7
"""An engine takes streams up to this load before another one is started."""
UNKNOWN_CORES = 0.15
"""What a stream is taken for before it was measured: 1080p at 25/s (FACTS: 5 streams a core)."""


@dataclass(slots=True)
class Member:
    """A stream of this worker, and where it runs."""

    stream: str
    engine: int | None = None
    """None: in quarantine, or not placed yet."""
    weight_cores: float = UNKNOWN_CORES
    deaths: list[float] = field(default_factory=list)
    """When engines died under it that it may have killed."""
    began_at: float = 0.0
    quarantines: int = 0
    quarantined_until: float | None = None


@dataclass(frozen=True, slots=True)
class Burial:
    """What is to be done after the death of an engine."""

    again: tuple[str, ...]
    """Streams to begin anew."""
    quarantined: tuple[str, ...]
    """Streams that are not to be run for a while."""


class Crew:
    """The engines of one worker. `engines`: how many ordinary ones there may be, >= 1."""

    def __init__(self, engines: int) -> None:
        self._ordinary = engines
        self._next_extra = engines
        self._members: dict[str, Member] = {}

    def engine_of(self, stream: str) -> int | None:
        """Where a stream runs; None where it does not."""
        member = self._members.get(stream)
        return None if member is None else member.engine

    def members(self, engine: int) -> list[str]:
        """The streams of an engine."""
        return [one.stream for one in self._members.values() if one.engine == engine]

    def engines(self) -> set[int]:
        """Those that have streams."""
        return {one.engine for one in self._members.values() if one.engine is not None}

    def quarantined(self, stream: str) -> bool:
        member = self._members.get(stream)
        return member is not None and member.quarantined_until is not None

    def deaths(self, stream: str) -> int:
        """How many engines died lately that it may have killed."""
        member = self._members.get(stream)
        return 0 if member is None else len(member.deaths)

    def place(self, now: float, stream: str) -> int:
        """Say in which engine a stream is to run; it stays there as long as that lives."""
        member = self._members.setdefault(stream, Member(stream))
        if member.engine is None:
            member.quarantined_until = None
            if self._suspect(member):
                self._set_apart([member])
            else:
                member.engine = self._choose(member.weight_cores)
            member.began_at = now
        return member.engine if member.engine is not None else 0

    def leave(self, stream: str) -> None:
        """A stream is no longer ours."""
        self._members.pop(stream, None)

    def weigh(self, weights: Mapping[str, float]) -> None:
        """Take measured weights, cores."""
        for stream, cores in weights.items():
            if stream in self._members:
                self._members[stream].weight_cores = cores

    def died(self, now: float, engine: int, culprit: str | None = None) -> Burial:
        """An engine died; `culprit` is the stream that it was working on, where it could tell."""
        members = [one for one in self._members.values() if one.engine == engine]
        known = [one for one in members if one.stream == culprit]
        for member in known or members:
            member.deaths = [at for at in member.deaths if now - at < MEMORY_S]
            member.deaths.append(now)
        quarantined = [one for one in members if self._hopeless(one, members, known)]
        for member in members:
            member.engine = None
            member.began_at = now
        for member in quarantined:
            length_s = min(LONGEST_S, QUARANTINE_S * 2**member.quarantines)
            member.quarantined_until = now + length_s
            member.quarantines += 1
        again = [one for one in members if one not in quarantined]
        self._set_apart([one for one in again if self._suspect(one)])
        for member in again:
            if member.engine is None:
                member.engine = self._choose(member.weight_cores)
        return Burial(tuple(one.stream for one in again), tuple(one.stream for one in quarantined))

    def pass_time(self, now: float) -> tuple[list[str], list[str]]:
        """Returns the streams whose quarantine is over (still to be placed), and those that
        have just earned trust again."""
        over = [
            one.stream
            for one in self._members.values()
            if one.quarantined_until is not None and now >= one.quarantined_until
        ]
        trusted = []
        for member in self._members.values():
            if member.deaths and member.engine is not None and now - member.began_at >= TRUST_S:
                member.deaths, member.quarantines = [], 0
                trusted.append(member.stream)
        return over, trusted

    def _suspect(self, member: Member) -> bool:
        return len(member.deaths) >= SUSPECT_DEATHS

    def _hopeless(self, member: Member, members: list[Member], known: list[Member]) -> bool:
        by_itself = len(members) == 1 or member in known
        return by_itself and len(member.deaths) >= QUARANTINE_DEATHS

    def _set_apart(self, suspects: list[Member]) -> None:
        for part in _parts(suspects):
            for member in part:
                member.engine = self._next_extra
            self._next_extra += 1

    def _choose(self, weight_cores: float) -> int:
        loads = dict.fromkeys(range(self._ordinary), 0.0)
        running = set()
        for member in self._members.values():
            if member.engine is not None and member.engine in loads:
                loads[member.engine] += member.weight_cores
                running.add(member.engine)
        roomy = [one for one in running if loads[one] + weight_cores <= FILL_CORES]
        return min(sorted(roomy or loads), key=lambda one: loads[one])


def _parts(suspects: list[Member]) -> Iterable[list[Member]]:
    if len(suspects) <= APART:
        return [[one] for one in suspects]
    half = len(suspects) // 2
    return [suspects[:half], suspects[half:]]
