"""What operator and workers write to each other: frozen plain data, to and from JSON.

    record.py   what all records have in common, and the version of the contract
    specs.py    what is to be watched and by whom
    beats.py    what is heard of workers and of the operator
    history.py  what was found and what was missed

How records are stored is told in `keys.py`; who may write them, in `store.py`.
"""

from __future__ import annotations

from streammonitor_api.fleet.beats import (
    BEAT_S,
    DEAD_AFTER_S,
    STREAM_STATES,
    TABLE_EVERY_S,
    BeatAnswer,
    Claim,
    FleetSeen,
    Heartbeat,
    OperatorSeen,
    StreamRow,
    StreamState,
    StreamTable,
    WorkerSeen,
    Written,
)
from streammonitor_api.fleet.history import (
    Claimed,
    CoverageTotal,
    EventField,
    FleetEvent,
    Gap,
    OpenIncident,
    Publication,
    RecordedEvent,
)
from streammonitor_api.fleet.record import (
    CONTRACT_VERSION,
    OLDEST_VERSION,
    Record,
)
from streammonitor_api.fleet.specs import (
    LONGEST_OVERLAP_S,
    Assign,
    Assignment,
    AssignmentChange,
    Assignments,
    AssignmentsWritten,
    Keep,
    NotifyTarget,
    PlanField,
    Renditions,
    StreamSpec,
    TargetKind,
    Withdraw,
)

__all__ = [
    "BEAT_S", "CONTRACT_VERSION", "DEAD_AFTER_S", "LONGEST_OVERLAP_S", "OLDEST_VERSION",
    "STREAM_STATES", "TABLE_EVERY_S", "Assign", "Assignment", "AssignmentChange", "Assignments",
    "AssignmentsWritten", "BeatAnswer", "Claim", "Claimed", "CoverageTotal", "EventField",
    "FleetEvent", "FleetSeen", "Gap", "Heartbeat", "Keep", "NotifyTarget", "OpenIncident",
    "OperatorSeen", "PlanField", "Publication", "Record", "RecordedEvent", "Renditions",
    "StreamRow", "StreamSpec", "StreamState", "StreamTable", "TargetKind", "Withdraw", "WorkerSeen",
    "Written",
]  # fmt: skip
