"""Live streams that falter, in virtual time: a scripted source drives a real pipeline.

The script says when each item comes; between the items the pipeline is ticked ten times a second,
as the host does. Nothing waits: ten minutes of trouble take milliseconds.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

import pytest

from streammonitor_api.events import Event
from streammonitor_api.fidelity import Fidelity
from streammonitor_api.plan import resolve_plan
from streammonitor_worker.media import STREAM_TRACK, Connection, Failure, Item, Packet
from streammonitor_worker.pipeline import Pipeline
from streammonitor_worker.pipeline.stream import HELD_S
from streammonitor_worker.source import Source

TICK_S = 0.1
PACKET_S = 0.04


@dataclass
class Script:
    """A live source whose items come at given times; stands in for `source.Source`."""

    items_at: list[tuple[float, Item]]
    cadence_s: float = 0.0
    waits: bool = True
    """Whether the reader waited for each item; otherwise it is always behind."""
    live: bool = True
    duration_s: float | None = None
    progress: float | None = None
    away_at: float = math.inf
    """When it counts as away, unless something has come before."""
    stopped: tuple[float, float] = (math.inf, math.inf)
    """From when to when the process does nothing."""
    reconnects: int = 0
    waited_s: float = 0.0
    now: float = 0.0
    next_tick: float = 0.0
    fidelity: list[Fidelity] = field(default_factory=list)
    cpu_s: dict[str, float] = field(default_factory=dict)
    pipeline: Pipeline | None = None

    @property
    def away(self) -> str:
        begun = any(at <= self.now for at, item in self.items_at if isinstance(item, Packet))
        return "no answer" if self.now >= self.away_at and not begun else ""

    def set_fidelity(self, fidelity: Fidelity) -> None:
        self.fidelity.append(fidelity)

    def items(self) -> Iterator[Item]:
        for at, item in self.items_at:
            self.pass_time(at)
            yield item

    def pass_time(self, until: float) -> None:
        assert self.pipeline is not None
        self.waited_s += until - self.now if self.waits else 0.0
        while self.next_tick <= until:
            self.now = self.next_tick
            self.next_tick += TICK_S
            if not self.stopped[0] <= self.now < self.stopped[1]:
                self.pipeline.tick()
        self.now = until


def packets(
    begin: float, end: float, *, at: float | None = None, speed: float = 1.0, track: str = "video:0"
) -> list[tuple[float, Item]]:
    """Packets from media time `begin` to `end`, arriving from `at` on at `speed`."""
    first = begin if at is None else at
    count = round((end - begin) / PACKET_S)
    return [
        (
            first + number * PACKET_S / speed,
            Packet(track, begin + number * PACKET_S, PACKET_S, size=1000, key=number % 50 == 0),
        )
        for number in range(count)
    ]


def play(script: Script, until: float) -> list[Event]:
    events: list[Event] = []
    pipeline = Pipeline(
        "live",
        cast("Source", script),
        resolve_plan(),
        events.append,
        clock=lambda: script.now,
    )
    script.pipeline = pipeline
    script.items_at.append((until, Connection(STREAM_TRACK, until, True)))
    pipeline.run()
    return events


def by_time(items: list[tuple[float, Item]]) -> list[tuple[float, Item]]:
    return sorted(items, key=lambda pair: pair[0])


def told(events: list[Event]) -> list[tuple[str, str, str]]:
    """What opened and closed; that something goes on is left out."""
    return [
        (event.kind, event.incident.detector, event.incident.track)
        for event in events
        if event.kind != "updated"
    ]


def duration_of(event: Event) -> Any:
    return event.incident.duration_s


def test_steady_stream_raises_nothing() -> None:
    assert play(Script(packets(0, 60)), until=60) == []


def test_stall_is_told_after_five_seconds_and_ends_with_the_media() -> None:
    events = play(Script(packets(0, 20) + packets(20, 40, at=32)), until=52)

    assert told(events) == [
        ("opened", "stream-stall", "stream"),
        ("closed", "stream-stall", "stream"),
    ]
    closed = events[-1].incident
    assert closed.onset.media_s == pytest.approx(20.0, abs=PACKET_S)
    assert closed.recovery is not None
    assert closed.recovery.media_s == pytest.approx(20.0, abs=2 * PACKET_S)
    assert duration_of(events[-1]) == pytest.approx(12.0, abs=2 * TICK_S)


def test_stall_is_told_while_nothing_comes() -> None:
    events = play(Script(packets(0, 20)), until=26)

    assert told(events)[0] == ("opened", "stream-stall", "stream")


def test_segments_in_bursts_are_no_stall() -> None:
    bursts = [
        item
        for segment in range(20)
        for item in packets(6 * segment, 6 * segment + 6, at=6 * segment + 6, speed=20)
    ]

    assert play(Script(bursts, cadence_s=6.0), until=126) == []


def test_process_that_was_stopped_has_seen_no_stall() -> None:
    script = Script(packets(0, 20) + packets(20, 50, at=30))
    script.stopped = (20.0, 30.0)

    assert play(script, until=60) == []


def test_stall_goes_on_although_the_process_was_stopped() -> None:
    script = Script(packets(0, 20) + packets(20, 50, at=40))
    script.stopped = (23.0, 33.0)
    events = play(script, until=70)

    assert told(events) == [
        ("opened", "stream-stall", "stream"),
        ("closed", "stream-stall", "stream"),
    ]


def test_source_that_goes_away_is_one_incident() -> None:
    away = [(20.0, Connection(STREAM_TRACK, 20.0, False, "connection refused"))]
    back = [(31.0, Connection(STREAM_TRACK, 20.0, True))]
    script = Script(packets(0, 20) + away + back + packets(31, 50))
    events = play(script, until=50)

    assert told(events) == [
        ("opened", "stream-unavailable", "stream"),
        ("closed", "stream-unavailable", "stream"),
    ]
    incident = events[-1].incident
    assert incident.evidence["reason"] == "connection refused"
    assert incident.onset.media_s == pytest.approx(20.0, abs=PACKET_S)
    assert incident.recovery is not None
    assert incident.recovery.media_s == pytest.approx(31.0, abs=2 * PACKET_S)
    assert duration_of(events[-1]) == pytest.approx(11.0, abs=2 * TICK_S)


def test_track_that_comes_later_after_an_outage_has_not_stalled() -> None:
    before = packets(0, 20) + packets(0, 20, track="audio:0")
    away: list[tuple[float, Item]] = [(20.0, Connection(STREAM_TRACK, 20.0, False, "reset"))]
    back = packets(30, 40, track="audio:0") + packets(31, 40)
    events = play(Script(by_time(before) + away + by_time(back)), until=40)

    assert told(events) == [
        ("opened", "stream-unavailable", "stream"),
        ("closed", "stream-unavailable", "stream"),
    ]


def test_source_that_is_never_there_is_told_after_the_alarm_duration() -> None:
    events = play(Script([(0.5, Connection(STREAM_TRACK, 0.0, False, "unknown host"))]), until=30)

    assert told(events)[0] == ("opened", "stream-unavailable", "stream")
    assert events[0].incident.onset.media_s == 0.0


def test_source_that_says_nothing_is_told_since_the_beginning() -> None:
    script = Script([(8.0, Connection(STREAM_TRACK, 0.0, False, "no answer"))])
    script.away_at = 4.0
    events = play(script, until=9)

    assert told(events)[0] == ("opened", "stream-unavailable", "stream")
    assert events[0].incident.value == pytest.approx(4.0, abs=2 * TICK_S)
    assert events[-1].incident.onset.wall == events[0].incident.onset.wall
    assert seconds(events[0].time) - seconds(events[0].incident.onset.wall) == pytest.approx(
        4.0, abs=2 * TICK_S
    )


def test_source_that_answers_late_is_told_and_recovers() -> None:
    script = Script(packets(0, 20, at=8))
    script.away_at = 4.0
    events = play(script, until=28)

    assert told(events) == [
        ("opened", "stream-unavailable", "stream"),
        ("closed", "stream-unavailable", "stream"),
    ]
    assert duration_of(events[-1]) == pytest.approx(8.0, abs=2 * TICK_S)


def test_short_reconnection_is_no_incident() -> None:
    away = [(20.0, Connection(STREAM_TRACK, 20.0, False, "reset"))]
    assert play(Script(packets(0, 20) + away + packets(20, 40, at=21.0)), until=41) == []


def test_track_that_stops_while_the_other_goes_on_is_a_stall_of_that_track() -> None:
    both = packets(0, 20) + packets(0, 40, track="audio:0")
    both += packets(32, 40)
    events = play(Script(by_time(both)), until=40)

    assert told(events) == [
        ("opened", "stream-stall", "video:0"),
        ("closed", "stream-stall", "video:0"),
    ]
    incident = events[-1].incident
    assert incident.onset.media_s == pytest.approx(20.0, abs=PACKET_S)
    assert incident.recovery is not None
    assert incident.recovery.media_s == pytest.approx(32.0, abs=2 * PACKET_S)


def test_last_packet_of_a_stopped_track_that_comes_late_does_not_end_its_stall() -> None:
    both = packets(0, 20) + packets(0, 40, track="audio:0")
    late = [(39.9, item) for _, item in packets(20, 20.04)]
    events = play(Script(sorted(both + late, key=lambda pair: pair[0])), until=40)

    assert told(events) == [
        ("opened", "stream-stall", "video:0"),
        ("closed", "stream-stall", "video:0"),
    ]
    assert events[-1].incident.recovery is None


def test_stream_that_cannot_be_decoded_in_time_lowers_its_fidelity() -> None:
    script = Script(packets(0, 60, speed=0.5), waits=False)
    play(script, until=120)

    assert script.fidelity == [Fidelity.FULL, Fidelity.ADAPTIVE, Fidelity.KEYFRAMES]


def test_slow_network_does_not_lower_the_fidelity() -> None:
    script = Script(packets(0, 60, speed=0.5))
    play(script, until=120)

    assert script.fidelity == [Fidelity.FULL]


@pytest.mark.parametrize("trouble", ["stall", "away"])
def test_incident_is_closed_soon_after_the_media_is_back(trouble: str) -> None:
    away: list[tuple[float, Item]] = [(20.0, Connection(STREAM_TRACK, 20.0, False, "reset"))]
    before = packets(0, 20) + (away if trouble == "away" else [])

    short = play(Script(before + packets(30, 30.5)), until=30.5)
    longer = play(Script(before + packets(30, 60)), until=60)

    assert [event.kind for event in short][-1] == "closed", "by the end of the stream"
    assert longer[-1].kind == "closed"
    told_after_s = [
        (event.time, event.incident.recovery.wall) for event in longer if event.incident.recovery
    ]
    ((time_told, recovered),) = told_after_s
    assert 0.9 <= seconds(time_told) - seconds(recovered) <= 1.2


def seconds(wall: str) -> float:
    return datetime.fromisoformat(wall).timestamp()


def jumping(*at: float) -> list[tuple[float, Item]]:
    """A minute of packets, some of which jump by 5 s."""
    return [
        (when, item._replace(jump_s=5.0) if round(item.time, 2) in at else item)
        for when, item in packets(0, 60)
        if isinstance(item, Packet)
    ]


def test_event_of_an_instant_is_closed_when_time_has_passed_without_it() -> None:
    events = play(Script(jumping(10.0, 20.0)), until=60)

    assert (
        told(events)
        == [
            ("opened", "timestamp-jump", "stream"),
            ("closed", "timestamp-jump", "stream"),
        ]
        * 2
    )
    assert [event.incident.onset.media_s for event in events[::2]] == pytest.approx([10.0, 20.0])
    assert duration_of(events[1]) == pytest.approx(0.0)


def test_events_of_an_instant_in_quick_succession_are_one_incident() -> None:
    events = play(Script(jumping(10.0, 10.4, 10.8)), until=60)

    assert [event.kind for event in events] == ["opened", "closed"]
    assert duration_of(events[-1]) == pytest.approx(0.8)


def test_event_of_an_instant_ends_with_it_whatever_packet_comes_next() -> None:
    reordered = [
        (when, item._replace(time=item.time + 0.16 if round(item.time, 2) == 10.04 else item.time))
        for when, item in jumping(10.0)
        if isinstance(item, Packet)
    ]

    events = play(Script(list(reordered)), until=60)

    assert [event.kind for event in events] == ["opened", "closed"]
    assert events[-1].incident.recovery is not None
    assert events[-1].incident.recovery.media_s == pytest.approx(10.0)


def test_what_waits_to_be_measured_with_more_is_measured_when_no_more_comes() -> None:
    refused = Failure("video:0", 1.0, PACKET_S, "invalid data")

    told_after: list[float] = []
    script = Script([*packets(0, 1), (1.0, refused)])
    pipeline = Pipeline(
        "live",
        cast("Source", script),
        resolve_plan(only=["decode-error"]),
        lambda event: told_after.append(script.now),
        clock=lambda: script.now,
    )
    script.pipeline = pipeline
    script.items_at.append((10.0, Connection(STREAM_TRACK, 10.0, True)))
    pipeline.run()

    assert told_after[0] == pytest.approx(1.0 + HELD_S, abs=2 * TICK_S)
