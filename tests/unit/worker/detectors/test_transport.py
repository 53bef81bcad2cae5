"""The detectors that look at packets, formats and the connection, on made-up items."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from streammonitor_worker.detectors.base import Detector
from streammonitor_worker.detectors.continuity_error import ContinuityError
from streammonitor_worker.detectors.decode_error import DecodeError, DecodeErrorSettings
from streammonitor_worker.detectors.format_change import FormatChange
from streammonitor_worker.detectors.stream_stall import StreamStall
from streammonitor_worker.detectors.stream_unavailable import StreamUnavailable
from streammonitor_worker.detectors.timestamp_jump import TimestampJump
from streammonitor_worker.media import Connection, Failure, Format, Idle, Item, Packet

PACKET = Packet("video:0", 0.0, 0.04, size=1000, key=False)
HD = Format("video:0", 0.0, "h264", width=1920, height=1080, fps=25.0, pixel_format="yuv420p")
SOUND = Format("audio:0", 0.0, "aac", rate=48000, channels=2)


def present_at(detector: Detector[Any], items: Iterable[Item]) -> list[float]:
    return [m.start for item in items for m in detector.observe(item) if m.present]


def packets(count: int = 10, **changed: Any) -> list[Packet]:
    """Packets of 40 ms; those whose number is a key of `at` are changed."""
    return [
        PACKET._replace(**{"time": number * 0.04, **changed.get(f"at_{number}", {})})
        for number in range(count)
    ]


def test_clean_packets_raise_nothing() -> None:
    for detector in (ContinuityError(), TimestampJump()):
        assert present_at(detector, packets()) == []


def test_continuity_error_is_at_its_packet() -> None:
    items = packets(at_5={"continuity_errors": 3})

    assert present_at(ContinuityError(), items) == [pytest.approx(0.2)]


def test_continuity_errors_of_a_second_are_added_up() -> None:
    detector = ContinuityError()
    measures = [
        m
        for p in packets(40, **{f"at_{n}": {"continuity_errors": 2} for n in range(40)})
        for m in detector.observe(p)
    ]

    assert measures[-1].value == 2 * 26, "0.6 s to 1.6 s, both included"


@pytest.mark.parametrize(
    ("jump_s", "present"), [(0.5, False), (0.7, True), (-5.0, True), (3600.0, True)]
)
def test_jump_counts_in_both_directions(jump_s: float, present: bool) -> None:
    items = packets(at_4={"jump_s": jump_s})

    assert present_at(TimestampJump(), items) == ([pytest.approx(0.16)] if present else [])


def test_jump_that_leaves_a_gap_lasts_as_long_as_the_gap() -> None:
    detector = TimestampJump()
    items = packets(5, at_4={"time": 5.0, "jump_s": 4.84})

    measures = [m for packet in items for m in detector.observe(packet)]

    ((start, end),) = [(m.start, m.end) for m in measures]
    assert (start, end) == pytest.approx((0.16, 5.0))


def test_jump_of_a_reordered_picture_is_not_before_it() -> None:
    detector = TimestampJump()
    shown_later_then_jumped = packets(2, at_0={"time": 0.12}, at_1={"jump_s": -7.0})

    measures = [m for packet in shown_later_then_jumped for m in detector.observe(packet)]

    assert [(m.start, m.end) for m in measures] == [(0.04, 0.04)]


def test_refused_packet_is_a_decode_error() -> None:
    items = [Failure("video:0", 0.12, 0.04, "Invalid data found")]

    assert present_at(DecodeError(), items) == [0.12]


def test_decode_errors_below_the_setting_are_tolerated() -> None:
    detector = DecodeError(DecodeErrorSettings(failures=3))
    items = [Failure("video:0", at, 0.04, "broken") for at in (0.0, 0.5, 0.9, 5.0)]

    assert present_at(detector, items) == [0.9]


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        (HD, HD._replace(width=1280, height=720), ["width", "height"]),
        (HD, HD._replace(codec="hevc"), ["codec"]),
        (HD, HD._replace(fps=50.0), ["fps"]),
        (SOUND, SOUND._replace(rate=44100), ["rate"]),
        (SOUND, SOUND._replace(channels=6), ["channels"]),
    ],
    ids=["size", "codec", "fps", "rate", "channels"],
)
def test_format_change_names_what_changed(
    before: Format, after: Format, changed: list[str]
) -> None:
    detector = FormatChange()

    assert list(detector.observe(before)) == []
    (measure,) = detector.observe(after._replace(time=4.0))

    assert measure.present
    assert measure.start == 4.0
    assert measure.evidence is not None
    assert measure.evidence["changed"] == changed


@pytest.mark.parametrize("after", [HD, HD._replace(fps=24.99), HD._replace(fps=0.0)])
def test_same_format_is_no_change(after: Format) -> None:
    detector = FormatChange()

    assert present_at(detector, [HD, after]) == []


def test_unavailable_counts_from_the_first_refusal() -> None:
    detector = StreamUnavailable()
    down = [Connection("stream", at, False, "refused") for at in (3.0, 3.1, 4.5)]
    measures = [m for item in down for m in detector.observe(item)]

    assert [m.value for m in measures] == pytest.approx([0.0, 0.1, 1.5])
    assert present_at(detector, [Connection("stream", 5.0, True)]) == []


def test_stall_began_when_the_media_ended() -> None:
    (measure,) = StreamStall().observe(Idle("stream", 20.0, 3.0))

    assert (measure.present, measure.since) == (True, 17.0)


def test_short_pause_is_no_stall() -> None:
    assert present_at(StreamStall(), [Idle("stream", 20.0, 0.9)]) == []
