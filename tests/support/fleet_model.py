"""The contract over Redis in memory: what the scripts are compared with. Slow, small, readable.

Outcomes are tuples: the word that the contract has for it, then what comes with it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from streammonitor_api.fleet.records import FleetEvent
from streammonitor_api.fleet.worker_store import SAME_DEFECT_MS

Outcome = tuple[object, ...]
FENCED: Outcome = ("fenced",)
LOST: Outcome = ("lost",)
SEEN_LATE_MS = 2000


@dataclass
class Holder:
    """A claim; `worker` is None once it was released. `before`: epochs and times of older ones."""

    epoch: int
    worker: str | None
    incarnation: str | None
    at_ms: int
    before: list[tuple[int, int]] = field(default_factory=list)


@dataclass
class Known:
    """An incident. `late`: the claim that it was told past, by an older owner."""

    revision: int
    epoch: int
    state: str
    onset_ms: int
    over_ms: int | None
    track: tuple[str, str]
    into: str | None = None
    is_offered: bool = False
    """It is among those that are open, for others to adopt."""
    late: tuple[int, str | None] | None = None

    @property
    def is_own(self) -> bool:
        return self.state in ("open", "closed")


class FleetModel:
    """One fleet."""

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms
        self.lose_data()
        self.history: list[tuple[str, str, str | None]] = []

    def lose_data(self) -> None:
        self.term = 0
        self.identity = ""
        self.seen_ms = self.beat_ms = self.restoring_until_ms = 0
        self.epochs: dict[str, int] = {}
        self.forgotten: set[str] = set()
        self.assigned: dict[str, dict[str, int]] = {}
        self.claims: dict[str, Holder] = {}
        self.beats: dict[str, tuple[str, int]] = {}
        self.succeeded: dict[str, set[str]] = {}
        self.incidents: dict[str, dict[str, Known]] = {}
        self.latest: dict[str, dict[tuple[str, str], str]] = {}
        self.history = []

    # Operator

    def start_term(self, identity: str, above: int) -> Outcome:
        if self.identity not in ("", identity) and self.now_ms - self.seen_ms < 30_000:
            return FENCED
        self.term = max(self.term, above) + 1
        self.identity, self.seen_ms = identity, self.now_ms
        return "started", self.term

    def _refusal(self, term: int) -> Outcome | None:
        if term > self.term:
            return LOST
        if term < self.term:
            return FENCED
        self.seen_ms = self.now_ms
        return None

    def want(self, term: int, stream: str) -> Outcome:
        if refusal := self._refusal(term):
            return refusal
        self.forgotten.discard(stream)
        return ("ok",)

    def assign(self, term: int, worker: str, stream: str, above: int) -> Outcome:
        if refusal := self._refusal(term):
            return refusal
        claimed = self.claims[stream].epoch if stream in self.claims else 0
        epoch = max(self.epochs.get(stream, 0), claimed, above) + 1
        self.epochs[stream] = epoch
        self.assigned.setdefault(worker, {})[stream] = epoch
        return "assigned", epoch

    def withdraw(self, term: int, worker: str, stream: str, unless_claimed: bool) -> Outcome:
        if refusal := self._refusal(term):
            return refusal
        mine = self.assigned.setdefault(worker, {})
        claim = self.claims.get(stream)
        held = claim is not None and (claim.worker, claim.epoch) == (worker, mine.get(stream))
        if unless_claimed and held:
            return ("claimed",)
        mine.pop(stream, None)
        return ("withdrawn",)

    def forget(self, term: int, stream: str) -> Outcome:
        if refusal := self._refusal(term):
            return refusal
        for name, known in sorted(self.incidents.get(stream, {}).items()):
            if known.state == "open" and known.is_offered:
                known.revision, known.state, known.over_ms = (
                    known.revision + 1,
                    "closed",
                    self.now_ms,
                )
                known.late = None
                self.history.append(("closed", f"{name}.{known.revision}", None))
        self.latest.pop(stream, None)
        self.claims.pop(stream, None)
        self.forgotten.add(stream)
        return ("ok",)

    # Worker

    def beat(self, worker: str, incarnation: str, serial: int) -> Outcome:
        before = -1
        if worker in self.beats:
            stored, count = self.beats[worker]
            if stored == incarnation:
                before = count
            elif incarnation in self.succeeded.get(worker, ()) or (serial and stored > incarnation):
                return FENCED
            else:
                self.succeeded.setdefault(worker, set()).add(stored)
        self.beats[worker] = (incarnation, serial)
        if self.term:
            if self.now_ms - max(self.seen_ms, self.beat_ms) > 3000:
                self.restoring_until_ms = self.now_ms + 3000
            self.beat_ms = self.now_ms
        return "beat", serial > 0 and before < serial - 1

    def claim(self, stream: str, epoch: int, worker: str, incarnation: str, again: bool) -> Outcome:
        if self._is_blank:
            return LOST
        held = self.claims.get(stream)
        if held and held.epoch > epoch:
            return FENCED
        if held and held.epoch == epoch and held.worker is not None:
            if held.worker != worker:
                return FENCED
            if held.incarnation == incarnation:
                return "claimed", self.open_on(stream)
            if worker in self.beats and self.beats[worker][0] != incarnation:
                return FENCED
        if stream in self.forgotten:
            return FENCED
        if self.assigned.get(worker, {}).get(stream) != epoch:
            is_known = epoch <= self.epochs.get(stream, 0)
            if worker in self.assigned and is_known:
                return FENCED
            if not again or is_known:
                return LOST
        before = [(held.epoch, held.at_ms), *held.before][:8] if held else []
        self.claims[stream] = Holder(epoch, worker, incarnation, self.now_ms, before)
        self.epochs[stream] = max(self.epochs.get(stream, 0), epoch)
        return "claimed", self.open_on(stream)

    def release(self, stream: str, epoch: int, worker: str, incarnation: str) -> Outcome:
        held = self.claims.get(stream)
        if not held or (held.epoch, held.worker, held.incarnation) != (epoch, worker, incarnation):
            return ("released", False)
        held.worker = held.incarnation = None
        return ("released", True)

    def open_on(self, stream: str) -> frozenset[str]:
        """What an owner adopts: of each track the open incident that began last. One before it
        may still be open, and is closed by whoever spooled it."""
        return frozenset(self.latest.get(stream, {}).values())

    @property
    def _is_blank(self) -> bool:
        return not self.term or self.now_ms < self.restoring_until_ms

    # Events

    def publish(self, told: FleetEvent, worker: str, incarnation: str) -> Outcome:
        if self._is_blank:
            return LOST
        held = self.claims.get(told.stream)
        if held and held.epoch > told.epoch:
            return FENCED
        if not held or held.epoch < told.epoch or held.worker is None:
            return LOST
        if (held.worker, held.incarnation) != (worker, incarnation):
            return FENCED
        answer = self._known_answer(told) or self._adopt(told) or self._merge_late(told, held)
        return answer or self._record(told, _over_ms(told))

    def merge(
        self, told: FleetEvent, over_ms: int | None, worker: str, incarnation: str
    ) -> Outcome:
        if self._is_blank:
            return LOST
        held = self.claims.get(told.stream)
        newer_ms = self._newer_ms(told, worker, incarnation)
        this = (held.epoch, held.incarnation) if held else None
        known = self._incident(told)
        end_ms = _over_ms(told) if over_ms is None else over_ms
        if known:
            past = newer_ms is not None and (known.epoch > told.epoch or known.late != this)
            past = past and known.is_offered
            if known.is_own and known.state == "open" and known.revision < told.revision and past:
                return "merged", told.event.incident.id
            return self._known_answer(told) or self._record(told, end_ms, known.late)
        onset_ms = told.event.incident.onset.wall_ms
        if newer_ms is not None and onset_ms >= newer_ms:
            return self._note_merged(told, over_ms, None)
        same = self._same(told, end_ms, newer_ms)
        if same:
            self.history.append((told.event.kind, told.id, same))
            other = self.incidents[told.stream][same]
            other.onset_ms = min(other.onset_ms, onset_ms)
            return self._note_merged(told, over_ms, same)
        return self._record(told, end_ms, this if newer_ms is not None else None)

    def _incident(self, told: FleetEvent) -> Known | None:
        return self.incidents.get(told.stream, {}).get(told.event.incident.id)

    def _known_answer(self, told: FleetEvent) -> Outcome | None:
        known = self._incident(told)
        if known is None:
            return None
        if known.state == "merged":
            return "merged", known.into
        if known.state == "adopted" and known.into is not None:
            other = self.incidents[told.stream][known.into]
            return "adopt", known.into, known.revision, other.onset_ms
        if known.state == "closed" or known.revision >= told.revision:
            return ("seen",)
        if known.onset_ms < told.event.incident.onset.wall_ms:
            return "earlier", known.onset_ms
        return None

    def _adopt(self, told: FleetEvent) -> Outcome | None:
        if self._incident(told):
            return None
        name = self.latest.get(told.stream, {}).get(_track(told))
        if name is None:
            return None
        other = self.incidents[told.stream][name]
        over_ms = _over_ms(told)
        if over_ms is not None and over_ms < other.onset_ms:
            return None
        adopted = replace(other, state="adopted", into=name, epoch=told.epoch)
        self.incidents[told.stream][told.event.incident.id] = adopted
        return "adopt", name, other.revision, other.onset_ms

    def _merge_late(self, told: FleetEvent, held: Holder) -> Outcome | None:
        """It is what the owner before told after this claim, and is over."""
        onset_ms = told.event.incident.onset.wall_ms
        if self._incident(told) or onset_ms >= held.at_ms:
            return None
        found = [
            (known.onset_ms, name)
            for name, known in self.incidents.get(told.stream, {}).items()
            if known.state == "closed"
            and known.late == (held.epoch, held.incarnation)
            and known.track == _track(told)
            and known.over_ms is not None
            and known.onset_ms - SEEN_LATE_MS <= onset_ms <= known.over_ms
        ]
        if not found:
            return None
        into = min(found)[1]
        self.history.append((told.event.kind, told.id, into))
        return self._note_merged(told, _over_ms(told), into)

    def _record(
        self, told: FleetEvent, end_ms: int | None, late: tuple[int, str | None] | None = None
    ) -> Outcome:
        before, name, track = self._incident(told), told.event.incident.id, _track(told)
        onset_ms = told.event.incident.onset.wall_ms
        is_open = told.event.kind != "closed"
        is_offered = is_open and (end_ms is None or (before is not None and before.is_offered))
        incidents = self.incidents.setdefault(told.stream, {})
        known = incidents[name] = Known(
            told.revision,
            told.epoch,
            "open" if is_open else "closed",
            min(onset_ms, before.onset_ms) if before else onset_ms,
            end_ms,
            track,
            is_offered=is_offered,
            late=late,
        )
        latest = self.latest.setdefault(told.stream, {})
        if is_offered:
            other = latest.get(track)
            if other is None or incidents[other].onset_ms <= known.onset_ms:
                latest[track] = name
        elif latest.get(_track(told)) == told.event.incident.id:
            del latest[_track(told)]
        self.history.append((told.event.kind, told.id, None))
        return ("recorded",)

    def _note_merged(self, told: FleetEvent, over_ms: int | None, into: str | None) -> Outcome:
        incident = told.event.incident
        self.incidents.setdefault(told.stream, {})[incident.id] = Known(
            told.revision, told.epoch, "merged", incident.onset.wall_ms, over_ms, _track(told), into
        )
        return "merged", into

    def _newer_ms(self, told: FleetEvent, worker: str, incarnation: str) -> int | None:
        held = self.claims.get(told.stream)
        if held is None or held.epoch < told.epoch:
            return None
        if held.epoch == told.epoch:
            mine = held.worker is None or (held.worker, held.incarnation) == (worker, incarnation)
            return None if mine else held.at_ms
        times = [at_ms for epoch, at_ms in held.before if epoch > told.epoch]
        return min([held.at_ms, *times])

    def _same(self, told: FleetEvent, end_ms: int | None, newer_ms: int | None) -> str | None:
        """The incident that is the same defect: it overlaps, as far as both ends are known."""
        onset_ms = told.event.incident.onset.wall_ms
        latest_ms = end_ms
        if end_ms is None and newer_ms is not None:
            latest_ms = newer_ms + SAME_DEFECT_MS
        found = [
            (known.onset_ms, name)
            for name, known in self.incidents.get(told.stream, {}).items()
            if known.is_own
            and known.track == _track(told)
            and (known.over_ms is None or known.over_ms >= onset_ms)
            and (latest_ms is None or known.onset_ms <= latest_ms)
        ]
        return min(found)[1] if found else None


def _track(told: FleetEvent) -> tuple[str, str]:
    return told.event.incident.detector, told.event.incident.track


def _over_ms(told: FleetEvent) -> int | None:
    if told.event.kind != "closed":
        return None
    recovery = told.event.incident.recovery
    assert recovery is not None  # tests give one
    return recovery.wall_ms
