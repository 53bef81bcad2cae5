"""A plan holds what the user asked for, and nothing that the catalogue does not allow."""

from __future__ import annotations

from types import MappingProxyType

import pytest

from streammonitor_api.catalogue import Catalogue, DetectorInfo, SettingInfo
from streammonitor_api.errors import InputError
from streammonitor_api.plan import Adjustment, Plan, parse_adjustment, resolve_plan


def a_setting(
    name: str, kind: str, default: float | int | str | bool, unit: str = ""
) -> SettingInfo:
    numbers = kind in ("float", "int")
    low, high = (0.5, 60.0) if numbers else (None, None)
    return SettingInfo(name, kind, default, unit, low, high, "what it is", "where from")


def a_detector(name: str, *settings: SettingInfo) -> DetectorInfo:
    return DetectorInfo(
        name=name,
        what="A defect.",
        tracks=("video",),
        unit="dB",
        threshold=-60.0,
        severity="warning",
        alarm_after_s=2.0,
        clear_after_s=1.0,
        settings=MappingProxyType({one.name: one for one in settings}),
        source="the field",
    )


KNOWN = Catalogue(
    {
        "video-freeze": a_detector(
            "video-freeze",
            a_setting("noiseLevel", "float", 1.0, "dB"),
            a_setting("gap", "float", 1.0, "s"),
            a_setting("count", "int", 2),
            a_setting("strict", "bool", False),
            a_setting("colour", "str", "grey"),
        ),
        "audio-silence": a_detector("audio-silence"),
    }
)


def plan_with(*texts: str, only: list[str] | None = None) -> Plan:
    adjustments = [parse_adjustment(text, KNOWN) for text in texts]
    return resolve_plan(only=only, adjustments=adjustments, known=KNOWN)


def message(*texts: str, only: list[str] | None = None) -> str:
    with pytest.raises(InputError) as raised:
        plan_with(*texts, only=only)
    return str(raised.value)


def test_plan_without_wishes_is_the_catalogue() -> None:
    plan = plan_with()

    assert list(plan) == ["video-freeze", "audio-silence"]
    freeze = plan["video-freeze"]
    assert (freeze.severity, freeze.alarm_after_s, freeze.clear_after_s) == ("warning", 2.0, 1.0)
    assert freeze.settings == {
        "noiseLevel": 1.0,
        "gap": 1.0,
        "count": 2,
        "strict": False,
        "colour": "grey",
    }


def test_values_take_the_type_of_their_setting() -> None:
    settings = plan_with(
        "video-freeze.noiseLevel=3",
        "video-freeze.count=4",
        "video-freeze.strict=yes",
        "video-freeze.colour=green",
    )["video-freeze"].settings

    assert settings["noiseLevel"] == 3.0
    assert isinstance(settings["noiseLevel"], float)
    assert settings["count"] == 4
    assert isinstance(settings["count"], int)
    assert settings["strict"] is True
    assert settings["colour"] == "green"


@pytest.mark.parametrize("spelling", ["alarmAfter", "alarm_after", "alarm-after", "alarmafter"])
def test_every_spelling_of_a_parameter_is_understood(spelling: str) -> None:
    assert plan_with(f"video-freeze.{spelling}=5s")["video-freeze"].alarm_after_s == 5.0


def test_setting_in_seconds_may_be_written_as_duration() -> None:
    assert plan_with("video-freeze.gap=1500ms")["video-freeze"].settings["gap"] == 1.5


def test_last_adjustment_wins() -> None:
    plan = plan_with("audio-silence.severity=critical", "audio-silence.severity=warning")

    assert plan["audio-silence"].severity == "warning"


def test_choice_runs_only_what_it_names() -> None:
    assert list(plan_with(only=["audio-silence"])) == ["audio-silence"]


def test_choice_enables_what_the_profile_disables() -> None:
    profile = [Adjustment("p.yaml:1", "audio-silence", "enabled", False)]

    plan = resolve_plan(profile=profile, only=["audio-silence"], known=KNOWN)

    assert list(plan) == ["audio-silence"]


def test_disabled_detector_is_not_in_the_plan() -> None:
    assert list(plan_with("audio-silence.enabled=false")) == ["video-freeze"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "video-freez.gap=1",
            '--set video-freez.gap=1: no detector "video-freez"; did you mean "video-freeze"?',
        ),
        (
            "video-freeze.noiseLevl=1",
            "--set video-freeze.noiseLevl=1: video-freeze has no setting "
            '"noiseLevl"; did you mean "noiseLevel"?',
        ),
        (
            "video-freeze.noise-level=0.1",
            "--set video-freeze.noise-level=0.1: 0.1 is out of range; noiseLevel is 0.5 to 60 dB",
        ),
        (
            "video-freeze.noiseLevel=loud",
            '--set video-freeze.noiseLevel=loud: "loud" is not a number; '
            "noiseLevel is a number (0.5 to 60 dB)",
        ),
        (
            "video-freeze.noiseLevel=nan",
            '--set video-freeze.noiseLevel=nan: "nan" is not a number; '
            "noiseLevel is a number (0.5 to 60 dB)",
        ),
        (
            "video-freeze.count=1.5",
            '--set video-freeze.count=1.5: "1.5" is not a whole number; '
            "count is a whole number (0.5 to 60)",
        ),
        (
            "video-freeze.strict=maybe",
            '--set video-freeze.strict=maybe: "maybe" is neither true nor false; write one of them',
        ),
        (
            "video-freeze.alarmAfter=2",
            '--set video-freeze.alarmAfter=2: "2" has no unit; write a duration such as "2s"',
        ),
        (
            "video-freeze.alarmAfter=25h",
            '--set video-freeze.alarmAfter=25h: "25h" is more than a day; write a shorter duration',
        ),
        (
            "video-freeze.severity=critic",
            '--set video-freeze.severity=critic: no severity "critic"; did you mean "critical"?',
        ),
        (
            "video-freeze.gap",
            "--set video-freeze.gap: not an assignment; write DETECTOR.PARAM=VALUE, "
            "such as video-black.alarmAfter=5s",
        ),
    ],
)
def test_wrong_adjustment_is_told_in_one_line(text: str, expected: str) -> None:
    assert message(text) == expected


@pytest.mark.parametrize("text", ["", "=", "video-freeze", "video-freeze=1", ".gap=1", "a.=1"])
def test_incomplete_adjustment_is_refused(text: str) -> None:
    assert "write DETECTOR.PARAM=VALUE" in message(text)


def test_choice_of_an_unknown_detector_suggests_the_nearest() -> None:
    assert message(only=["audio-silense"]) == (
        '--detectors: no detector "audio-silense"; did you mean "audio-silence"?'
    )


def test_choice_of_nothing_is_refused() -> None:
    assert message(only=[]).startswith("--detectors: no name given")


def test_plan_with_everything_disabled_is_refused() -> None:
    assert "leave at least one enabled" in message(
        "video-freeze.enabled=no", "audio-silence.enabled=off"
    )
