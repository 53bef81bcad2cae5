"""Whether a change of the picture rate is told, by the times of packets."""

from __future__ import annotations

import random
from collections.abc import Iterable
from itertools import accumulate

import pytest

from streammonitor_worker.source.cadence import Cadence, RateChange
from streammonitor_worker.source.parameters import Parameters, configured, parameters_of

FIRST, SECOND = Parameters("packet", b"first"), Parameters("packet", b"second")


def even(rate: float, count: int, begin: float = 0.0) -> list[float]:
    return [begin + number / rate for number in range(count)]


def told(
    times: Iterable[float], anew: float | None, *, gop: int = 12, reordered_s: float = 0.0
) -> list[RateChange]:
    """Show pictures, of which the one at `anew` comes from an encoder that began anew."""
    cadence, found = Cadence(), []
    for number, time in enumerate(times):
        key = number % gop == 0 or time == anew
        parameters = SECOND if anew is not None and time >= anew else FIRST
        change = cadence.show(time, time - reordered_s, parameters if key else None)
        found += [] if change is None else [change]
    return found


@pytest.mark.parametrize(
    ("before", "after"),
    [(25, 50), (50, 25), (30, 25), (24, 25), (25, 24), (30000 / 1001, 25), (60, 30), (5, 10)],
)
def test_change_is_told_with_its_first_picture(before: float, after: float) -> None:
    times = [*even(before, int(4 * before)), *even(after, int(4 * after), 4.0)]

    assert told(times, 4.0) == [pytest.approx((4.0, before, after))]


@pytest.mark.parametrize(("before", "after"), [(24, 25), (50, 60), (60000 / 1001, 50)])
def test_timestamps_of_milliseconds_are_enough(before: float, after: float) -> None:
    exact = [*even(before, int(4 * before)), *even(after, int(4 * after), 4.0)]
    times = [round(time, 3) for time in exact]

    assert told(times, 4.0) == [pytest.approx((4.0, before, after))]


def test_change_is_told_within_the_second() -> None:
    cadence = Cadence()
    for time in even(25, 100):
        assert cadence.show(time, time, FIRST) is None

    sure = next(time for time in even(50, 200, 4.0) if cadence.show(time, time - 0.1, SECOND))

    assert sure <= 4.8


def test_pictures_lost_at_the_change_do_not_hide_it() -> None:
    times = [*even(25, 97), *even(50, 200, 4.0)]
    del times[99:103]

    assert told(times, 4.0) == [RateChange(4.0, 25.0, 50.0)]


def test_rate_alone_is_no_change_of_format() -> None:
    dropped = [*even(50, 200), *even(25, 100, 4.0)]

    assert told(dropped, None) == []


def test_encoder_alone_is_no_change_of_rate() -> None:
    assert told(even(25, 200), 4.0) == []


@pytest.mark.parametrize(("before", "after"), [(30000 / 1001, 30), (60000 / 1001, 60)])
def test_rounding_of_ntsc_is_no_change(before: float, after: float) -> None:
    times = [*even(before, int(4 * before)), *even(after, int(4 * after), 4.0)]

    assert told(times, 4.0) == []


def steps(pattern: list[float], seconds: float) -> list[float]:
    return [0.0, *accumulate(pattern * int(seconds / sum(pattern)))]


def test_pulldown_has_no_rate_to_change() -> None:
    film = steps([2 / 59.94, 3 / 59.94], 4)
    times = [*film, *even(29.97, 120, film[-1] + 0.05)]

    assert told(times, times[len(film)]) == []


@pytest.mark.parametrize("seed", range(20))
def test_variable_rate_is_no_change(seed: int) -> None:
    chance = random.Random(seed)
    times = list(accumulate(chance.choice((1, 1, 2, 3, 5)) / 60 for _ in range(400)))

    assert told(times, times[200]) == []


@pytest.mark.parametrize("seed", range(20))
def test_jitter_is_no_change(seed: int) -> None:
    chance = random.Random(seed)
    times = sorted(time + chance.uniform(-0.006, 0.006) for time in even(25, 250))

    assert told(times, times[100]) == []


def test_rate_is_compared_across_containers() -> None:
    cadence = Cadence()
    for time in even(25, 100):
        cadence.show(time, time, FIRST)

    cadence.renew(None)
    found = [cadence.show(time, time, FIRST) for time in even(50, 100, 9.0)]
    cadence.renew(None)
    found += [cadence.show(time, time, FIRST) for time in even(50, 100, 11.2)]

    assert [change for change in found if change] == [RateChange(9.0, 25.0, 50.0)]


def test_parameter_sets_of_byte_streams_are_found() -> None:
    sps, pps, idr = b"\x67\x64\x00\x0c", b"\x68\xeb", b"\x65" + bytes(50)
    packet = b"\x00\x00\x00\x01\x09\xf0" + b"".join(b"\x00\x00\x01" + u for u in (sps, pps, idr))

    assert parameters_of("h264", memoryview(packet)) == Parameters("packet", b"\x67\x64\x00\x0c")


def test_parameter_sets_by_length_are_found() -> None:
    units = (b"\x40\x01vps", b"\x42\x01sps", b"\x44\x01pps", b"\x26\x01" + bytes(50))
    packet = b"".join(len(unit).to_bytes(4, "big") + unit for unit in units)

    assert parameters_of("hevc", memoryview(packet)) == Parameters(
        "packet", b"\x40\x01vps\x42\x01sps"
    )


def test_bit_rate_is_no_part_of_the_sequence() -> None:
    header = b"\x00\x00\x01\xb3\x14\x00\xb4\x13"
    one, other = (header + rate for rate in (b"\xff\xff\xe0\x18", b"\x12\x34\xe0\x18"))

    assert parameters_of("mpeg2video", memoryview(one)) == Parameters("packet", header[4:])
    assert parameters_of("mpeg2video", memoryview(other)) == Parameters("packet", header[4:])


@pytest.mark.parametrize("seed", range(50))
def test_damaged_packets_have_no_parameters_or_some(seed: int) -> None:
    chance = random.Random(seed)
    packet = chance.choice((b"\x00\x00\x01", b"\x00\x00\x00\x01", b"")) + chance.randbytes(200)

    for codec in ("h264", "hevc", "mpeg2video", "vp9"):
        found = parameters_of(codec, memoryview(packet))
        assert found is None or found.origin == "packet"


def test_only_a_configuration_record_is_one() -> None:
    assert configured(b"\x01\x64\x00\x0c") == Parameters("container", b"\x01\x64\x00\x0c")
    assert configured(b"\x00\x00\x01\x67") is None
    assert configured(None) is None
