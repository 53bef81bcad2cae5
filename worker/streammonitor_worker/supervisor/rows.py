"""How the streams of a worker are doing, for its heartbeat and for whoever asks. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from streammonitor_api.fidelity import Fidelity
from streammonitor_api.fleet.records import StreamRow, StreamState
from streammonitor_api.incident import wall_time
from streammonitor_api.names import Epoch, StreamKey
from streammonitor_worker.engine.messages import StreamStats
from streammonitor_worker.status import StreamStatus
from streammonitor_worker.supervisor.duties import Duty

WEIGHT_STEP = 0.25
"""A weight that changed by less than this share is not news: planning tolerates 5 %, and weights
of live programmes breathe."""
LAG_STEP_S = 1.0
"""The same for lag."""


def row_of(
    duty: Duty, stats: StreamStats | None, trouble: str | None, note: str | None = None
) -> StreamRow:
    """A stream's row; `trouble` says why it is in quarantine, None where it is not, and `note`
    what else is wrong with it."""
    stats = stats or StreamStats(stream=duty.stream)
    state: StreamState
    if trouble is not None:
        state = "quarantined"
    elif stats.state in ("reconnecting", "ended", "failed"):
        state = "reconnecting"
    elif stats.state == "opening":
        state = "opening"
    else:
        state = "watching" if duty.claimed else "warming"
    return StreamRow(
        stream=StreamKey(duty.stream),
        epoch=Epoch(duty.claimed or duty.assigned.epoch),
        state=state,
        claimed=bool(duty.claimed),
        weight_cores=_rounded(stats.full_cores or stats.cores),
        pixel_rate=stats.pixel_rate,
        lag_s=round(stats.lag_s, 1),
        fidelity=Fidelity(stats.fidelity),
        last_picture_wall=None if stats.last_media is None else wall_time(stats.last_media),
        spec_revision=duty.assigned.spec_revision,
        error=trouble or note or stats.error,
    )


def is_news(row: StreamRow, before: StreamRow | None) -> bool:
    """Whether a row has to be told now, and not with the next regular table."""
    if before is None:
        return True
    passing = {"last_picture_wall": None, "weight_cores": None, "lag_s": 0.0}
    if replace(row, **passing) != replace(before, **passing):  # type: ignore[arg-type]
        return True
    if (row.weight_cores is None) != (before.weight_cores is None):
        return True
    weight, known = row.weight_cores or 0.0, before.weight_cores or 0.0
    if abs(weight - known) > WEIGHT_STEP * max(known, 0.02):
        return True
    if (row.last_picture_wall is None) != (before.last_picture_wall is None):
        return True
    return abs(row.lag_s - before.lag_s) > LAG_STEP_S


def status_of(duty: Duty, stats: StreamStats | None) -> StreamStatus:
    """A stream as telemetry counts it."""
    stats = stats or StreamStats(stream=duty.stream)
    return StreamStatus(
        stream=duty.stream,
        state=stats.state,
        media_s=stats.media_s,
        lag_s=stats.lag_s,
        fidelity=stats.fidelity,
        pictures=stats.pictures,
        cpu_s=stats.cpu_s,
        reconnects=stats.reconnects,
        open_incidents=tuple(one.incident for one in duty.left_open.values()),
        error=stats.error,
    )


def shown(
    row: StreamRow, duty: Duty, stats: StreamStats | None, engine: int | None
) -> Mapping[str, Any]:
    """A stream as `/streams` shows it."""
    return {
        "stream": row.stream,
        "epoch": row.epoch,
        "state": row.state,
        "claimed": row.claimed,
        "duty": duty.state.value,
        "engine": engine,
        "fidelity": row.fidelity,
        "weight_cores": row.weight_cores,
        "lag_s": row.lag_s,
        "pictures": 0 if stats is None else stats.pictures,
        "media_s": 0.0 if stats is None else stats.media_s,
        "last_picture_wall": row.last_picture_wall,
        "open_incidents": [one.incident.id for one in duty.left_open.values()],
        "error": row.error,
    }


def _rounded(cores: float | None) -> float | None:
    return None if cores is None else round(cores, 3)
