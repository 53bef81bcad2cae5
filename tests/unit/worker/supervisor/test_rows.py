"""How a stream is told to the fleet, and when that is news."""

from __future__ import annotations

from typing import Any

import pytest

from streammonitor_api.fleet.records import StreamRow, StreamSpec
from streammonitor_api.names import stream_key
from streammonitor_worker.engine.messages import StreamStats
from streammonitor_worker.supervisor.duties import Assigned, Duty
from streammonitor_worker.supervisor.rows import is_news, row_of

STREAM = stream_key("prod", "sports", "one")
SPEC = StreamSpec(stream=STREAM, url="http://host/x", detectors=())


def row(trouble: str | None = None, claimed: int = 7, **known: Any) -> StreamRow:
    duty = Duty(STREAM, Assigned(7, 0.0, SPEC), claimed=claimed)
    stats = StreamStats(stream=STREAM, **known) if known else None
    return row_of(duty, stats, trouble)


@pytest.mark.parametrize(
    ("known", "state"),
    [
        ({}, "opening"),
        ({"state": "opening"}, "opening"),
        ({"state": "watching"}, "watching"),
        ({"state": "watching", "claimed": 0}, "warming"),
        ({"state": "reconnecting"}, "reconnecting"),
        ({"state": "ended"}, "reconnecting"),
        ({"state": "watching", "trouble": "in quarantine"}, "quarantined"),
    ],
    ids=lambda value: str(value),
)
def test_state_is_what_the_fleet_has_a_word_for(known: dict[str, Any], state: str) -> None:
    assert row(**known).state == state


def test_unclaimed_row_tells_the_epoch_that_is_assigned() -> None:
    assert row(claimed=0).epoch == 7
    assert row(claimed=5).epoch == 5


def test_weight_is_that_of_the_fidelity_that_is_wanted() -> None:
    assert row(state="watching", cores=0.02, full_cores=0.2).weight_cores == 0.2


def test_what_is_the_same_but_for_the_time_is_no_news() -> None:
    before = row(state="watching", cores=0.2, last_media=1000.0)

    assert not is_news(row(state="watching", cores=0.21, last_media=1001.0), before)


@pytest.mark.parametrize(
    "known",
    [
        {"state": "reconnecting", "cores": 0.2, "last_media": 1000.0},
        {"state": "watching", "cores": 0.3, "last_media": 1000.0},
        {"state": "watching", "cores": 0.2, "last_media": 1000.0, "lag_s": 3.0},
        {"state": "watching", "cores": 0.2, "last_media": 1000.0, "claimed": 0},
        {"state": "watching", "cores": 0.2, "last_media": 1000.0, "fidelity": "Adaptive"},
        {"state": "watching", "cores": 0.2},
    ],
    ids=["state", "weight", "lag", "claim", "fidelity", "media"],
)
def test_what_matters_is_news(known: dict[str, Any]) -> None:
    before = row(state="watching", cores=0.2, last_media=1000.0)

    assert is_news(row(**known), before)
    assert is_news(before, None)
