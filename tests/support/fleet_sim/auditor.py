"""Looks at everything after every step, as nobody in the fleet can, and raises ViolationError.

one publisher        what is recorded is of the owner, or of one before it about what began
                     before the owner's claim
none lost or doubled the ledger's books
epochs               never go back, of claims and of what is handed out
survivors            no stream is taken from a worker that is well, but by a planned move
nobody forgotten     no stream is unassigned after a cycle of the operator while a worker lives
watched              everything wanted is watched again within the bound, by one worker
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from streammonitor_api.fleet.keys import Keys
from streammonitor_api.names import FleetName, StreamKey
from tests.support.fleet_sim.host import Host
from tests.support.fleet_sim.ledger import Recorded, ViolationError

if TYPE_CHECKING:
    from tests.support.fleet_sim.fleet import Simulation

FLEET = FleetName("simulated")
BOUND_S = 20.0
"""After the last fault everything is watched again within this: a worker counts as dead after 3 s,
an operator starts and hears from everybody, a stream opens in 2 s; the rest is messages that
arrive up to 8 s late."""
WELL_S = 5.0
"""A worker is well that has had no trouble for so long."""


class Auditor:
    def __init__(self, fleet: Simulation) -> None:
        self._fleet = fleet
        self.keys = Keys(FLEET)
        self._cursor = "-"
        self._claims: dict[str, list[tuple[int, float]]] = {}
        """Of each stream: epochs and when they were claimed."""
        self._owners: dict[str, str] = {}
        self._lost_at = -1e9
        fleet.ledger.well_tellers = self._well_tellers

    # ---- after every step ----

    def look(self) -> None:
        """Check what the last step changed."""
        for key, name in dict.fromkeys(self._fleet.server.take_changes()):
            if key == self.keys.claims:
                self._look_at_claim(name)
            elif key == self.keys.events:
                self._look_at_events()
            elif key.startswith(self.keys.assignments("")):  # type: ignore[arg-type]
                self._look_at_assignment(key, name)

    def data_lost(self) -> None:
        """Redis lost data: what it records from now on begins anew."""
        self._cursor = "-"
        self._lost_at = self._fleet.clock.now
        self._fleet.ledger.data_lost(self._states())
        self.memory_lost()
        entries = self._read("XREVRANGE", self.keys.events, "+", "-", "COUNT", "1")
        if entries:
            self._cursor = f"({entries[0][0].decode()}"
        self._fleet.server.take_changes()

    def _states(self) -> dict[str, str]:
        """Of all incidents that Redis knows: open, closed …"""
        states: dict[str, str] = {}
        for stream in self._fleet.streams.all:
            flat = self._read("HGETALL", self.keys.incidents_of(stream))
            for name, text in zip(flat[::2], flat[1::2], strict=True):
                states[name.decode()] = text.decode().split(" ")[2]
        return states

    def memory_lost(self) -> None:
        """Redis lost data, or an operator its memory: what neither of them knows may be told anew,
        unless a worker that is well does."""
        memories = [host.program.memory for host in self._fleet.operators if host.alive]
        known = {incident for one in memories for incident in one.incidents}
        for stream in self._fleet.streams.all:
            fields = self._read("HKEYS", self.keys.incidents_of(stream))
            known |= {field.decode() for field in fields}
        self._fleet.ledger.forget_all_but(known)
        epochs = {field.decode() for field in self._read("HKEYS", self.keys.epochs)}
        epochs |= {stream for one in memories for stream in one.streams}
        for stream in set(self._fleet.streams.all) - set(self._fleet.streams.wanted) - epochs:
            self._fleet.ledger.highest_epoch.pop(stream, None)
            self._claims.pop(stream, None)

    def _look_at_claim(self, stream: str) -> None:
        text = self._read("HGET", self.keys.claims, stream)
        if text is None:
            return
        epoch, worker = text.decode().split(" ")[:2]
        if worker == "-":
            return  # it was given up, or taken back
        now = self._fleet.clock.now
        known = self._claims.setdefault(stream, [])
        if not known or known[-1][0] < int(epoch):
            self._check_taking_over(stream, worker)
            known.append((int(epoch), now))
            self._owners[stream] = worker
            self._fleet.trace.note("redis", f"{stream} is claimed by {worker} at epoch {epoch}")
        self._fleet.ledger.claimed(stream, int(epoch), self._now)

    def _check_taking_over(self, stream: str, worker: str) -> None:
        """Whoever takes a stream from an owner that is well watches it already."""
        before = self._fleet.workers.get(self._owners.get(stream, ""))
        if before is None or before.name == worker or not self._is_up(before):
            return
        after = self._fleet.workers.get(worker)
        if stream in before.program.watched and (after is None or not after.program.sees(stream)):
            raise ViolationError(
                f"{worker} takes {stream} from {before.name} at {self._now} and does not watch it"
            )

    def _look_at_events(self) -> None:
        for entry, flat in self._read("XRANGE", self.keys.events, self._cursor, "+"):
            self._cursor = f"({entry.decode()}"
            fields = {
                flat[index].decode(): flat[index + 1].decode() for index in range(0, len(flat), 2)
            }
            if "merged" not in fields:
                self._accepted(fields)

    def _accepted(self, fields: dict[str, str]) -> None:
        event = json.loads(fields["event"])
        stream, epoch = fields["stream"], int(fields["epoch"])
        self._fleet.trace.note(
            "redis",
            f"{event['event']} {event['incident']['id']} of {stream} recorded, "
            f"epoch {epoch} of {fields['worker']}",
        )
        self._fleet.ledger.accept(
            Recorded(
                stream=stream,
                incident=event["incident"]["id"],
                kind=event["event"],
                revision=int(fields["revision"]),
                epoch=epoch,
                teller=self._fleet.teller(fields["worker"]),
                when=self._fleet.clock.now,
                replaced_at=self._replaced_at(stream, epoch),
                merged=self._fleet.server.ran("merge"),
            )
        )

    def _replaced_at(self, stream: str, epoch: int) -> float | None:
        """When a newer owner claimed the stream; None: there is none."""
        return next((at for known, at in self._claims.get(stream, ()) if known > epoch), None)

    def _look_at_assignment(self, key: str, stream: str) -> None:
        """Nobody takes a stream from a worker that is well without an overlap."""
        text = self._read("HGET", key, stream)
        if text is None:
            return
        epoch, overlap_ms, _ = text.decode().split(" ")
        worker = key.removeprefix(self.keys.assignments(""))  # type: ignore[arg-type]
        self._fleet.trace.note(
            "redis", f"{stream} is assigned to {worker} at epoch {epoch}, overlap {overlap_ms} ms"
        )
        newest = self._claims.get(stream)
        if newest and newest[-1][0] == int(epoch) and self._owners[stream] == worker:
            return  # it has it already, and Redis lost that
        owner = self._owner_of(stream)
        if owner is None or owner.name == worker or int(overlap_ms) or not self._is_well(owner):
            return
        if stream not in owner.program.watched or self._is_heard_late(owner):
            return
        raise ViolationError(
            f"{stream} is taken from {owner.name}, which is well, and given to {worker} "
            f"at {self._now}"
        )

    def _is_heard_late(self, owner: Host) -> bool:
        """An operator was in trouble when the owner started anew, and takes it for dead now."""
        return any(
            one.trouble_from < owner.started_at <= one.troubled_at for one in self._fleet.operators
        )

    # ---- after a cycle of the operator ----

    def after_cycle(self, known_s: float) -> None:
        """Everything that has been wanted for a while is assigned, as there is a worker."""
        fleet = self._fleet
        living = [host for host in fleet.workers.values() if self._is_well(host)]
        if not living or fleet.clock.now - max(self._lost_at, known_s) < BOUND_S:
            return
        assigned = set(self._assigned())
        for stream in fleet.streams.wanted_since(fleet.clock.now - WELL_S):
            if stream not in assigned:
                raise ViolationError(
                    f"{stream} is assigned to nobody at {self._now}, although "
                    f"{living[0].name} lives"
                )

    # ---- after a bout ----

    def wait_until_watched(self) -> float:
        """Go on until everything is watched; returns how long that took."""
        clock, began = self._fleet.clock, self._fleet.clock.now
        while (missing := self._unwatched()) and clock.now < began + BOUND_S:
            if not clock.step(began + BOUND_S):
                break
            self.look()
        if missing and (missing := self._unwatched()):
            raise ViolationError(
                f"{len(missing)} streams are not watched {BOUND_S:g} s after the last fault, "
                f"among them {missing[0]}: {self._about(missing[0])}"
            )
        return clock.now - began

    def is_busy(self) -> bool:
        """Whether a move is under way, or an event waits to be sent."""
        assigned = Counter(self._assigned())
        return any(count > 1 for count in assigned.values()) or any(
            host.program.waiting for host in self._fleet.workers.values() if host.alive
        )

    def whole(self) -> None:
        """Everything is as it should be, and nothing is left over."""
        if missing := self._unwatched():
            raise ViolationError(
                f"{missing[0]} is not watched at {self._now}: {self._about(missing[0])}"
            )
        wanted = set(self._fleet.streams.wanted)
        watchers: dict[str, list[str]] = {}
        for host in self._fleet.workers.values():
            if host.alive:
                for stream in host.program.streams:
                    watchers.setdefault(stream, []).append(host.name)
        for stream, names in watchers.items():
            if stream not in wanted:
                raise ViolationError(
                    f"{stream} is watched by {names} at {self._now}, but not wanted"
                )
            if len(names) > 1 and not self._is_changing(stream):
                raise ViolationError(f"{stream} is watched by {names} at {self._now}")

    # ---- what is looked at ----

    @property
    def _now(self) -> str:
        return f"{self._fleet.clock.now:.3f} s"

    def _read(self, *command: str) -> Any:
        (reply,) = self._fleet.server.peek(command)
        if isinstance(reply, Exception):
            raise reply
        return reply

    def _assigned(self) -> Iterator[str]:
        for name in self._fleet.worker_names:
            for stream in self._read("HKEYS", self.keys.assignments(name)):
                yield stream.decode()

    def _is_changing(self, stream: str) -> bool:
        """A move is under way, or has just been made."""
        claims = self._claims.get(stream, [])
        lately = bool(claims) and self._fleet.clock.now - claims[-1][1] < WELL_S
        return lately or sum(stream == one for one in self._assigned()) > 1

    def _owner_of(self, stream: str) -> Host | None:
        text = self._read("HGET", self.keys.claims, stream)
        return None if text is None else self._fleet.workers.get(text.decode().split(" ")[1])

    def _well_tellers(self) -> set[str]:
        return {host.teller for host in self._fleet.workers.values() if self._is_well(host)}

    def _is_well(self, host: Host) -> bool:
        return self._is_up(host) and not host.program.draining

    def _is_up(self, host: Host) -> bool:
        """It is there and has had no trouble for a while; it may be leaving."""
        return host.alive and self._fleet.clock.now - host.troubled_at > WELL_S

    def _unwatched(self) -> list[StreamKey]:
        watched = {
            stream
            for host in self._fleet.workers.values()
            if host.alive and not host.still
            for stream in host.program.watched
        }
        return [one for one in self._fleet.streams.wanted if one not in watched]

    def _about(self, stream: str) -> str:
        owner = self._read("HGET", self.keys.claims, stream)
        epoch = self._read("HGET", self.keys.epochs, stream)
        assigned = {
            name: text.decode()
            for name in self._fleet.worker_names
            if (text := self._read("HGET", self.keys.assignments(name), stream)) is not None
        }
        return f"claim {owner!r}, epoch {epoch!r}, assigned {assigned}"
