"""That Redis is away is said once, and what others told lately is found or done without."""

from __future__ import annotations

import logging
from collections.abc import Iterable

import pytest

from streammonitor_api.errors import UnavailableError
from streammonitor_api.fleet.records import FleetEvent, RecordedEvent
from streammonitor_api.names import Epoch, StreamKey, WorkerId
from streammonitor_worker.supervisor.history import read_closed
from streammonitor_worker.supervisor.liaison import TELL_AGAIN_S, Trouble
from tests.support.builders import an_event, an_incident

ONE, TWO = StreamKey("prod/sports/one"), StreamKey("prod/sports/two")


def test_trouble_is_told_at_its_beginning_now_and_then_and_at_its_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now = 0.0
    trouble = Trouble(lambda: now)
    caplog.set_level(logging.WARNING)

    for now in (0.0, 0.5, 1.0, TELL_AGAIN_S, TELL_AGAIN_S + 0.5):  # noqa: B007  # read above
        trouble.begin(UnavailableError("Redis at h:1: does not answer"))
    assert len(caplog.messages) == 2
    assert trouble.why.startswith("Redis at h:1")
    trouble.end()
    trouble.end()

    assert caplog.messages[2] == f"Redis answers again, after {TELL_AGAIN_S + 0.5:.0f} s"
    assert len(caplog.messages) == 3
    assert trouble.why == ""


def test_errors_that_take_turns_are_each_told_once(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    trouble = Trouble(lambda: now)
    caplog.set_level(logging.WARNING)

    for now in range(10):
        trouble.begin(UnavailableError("refused" if now % 2 else "not in time"))

    assert [one.partition(";")[0] for one in caplog.messages] == ["not in time", "refused"]


def recorded(stream: StreamKey, kind: str, onset_s: float) -> RecordedEvent:
    recovery_s = onset_s + 3.0 if kind == "closed" else None
    incident = an_incident("video-black", stream=stream, onset_s=onset_s, recovery_s=recovery_s)
    event = an_event(kind, incident)  # type: ignore[arg-type]
    told = FleetEvent(stream=stream, epoch=Epoch(1), revision=1, event=event)
    return RecordedEvent(entry="1-0", worker=WorkerId("w"), told=told)


class History:
    def __init__(self, events: Iterable[RecordedEvent] | None) -> None:
        self.events = events
        self.since_ms = -1

    def read_events(self, since_ms: int = 0) -> Iterable[RecordedEvent]:
        self.since_ms = since_ms
        if self.events is None:
            raise UnavailableError("Redis is away")
        return self.events


def test_closed_incidents_of_the_last_minute_are_found_by_stream() -> None:
    history = History(
        [recorded(ONE, "opened", 1.0), recorded(ONE, "closed", 1.0), recorded(TWO, "closed", 2.0)]
    )

    closed = read_closed(history, [ONE], until_ms=100_000)

    assert history.since_ms == 40_000
    assert [incident.onset.media_s for incident in closed[ONE]] == [1.0]
    assert closed.keys() == {ONE}


def test_stream_is_taken_over_although_the_history_cannot_be_read() -> None:
    assert read_closed(History(None), [ONE], until_ms=100_000) == {ONE: []}
