"""The protocol with one part left out. Each of these the simulation has to notice.

A mutation of a script replaces a piece of its text; one of Python replaces a function while the
simulation runs. A piece that is not there any more fails, so that no mutation turns into nothing
when the product changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

from streammonitor_api.errors import UnavailableError
from streammonitor_operator.handover import Cue, Phase
from streammonitor_operator.roster import Roster
from streammonitor_operator.scheduling import Scheduler
from streammonitor_worker.sinks.sender import Sender
from streammonitor_worker.supervisor.duties import Assigned, Duties
from tests.support.fleet_sim.faults import Kind

COMEBACKS = (Kind.WORKER_PAUSE, Kind.WORKER_CUT)
"""Owners that come back and believe that they still are."""
DEATHS = (Kind.WORKER_DEATH, Kind.WORKER_LOSS, *COMEBACKS)
TROUBLE = (Kind.WORKER_TROUBLE, Kind.REDIS_OUTAGE)
MOVES = (Kind.WORKER_JOIN, Kind.WORKER_DRAIN)


@dataclass(frozen=True, slots=True)
class Mutation:
    """What is left out, how, which faults bring it to light, and what is said then."""

    name: str
    kinds: tuple[Kind, ...]
    noticed: str
    """A pattern of the violation."""
    script: str = ""
    piece: str = ""
    instead: str = ""
    replaced: tuple[Any, str, Any] | None = None
    """An object, the name of its attribute, and what stands there instead."""

    def edit(self, script: str, text: str) -> str:
        """The text of a script, mutated where it is this one."""
        if script != self.script:
            return text
        if text.count(self.piece) != 1:
            raise LookupError(f"mutation {self.name}: its piece of {script}.lua is not there")
        return text.replace(self.piece, self.instead)

    @contextmanager
    def applied(self) -> Iterator[None]:
        with ExitStack() as stack:
            if self.replaced is not None:
                stack.enter_context(patch.object(*self.replaced))
            yield


def _deal_anew(self: Scheduler, now_ms: int) -> None:
    """When some streams lose their worker all are dealt anew, as Argo CD's shards are."""
    state = self.state
    if not state.placement.unplaced:
        return
    for stream in list(state.ledger):
        if state.ledger[stream].phase is Phase.WATCHED:
            state.ledger.cue(stream, Cue.OWNER_DIED, now_ms)
    workers = sorted(worker.beat.worker for worker in state.roster.alive())
    for number, stream in enumerate(sorted(state.placement.unplaced)):
        chosen = workers[number % len(workers)]
        state.ledger.cue(stream, Cue.PLACED, now_ms, chosen=chosen)


_take, _send = Duties._take, Sender._send


def _claim_at_once(self: Duties, stream: str, wanted: Assigned, now: float) -> Any:
    return _take(self, stream, replace(wanted, overlap_s=0.0), now)


def _send_once(self: Any, told: Any) -> str:
    try:
        return _send(self, told)
    except UnavailableError:
        return "lost"


MUTATIONS = (
    Mutation(
        "events of older epochs are recorded",
        COMEBACKS,
        "two publishers",
        script="publish",
        piece="""if claim and claim.epoch > told.epoch then
  return {'fenced', claim.epoch, claim.worker}
end""",
        instead="if true then claim = {epoch = told.epoch, worker = told.worker,"
        " incarnation = told.incarnation, claimed_ms = 0} end",
    ),
    Mutation(
        "an epoch is handed out again",
        DEATHS,
        "not watched",
        script="assign",
        piece="epoch = math.max(before, epoch) + 1",
        instead="epoch = math.max(before, epoch, 1)",
    ),
    Mutation(
        "a new owner adopts nothing",
        DEATHS,
        "never closed|told twice",
        script="claim",
        piece="incidents[#incidents + 1] = redis.call('HGET', KEYS[7], id)",
    ),
    Mutation(
        "events that were seen are recorded again",
        TROUBLE,
        "this revision of",
        script="publish",
        piece="""if known.state == 'closed' or known.revision >= told.revision then
    return {'seen'}
  end""",
    ),
    Mutation(
        "what an older owner saw is not compared",
        COMEBACKS,
        "is told twice, as",
        script="merge",
        piece="local id, same = find_same()",
        instead="local id, same",
    ),
    Mutation(
        "survivors move when a worker dies",
        DEATHS,
        "is taken from",
        replaced=(Scheduler, "_place", _deal_anew),
    ),
    Mutation(
        "a move has no overlap",
        MOVES,
        "does not watch",
        replaced=(Duties, "_take", _claim_at_once),
    ),
    Mutation(
        "events are sent once and not kept",
        TROUBLE,
        "never told|never closed|before it was opened",
        replaced=(Sender, "_send", _send_once),
    ),
    Mutation(
        "nobody ever counts as dead",
        DEATHS,
        "not watched",
        replaced=(Roster, "_has_died", lambda *_: False),
    ),
)
